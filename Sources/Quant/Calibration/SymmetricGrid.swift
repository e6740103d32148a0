/// A symmetric integer grid that calibrations choose codes on: `intN[@granularity]`, without dialects.
struct SymmetricGrid: Sendable {
  let bits: Int
  let granularity: Granularity
  let top: Float

  /// Nil for any other scheme.
  init?(_ scheme: any Scheme) {
    guard let integers = scheme as? AffineInteger, integers.signed, integers.rule == .largestCode,
      integers.ties == .even, integers.scales == .single
    else { return nil }
    bits = integers.bits
    granularity = integers.granularity
    top = Float((1 << (integers.bits - 1)) - 1)
  }

  /// The scale of a group, as the scheme has it.
  func scale(_ magnitude: Float) -> Float { usableScale(magnitude / top) }
}
