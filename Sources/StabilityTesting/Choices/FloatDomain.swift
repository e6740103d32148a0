import NumKit

/// Which numbers of a format a generator may make.
public struct FloatDomain: Sendable {
  /// The format.
  public var format: NumberFormat
  /// Where finite numbers are from.
  public var range: ClosedRange<Double>
  /// Whether there may be zeros, subnormal and normal numbers.
  public var hasZero = true
  public var hasSubnormal = true
  public var hasNormal = true
  /// Whether there may be NaN, and infinities of either sign.
  public var hasNaN = false
  public var hasInfinity = false
  public var hasMinusInfinity = false
  /// What else must hold of a finite number.
  public var condition: (@Sendable (Double) -> Bool)?

  /// All finite numbers of a format, or those in `range`.
  public init(_ format: NumberFormat, in range: ClosedRange<Double>? = nil) {
    self.format = format
    self.range = range ?? -format.largestFinite...format.largestFinite
  }

  /// Whether `x` is one.
  public func contains(_ x: Double) -> Bool {
    if x.isNaN { return hasNaN && format.hasNaN }
    if x.isInfinite { return format.hasInfinity && (x > 0 ? hasInfinity : hasMinusInfinity) }
    guard range.contains(x), format.round(x).bitPattern == x.bitPattern else { return false }
    if x == 0 { return hasZero && condition?(x) ?? true }
    guard x.magnitude < format.smallestNormal ? hasSubnormal : hasNormal else { return false }
    return condition?(x) ?? true
  }
}

extension NumberFormat {
  /// The number `count` steps from the finite `x`, up or down; the last finite one where the format ends.
  public func stepped(_ x: Double, by count: Int) -> Double {
    guard x.isFinite, hasZero else { return x }
    // Magnitudes in order: the codes without the sign.
    let sign: UInt64 = hasSign ? 1 << UInt64(bitWidth - 1) : 0
    let top = Int64(bitPattern: encode(largestFinite) & ~sign)
    let y = round(x)
    let own = Int64(bitPattern: encode(y.magnitude) & ~sign)
    let (place, overflow) = (y < 0 ? -own : own).addingReportingOverflow(Int64(count))
    let wanted = overflow ? (count < 0 ? -top : top) : max(hasSign ? -top : 0, min(top, place))
    let magnitude = decode(UInt64(wanted.magnitude))
    return wanted < 0 ? -magnitude : magnitude
  }

  /// The largest number that is at most `x` > 0.
  public func largest(upTo x: Double) -> Double {
    let y = round(Swift.min(x, largestFinite), overflow: .saturate)
    return y > x ? stepped(y, by: -1) : y
  }

  /// A finite number of which every code is as likely: sizes of every order.
  public func anyFinite(_ random: inout RandomSource) -> Double {
    while true {
      let x = decode(random.next() & codes.upperBound)
      if x.isFinite { return x }
    }
  }

  /// Where kernels of exponentials turn: e^x over- and underflows, becomes subnormal, is 1 to within half a unit; where numbers end;
  /// where whole numbers stop being exact; where sentinels stand.
  public var thresholds: [Double] {
    let ln2 = 0.6931471805599453
    let top = Double(maxExponent + 1) * ln2
    let low = Double(minExponent) * ln2
    let least = Double(minExponent - significandBits) * ln2
    let all = [
      top, -top, low, least, least - ln2, -Double(precision) * ln2, unitRoundoff, epsilon, 1, 0.5 * ln2, ln2,
      Double.powerOfTwo(precision), smallestNormal, smallestPositive, largestFinite, largestFinite / 2,
      // The same of f32 and f16, in which other formats are computed, and what masks are written as.
      88.72283905206835, -87.33654475055310, -103.97207708399179, 11.090354888959125, -9.70406052783923,
      -10_000, -50_000, -65_504, 65_504, 2048, 65_536,
    ]
    return all.map { round($0, overflow: .saturate) }.filter { $0.isFinite && $0 != 0 }
  }
}
