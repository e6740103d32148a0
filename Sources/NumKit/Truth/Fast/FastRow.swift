import CProof
import NumKitNumbers
import RealModule

/// A row's exponentials, their sum and the quotients, in Double (tier 0) and in double-double (tier 2), with proven bounds:
/// Documentation/CertifiedReference.md derives each number here. Storage is kept from row to row.
final class FastRow {
  private(set) var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private(set) var maximum = 0.0
  private(set) var argmax = 0
  private(set) var temperature = 1.0
  private(set) var spread = 0.0

  /// Tier 0: e^((x − max)/τ), 0 below e^−650, and the sum.
  private(set) var exponentials = Buffer<Double>()
  private(set) var sum = Pair(0)
  let quotients = Buffer<Double>()
  let rounded = Buffer<Double>()
  let open = Buffer<UInt8>()

  /// Tier 2, made when first asked for.
  private var hasTier2 = false
  let differenceHigh = Buffer<Double>()
  let differenceLow = Buffer<Double>()
  let mantissaHigh = Buffer<Double>()
  let mantissaLow = Buffer<Double>()
  let exponents = Buffer<Double>()
  private(set) var sum2 = Pair(0)
  private var hasDifferences = false
  private var hasTier0 = false

  /// What tier 0 and 2 are proven for: exponents below 2^28 in magnitude and rows of fewer than 2^31.
  func load(_ x: UnsafeBufferPointer<Double>, _ shape: RowShape) -> Bool {
    let (maximum, minimum, temperature) = (shape.maximum, shape.minimum, shape.temperature)
    argmax = shape.argmax
    self.x = x
    self.maximum = maximum
    self.temperature = temperature
    spread = (maximum - minimum) / temperature
    hasTier0 = false
    hasTier2 = false
    hasDifferences = false
    return spread < 0x1p28 && x.count < 1 << 31 && temperature > 0x1p-500 && temperature < 0x1p500
      && (maximum - minimum == 0 || maximum - minimum > 0x1p-900)
  }

  private var units: Double { 0x1p-53 }

  /// Roundings of (x − m)/τ, each relative to the exponent: one without a temperature, two with.
  private var exponentRoundings: Double { temperature == 1 ? 1 : 2 }

  // MARK: Tier 0

  func prepareTier0() {
    guard !hasTier0 else { return }
    hasTier0 = true
    exponentials.reserve(x.count)
    let s = nc_exponentials0(x.baseAddress, maximum, temperature, exponentials.base, x.count)
    sum = Pair(s.high, s.low)
  }

  /// Bound on the relative error of the sum: the exponentials' 2, four additions, their exponents' Σ pⱼ|dⱼ| ≤ log n.
  static func sumError(count: Int, roundings: Double) -> Double {
    CertifiedBounds.exponential0 + (5 + roundings * Double.log(Double(count) + 1)) * 0x1p-53
  }
  var sumError: Double { Self.sumError(count: x.count, roundings: exponentRoundings) }

  /// The relative error of a quotient e/sum is at most `quotientConstant` + `quotientSlope`·|x − m|.
  var quotientConstant: Double { sumError + CertifiedBounds.exponential0 + 5 * units }
  var quotientSlope: Double { exponentRoundings * units / temperature }

  /// The same over the whole row.
  var worstQuotientError: Double { quotientConstant + exponentRoundings * units * spread }

  /// Softmax by tier 0 into `quotients` and `rounded`; returns whether all roundings are proven, else see `open`.
  func softmaxTier0(_ format: NumberFormat) -> Bool {
    prepareTier0()
    quotients.reserve(x.count)
    rounded.reserve(x.count)
    open.reserve((x.count + 63) / 64)
    return nc_quotients0(
      exponentials.base, x.baseAddress, maximum, 1 / sum.high, quotientConstant, quotientSlope,
      format.magicRounding, quotients.base, rounded.base, open.base, x.count)
  }

  /// e^dᵢ/sum however small, as h·2^exponent; relative error at most `worstQuotientError`.
  func scaledQuotient(_ i: Int) -> (Double, exponent: Int) {
    let d = (x[i] - maximum) / temperature
    let k = (d * 1.4426950408889634).rounded()
    let r = (d.addingProduct(-k, 0x1.62e42fefa39efp-1)).addingProduct(-k, 0x1.abc9e3b39803fp-56)
    return (nc_exp0(r) / sum.high, Int(k))
  }

