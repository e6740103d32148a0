import NumKit

/// What is known of a kernel of rows while it is asked: a probe may need what others found.
final class RowInterview {
  let room: RowRoom
  var traits: [Trait] = []
  /// Whether exponentials are relative to the maximum.
  var subtracts = false
  /// The most significant bits of results.
  var resultBits = 1
  /// What differences of logits are computed in.
  var compute: TraitValue?
  var sights: [SumSight] = []
  var tree: SumTree?

  init(_ box: any RowBox) { room = RowRoom(box: box) }

  /// Every probe of rows, those that others need first: a line each.
  static let probes: [@Sendable (RowInterview) throws -> Void] = [
    MaximumProbe.ask,
    ResultBitsProbe.ask,
    ArgumentProbe.ask,
    ExponentialProbe.ask,
    ShiftProbe.ask,
    RoundingProbe.ask,
    AccumulatorProbe.ask,
    OrderProbe.ask,
    RescaleProbe.ask,
    VarianceProbe.ask,
    SubnormalResultProbe.ask,
    SpecialProbe.ask,
  ]
}
