import NumKitNumbers
import NumKitTruth

/// How far the largest errors measured may be from the true ones, because the truth they are measured against is itself known to
/// within `Truth.relativeError`.
struct TruthSlack: Sendable {
  /// In ulps, absolute and relative.
  private(set) var ulp = 0.0
  private(set) var absolute = 0.0
  private(set) var relative = 0.0

  /// A row whose results are at most `scale` large.
  mutating func add(_ error: Double, scale: Double, _ unit: ErrorUnit) {
    guard error > 0, scale > 0 else { return }
    relative = Swift.max(relative, error)
    // What a row scaled into Double's range has lost there.
    absolute = Swift.max(absolute, error * scale + 0x1p-1073)
    switch unit {
    // A result is less than 2^precision of its own ulps.
    case .ulp(let format): ulp = Swift.max(ulp, error * .powerOfTwo(format.precision))
    case .step(let step): ulp = Swift.max(ulp, error * scale / step)
    }
  }

  mutating func merge(_ other: TruthSlack) {
    ulp = Swift.max(ulp, other.ulp)
    absolute = Swift.max(absolute, other.absolute)
    relative = Swift.max(relative, other.relative)
  }
}

extension TruthSlack: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&ulp)
    try c.carry(&absolute)
    try c.carry(&relative)
  }
}

/// Upper bounds on the largest errors, cut where the truth's own error begins: every digit printed of them is proven.
public struct ProvenErrors: Sendable, Hashable {
  /// In ulps (of the exact result as Double has it).
  public let maxUlp: Double
  /// Absolute.
  public let maxAbsolute: Double
  /// Relative.
  public let maxRelative: Double

  /// `x`, which is off by at most `error` and two roundings, rounded up to a multiple of a power of two that is not below that.
  public static func outward(_ x: Double, error: Double) -> Double {
    guard x.isFinite, error.isFinite, x > 0 || error > 0 else { return x }
    let reach = error * (1 + 0x1p-50) + x * 0x1p-51
    guard reach >= .leastNormalMagnitude else { return x.nextUp.nextUp }
    let step = Double.powerOfTwo(Int(reach.exponent) + 1)
    return ((x + reach) / step).rounded(.up) * step
  }
}

extension ErrorStatistics {
  /// The largest errors as far as they are proven.
  public var proven: ProvenErrors {
    guard finiteCount > 0 else {
      return ProvenErrors(maxUlp: maxUlp, maxAbsolute: maxAbsolute, maxRelative: maxRelative)
    }
    return ProvenErrors(
      maxUlp: ProvenErrors.outward(maxUlp, error: slack.ulp),
      maxAbsolute: ProvenErrors.outward(maxAbsolute, error: slack.absolute),
      // |y − t|/|t| where t may be off by ε of itself: (r + ε)/(1 − ε) at most.
      maxRelative: ProvenErrors.outward(maxRelative, error: 1.01 * slack.relative * (1 + maxRelative)))
  }
}

extension Truth {
  /// |y − exact| in units of a power of two, or of any other size, where the exact result has an exponent of its own.
  package func error(of y: Double, at i: Int, inUnitsOf unit: Double) -> Double {
    let shift = -Int(unit.exponent), exponent = Int(self.exponent[i]) + shift
    func scaled(_ x: Double, _ exponent: Int) -> Double {
      exponent < -2200 ? x * 0 : Double(sign: .plus, exponent: exponent, significand: x)
    }
    let distance = (scaled(y, shift) - scaled(high[i], exponent)) - scaled(low[i], exponent)
    return distance.magnitude / unit.significand
  }
}