  // MARK: Tier 2

  func prepareDifferences() {
    guard !hasDifferences else { return }
    hasDifferences = true
    for buffer in [differenceHigh, differenceLow] { buffer.reserve(x.count) }
    nc_differences2(
      x.baseAddress, maximum, temperature, differenceHigh.base, differenceLow.base, x.count)
  }

  func prepareTier2() {
    guard !hasTier2 else { return }
    hasTier2 = true
    prepareDifferences()
    for buffer in [mantissaHigh, mantissaLow, exponents] { buffer.reserve(x.count) }
    nc_exponentials2(
      differenceHigh.base, differenceLow.base, PairFunctions.table.baseAddress, mantissaHigh.base,
      mantissaLow.base, exponents.base, x.count)
    let s = nc_sum2(mantissaHigh.base, mantissaLow.base, exponents.base, x.count)
    sum2 = Pair(s.high, s.low)
  }

  /// Puts the exponents into the mantissas, 0 below 2^−900; only sums can be asked for afterwards.
  func scaleMantissas() {
    nc_scale2(mantissaHigh.base, mantissaLow.base, exponents.base, x.count)
  }

  /// Bound on the relative error of `sum2`: the exponentials', the exponents' mean, n/8 + 16 additions of pairs.
  var sum2Error: Double {
    2 * CertifiedBounds.exponential2
      + (Double(x.count) / 8 + 16 + 2 * Double.log(Double(x.count) + 1)) * 0x1p-102
  }

  /// The relative error of a tier 2 quotient is at most `quotient2Constant` + `quotient2Slope`·|d|.
  var quotient2Constant: Double { sum2Error + 2 * CertifiedBounds.exponential2 }
  var quotient2Slope: Double { 4 * CertifiedBounds.exponential2Slope }

  var worstQuotient2Error: Double { quotient2Constant + quotient2Slope * spread }

  /// Softmax to f64 by tier 2: `quotients` and `rounded` receive high and low words.
  func softmaxTier2() -> Bool {
    prepareTier2()
    quotients.reserve(x.count)
    rounded.reserve(x.count)
    open.reserve((x.count + 63) / 64)
    let r = Pair(1) / sum2
    return nc_quotients2(
      mantissaHigh.base, mantissaLow.base, exponents.base, differenceHigh.base, r.high, r.low,
      quotient2Constant, quotient2Slope, quotients.base, rounded.base, open.base, x.count)
  }

  /// e^dᵢ/sum as (high + low)·2^exponent by tier 2, and its relative error.
  func quotient2(_ i: Int) -> (Pair, exponent: Int, error: Double) {
    let q = Pair(mantissaHigh.base[i], mantissaLow.base[i]) / sum2
    return (q, Int(exponents.base[i]), quotient2Constant + quotient2Slope * differenceHigh.base[i].magnitude)
  }

  /// Σ eⱼ over j ≠ i by tier 2, with its relative error; needs i not to carry all the sum.
  func others2(_ i: Int) -> Pair {
    let kept = exponents.base[i]
    // Below −900 terms do not count.
    exponents.base[i] = -4096
    let s = nc_sum2(mantissaHigh.base, mantissaLow.base, exponents.base, x.count)
    exponents.base[i] = kept
    return Pair(s.high, s.low)
  }
}

/// Storage that only grows.
final class Buffer<Element> {
  private(set) var base = UnsafeMutablePointer<Element>.allocate(capacity: 0)
  private var capacity = 0

  deinit { base.deallocate() }

  /// Room for `count`; what was there is lost when it grows.
  func reserve(_ count: Int) {
    guard count > capacity else { return }
    base.deallocate()
    base = .allocate(capacity: count)
    capacity = count
  }
}

extension NumberFormat {
  /// The rounding as the inner loops do it.
  var magicRounding: nc_rounding {
    nc_rounding(
      fraction_bits: Int32(significandBits), min_exponent: Int32(minExponent),
      max_exponent: Int32(maxExponent))
  }
}
