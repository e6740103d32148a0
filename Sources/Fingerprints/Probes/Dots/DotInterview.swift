import NumKit

/// What is known of a kernel of dot products while it is asked.
final class DotInterview {
  let room: DotRoom
  var traits: [Trait] = []
  var tree: SumTree?
  /// Two terms that meet before a third.
  var places: (first: Int, second: Int, last: Int)?
  var accumulator: TraitValue?

  init(_ box: any DotBox) { room = DotRoom(box: box) }

  /// Every probe of dot products, those that others need first: a line each.
  static let probes: [@Sendable (DotInterview) throws -> Void] = [
    DotOrderProbe.ask,
    DotAccumulatorProbe.ask,
    FusionProbe.ask,
    DotResultProbe.ask,
  ]
}
