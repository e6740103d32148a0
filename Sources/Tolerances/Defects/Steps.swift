import NumKit
import RealModule

/// The steps of a right kernel of softmax or one of its relatives, each rounded to its format, and each open to a fault: what
/// defects are planted in. It shares no code with the kernels that numcheck judges, so that a gate is not tried on itself.
public struct Steps: Sendable {
  /// What the answer is made of.
  public enum Shift: Sendable {
    /// The row's largest.
    case largest
    /// Nothing is subtracted.
    case none
    /// The largest of the first `n`: found before the rest arrived.
    case stale(Int)
  }

  /// How e^x is found.
  public enum Exponential: Sendable {
    /// Rounded from a Double.
    case accurate
    /// 2^i times a polynomial in the fraction, of degree 2 or 3 (minimax to about 2⁻⁹ and 2⁻¹³).
    case polynomial(degree: Int)
    /// The bits of a float as a line between powers of two (Schraudolph, Neural Computation 11(4), 1999).
    case bits
    /// 2^(x·c) with c = log₂ e cut to 8 bits.
    case coarseConstant
  }

  /// Where a row stands.
  public struct Place: Sendable {
    /// Its number.
    public let row: Int
    /// What a right kernel gives for the row before; empty for the first, and where nobody asks.
    public let previous: [Double]
  }

  /// Of inputs and results.
  public var storage: NumberFormat
  /// Of element-wise operations.
  public var compute: NumberFormat
  /// Of the sum.
  public var accumulator: NumberFormat
  /// Logits are multiplied by it first.
  public var scale = 1.0
  /// What is subtracted.
  public var shift = Shift.largest
  /// How e^x is found.
  public var exponential = Exponential.accurate
  /// Places that the sum leaves out, of a row of n.
  public var unsummed: @Sendable (Int) -> Range<Int> = { $0..<$0 }
  /// Places that are hidden before all else, of a row of n.
  public var hidden: @Sendable (Int) -> Range<Int> = { $0..<$0 }
  /// Whether sums of blocks of this many are kept beside a running maximum, and not rescaled where it grows.
  public var unscaledBlock: Int?
  /// What becomes of results at the end.
  public var after: @Sendable (_ results: inout [Double], _ place: Place) -> Void = { _, _ in }
  /// Whether `after` looks at the row before.
  public var looksBack = false
  /// How results are rounded to the storage.
  public var isTruncated = false

  /// A right kernel in these formats.
  public init(storage: NumberFormat, compute: NumberFormat, accumulator: NumberFormat) {
    self.storage = storage
    self.compute = compute
    self.accumulator = accumulator
  }

  /// The same; nil where the storage is no float format.
  init?(_ configuration: KernelConfiguration) {
    guard let format = configuration.storage.numberFormat else { return nil }
    self.init(storage: format, compute: configuration.compute, accumulator: configuration.accumulator)
  }

  /// Those formats.
  var configuration: KernelConfiguration {
    KernelConfiguration(storage: .float(storage), compute: compute, accumulator: accumulator)
  }

  /// The answer to one row; `operation` is softmax, log-softmax or log-sum-exp.
  func answer(_ x: [Double], _ operation: RowOperation, _ place: Place) -> [Double] {
    var z = scale == 1 ? x.map { compute.round($0) } : x.map { compute.round(compute.round($0) * scale) }
    for i in hidden(x.count) { z[i] = -.infinity }
    let m = shifted(z)
    let e = z.map { power(compute.round($0 - m)) }
    let s = sum(z, e)
    var results: [Double]
    switch operation {
    case .logSumExp: results = [stored(compute.round(m + log(s)))]
    case .logSoftmax:
      let l = log(s)
      results = z.map { stored(compute.round(compute.round($0 - m) - l)) }
    default:
      let divisor = compute.round(s)
      results = e.map { stored(compute.round($0 / divisor)) }
    }
    after(&results, place)
    return results
  }

  private func log(_ s: Double) -> Double { compute.round(accumulator.round(Double.log(s))) }

  private func stored(_ x: Double) -> Double { isTruncated ? storage.truncate(x) : storage.round(x) }

  private func shifted(_ z: [Double]) -> Double {
    switch shift {
    case .none: 0
    case .largest: z.max() ?? 0
    case .stale(let n): z.prefix(Swift.max(1, n)).max() ?? 0
    }
  }

  private func sum(_ z: [Double], _ e: [Double]) -> Double {
    let lost = unsummed(e.count)
    guard let block = unscaledBlock else {
      return total(e.enumerated().map { lost.contains($0.offset) ? 0 : accumulator.round($0.element) }[...])
    }
    // Each block's exponentials are relative to the largest so far.
    var (s, m, start) = (0.0, -Double.infinity, 0)
    while start < z.count {
      let end = Swift.min(start + block, z.count)
      m = Swift.max(m, z[start..<end].max() ?? m)
      for i in start..<end { s = accumulator.round(s + accumulator.round(power(compute.round(z[i] - m)))) }
      start = end
    }
    return s
  }

  /// Halves of halves down to runs of 8: as kernels on many lanes add, and as the bound `shifted:pairwise` counts.
  private func total(_ e: ArraySlice<Double>) -> Double {
    if e.count <= 8 { return e.reduce(0) { accumulator.round($0 + $1) } }
    let middle = e.startIndex + e.count / 2
    return accumulator.round(total(e[..<middle]) + total(e[middle...]))
  }

  private func power(_ x: Double) -> Double {
    switch exponential {
    case .accurate: return compute.round(Double.exp(x))
    case .coarseConstant: return compute.round(Double.exp2(x * 1.4375))
    case .polynomial(let degree):
      let t = x * 1.4426950408889634
      if t < -1000 { return 0 }
      let whole = t.rounded(.down)
      let f = t - whole
      // Through both ends of [0, 1], the rest by least maximum error.
      let p =
        degree == 2
        ? 1 + f * (0.6565 + f * 0.3435) : 1 + f * (0.695_13 + f * (0.226_69 + f * 0.078_18))
      return compute.round(Double(sign: .plus, exponent: Int(whole), significand: p))
    case .bits:
      if x < -80 { return 0 }
      if x > 88 { return .infinity }
      return compute.round(Double(Float(bitPattern: UInt32(x * 12_102_203.161_561_485 + 1_064_866_805))))
    }
  }
}

extension NumberFormat {
  /// The nearest number that is not farther from 0.
  func truncate(_ x: Double) -> Double {
    let y = round(x)
    guard x.isFinite, y.magnitude > x.magnitude else { return y }
    if y.isInfinite { return y < 0 ? -largestFinite : largestFinite }
    return x < 0 ? nextUp(y) : nextDown(y)
  }

  /// The next number below `x`, one of the format's.
  fileprivate func nextDown(_ x: Double) -> Double { -nextUp(-x) }

  /// The next number above `x`, one of the format's.
  fileprivate func nextUp(_ x: Double) -> Double {
    let step = Swift.max(x.magnitude, smallestNormal).ulp * Double.powerOf2(52 - significandBits)
    // Below a power of two numbers lie closer.
    return x < 0 && x.magnitude.significand == 1 && x.magnitude > smallestNormal ? x + step / 2 : x + step
  }
}

extension Double {
  fileprivate static func powerOf2(_ e: Int) -> Double { Double(sign: .plus, exponent: e, significand: 1) }
}
