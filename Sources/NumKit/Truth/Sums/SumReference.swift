import CProof
import NumKitNumbers

/// The truth of sums of products: dot products, and sums weighted by a softmax. One instance serves one thread.
///
/// Tier 2 answers: exact products (by fused multiply-add) summed in double-double with an error bound from the sum of their
/// magnitudes; see section 10 of Documentation/CertifiedReference.md. What it cannot prove, because the terms cancel or the result is
/// beside a tie, MPFR answers: a dot product exactly, a weighted sum by enclosures.
public final class SumReference {
  /// What results are rounded to.
  public let format: NumberFormat

  let usesFastTiers: Bool
  let row = FastRow()
  let exact = ExactDot()
  let enclosure = EnclosureStorage()
  let enclosedRow = EnclosedRow()
  let grouped = GroupedMean()
  let high = Buffer<Double>()
  let low = Buffer<Double>()
  let magnitude = Buffer<Double>()
  var replacement: [Double] = []
  /// The largest |v| of the row, where weights have been left out.
  var largestValue = 0.0

  /// Prepares to answer with results rounded to `format`; without the fast tiers MPFR answers all.
  public init(format: NumberFormat, usesFastTiers: Bool = true) {
    ArithmeticFault.refuse()
    self.format = format
    self.usesFastTiers = usesFastTiers
  }

  /// yᵢ = scale·Σⱼ aⱼbᵢⱼ for each row of the row-major matrix `b`, of as many columns as `a` has elements.
  ///
  /// The results are rational, so every one is decided; a sum that is 0 is found to be. Infinities and NaNs answer as IEEE arithmetic
  /// without overflow would: NaN for NaN, 0·∞ and ∞ − ∞.
  ///
  /// - Precondition: `b.count` is a multiple of `a.count`; `scale` is finite.
  public func dots(
    _ a: UnsafeBufferPointer<Double>, _ b: UnsafeBufferPointer<Double>, scale: Double = 1,
    into truth: inout Truth
  ) {
    precondition(scale.isFinite, "a finite scale")
    guard let p = a.baseAddress, let q = b.baseAddress, !a.isEmpty else { return truth.reset(count: 0) }
    precondition(b.count % a.count == 0, "rows as long as the vector")
    let n = a.count
    truth.reset(count: b.count / n)
    for i in 0..<b.count / n {
      let (value, error) = Self.dot(p, q + i * n, n, scale: scale)
      if usesFastTiers && accept(value, error, at: i, into: &truth) { continue }
      answerExactly(p, q + i * n, n, scale, at: i, into: &truth)
    }
  }

  /// scale·Σ aᵢbᵢ by MPFR, or as a special value.
  func answerExactly(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, _ scale: Double, at i: Int,
    into truth: inout Truth
  ) {
    if (0..<n).allSatisfy({ a[$0].isFinite && b[$0].isFinite }) {
      exactDot(a, b, n, scale, at: i, into: &truth)
    } else {
      let special = Self.specialDot(a, b, n)
      truth.setKnown(special.isNaN || scale == 0 ? .nan : special * scale, at: i, format)
    }
  }

  /// scale·Σ aᵢbᵢ and a bound on its absolute error; the bound is not finite where nothing is known.
  static func dot(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, scale: Double
  ) -> (Pair, error: Double) {
    let s = nc_dot2(a, b, n)
    let value = Pair(s.high, s.low)
    let error = dotError(s, n)
    guard error < .infinity else { return (value, .infinity) }
    if scale == 1 { return (value, error) }
    let scaled = value * Pair(scale)
    // The product's own error, and its underflow.
    return (scaled, error * scale.magnitude * 1.01 + scaled.high.magnitude * 0x1p-102 + 0x1p-1070)
  }

  /// What n products lose at most, in u² times the sum of their magnitudes: section 10.
  package static func dotRoundings(_ n: Int) -> Double {
    let terms = Double(n / 8)
    return terms * terms / 2 + 10.5 * terms + 45
  }

  /// A bound on the absolute error of a sum of n products; infinite where nothing is known.
  static func dotError(_ s: nc_dot, _ n: Int) -> Double {
    // Each product below 2^−968 may lose up to 2^−1074 of its low word.
    let error = 1.02 * dotRoundings(n) * 0x1p-106 * s.magnitude + Double(n) * 0x1p-1073
    return error < 0x1p900 && s.magnitude < 0x1p1000 ? error : .infinity
  }

  private func exactDot(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, _ scale: Double, at i: Int,
    into truth: inout Truth
  ) {
    enclosure.reserve(2, precision: 6500)
    exact.dot(a, b, n, scale: scale, into: enclosure[0])
    let rounded = enclosure[0].rounded(to: format)
    let scaled = enclosure[0].scaled(scratch: enclosure[1])
    // Both are there: the ends are equal.
    truth.set(rounded ?? .nan, scaled ?? ScaledValue(high: .nan), at: i)
    truth.certificate.exact += 1
    truth.certificate.maxPrecision = Swift.max(truth.certificate.maxPrecision, 6500)
  }

  /// Where an element is not finite: NaN, or the infinity that the infinite products agree on.
  private static func specialDot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int) -> Double {
    var sum = 0.0
    for i in 0..<n where !(a[i].isFinite && b[i].isFinite) { sum += a[i] * b[i] }
    return sum
  }

  /// Writes what a pair proves, if it does, and has digits enough to measure errors against.
  func accept(_ value: Pair, _ error: Double, at i: Int, into truth: inout Truth) -> Bool {
    truth.accept(value, error, at: i, format)
  }
}

extension Truth {
  /// Writes what a pair proves, if it does, and has digits enough to measure errors against.
  mutating func accept(_ value: Pair, _ error: Double, at i: Int, _ format: NumberFormat) -> Bool {
    let needed = format.significandBits <= 23 ? 0x1p-36 : 0x1p-74
    let size = value.high.magnitude
    guard size > 0x1p-900, size < 0x1p1000, error <= needed * size,
      let y = PairRounding.round(value, exponent: 0, error: error, to: format)
    else { return false }
    set(y, ScaledValue(high: value.high, low: value.low, relativeError: error / size * 1.01), at: i)
    certificate.doubleDouble += 1
    return true
  }
}
