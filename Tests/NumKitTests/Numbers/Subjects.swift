import NumKit

extension FormatRegistry {
  /// The dtypes that are floating-point formats.
  static var floats: [NumberFormat] { all.compactMap(\.dtype.numberFormat) }

  /// The record of a name in the registry.
  static func format(_ name: String) -> NumberFormat? { floats.first { $0.name == name } }

  /// Every type that can be computed in, the saturating ones too.
  static var scalars: [any Scalar.Type] { all.flatMap { [$0.scalar, $0.saturating].compactMap { $0 } } }

  /// Those of at most `bits` bits.
  static func scalars(bits: ClosedRange<Int>) -> [any Scalar.Type] {
    scalars.filter { bits.contains($0.format.bitWidth) }
  }
}

extension Scalar {
  /// What becomes of results too large.
  static var overflow: Overflow {
    let beyond = Self(rounding: .infinity)
    return beyond.exact == format.largestFinite ? .saturate : .special
  }

  /// Every value, in the order of the codes.
  static var everyValue: [Self] { format.codes.map { Self(rounding: format.decode($0)) } }
}

/// Whether two Doubles are the same datum: NaN is NaN, and zeros have signs.
func same(_ a: Double, _ b: Double) -> Bool {
  a.isNaN ? b.isNaN : a.bitPattern == b.bitPattern
}
