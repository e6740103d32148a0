import NumKitNumbers
import NumKitQuestions

/// What kernels of attention's backward pass get wrong: the forward pass's mistakes, made in both, and the backward pass's own.
enum BackwardHypotheses {
  /// All that may be wrong where this was asked.
  static func suspects(_ verification: BackwardVerification, _ results: any ResultSource<AttentionBackward>)
    -> Suspects<AttentionBackward>
  {
    var suspects = Suspects<AttentionBackward>()
    let (format, parameters) = (verification.format, verification.parameters)
    suspects.signs = {
      [NarrowResultSign<AttentionBackward>(format), GradientSign(parameters, format)]
    }
    let context = AttentionContext(verification.tensors, parameters, format)
    suspects.alternatives =
      AttentionHypothesisRegistry.families.map { family in
        { @Sendable in
          family.alternatives(context).compactMap { $0.flatMap { verification.alternative($0) } }
        }
      } + [{ [modulo(verification, results)].compactMap { $0 } }]
    return suspects
  }

  /// Key head h mod Hkv for ⌊h·Hkv/H⌋: the same as the query heads in another order.
  private static func modulo(
    _ verification: BackwardVerification, _ results: any ResultSource<AttentionBackward>
  ) -> Alternative<AttentionBackward>? {
    let t = verification.tensors
    let s = t.shape
    guard s.keyHeads > 1, s.group > 1 else { return nil }
    // Who stands where by our rule: of each key head those that are its own modulo.
    let order = (0..<s.heads).map { $0 / s.group + $0 % s.group * s.keyHeads }
    func moved(_ x: [Double], _ size: Int) -> [Double] {
      let each = s.queries * size
      return order.flatMap { x[$0 * each..<($0 + 1) * each] }
    }
    guard
      let tensors = AttentionInputs(q: moved(t.q, s.headSize), k: t.k, v: t.v, shape: s)
    else { return nil }
    var other = verification
    other.tensors = tensors
    other.gradient = moved(verification.gradient, s.valueSize)
    // A mask of each head would move with it.
    guard verification.parameters.mask.additive.count <= s.queries * s.keys,
      let plans = try? other.plans(tensors, verification.parameters)
    else { return nil }
    let gradient = other.gradient
    return Alternative(
      "kv head h mod Hkv", plans: plans,
      change: { ($0.tensors, $0.gradient) = (tensors, gradient) },
      results: OtherHeads(source: results, order: order),
      prover: other.prover(tensors, verification.parameters))
  }
}

/// Results whose dQ is of heads in another order.
private struct OtherHeads: ResultSource {
  typealias Q = AttentionBackward
  let source: any ResultSource<AttentionBackward>
  /// Whose dQ stands at a head.
  let order: [Int]

  func results(
    of item: AttentionBackward.Item, into results: UnsafeMutableBufferPointer<Double>
  ) throws {
    try source.results(of: item, into: results)
    let s = item.tensors.shape
    let each = s.queries * s.headSize
    let other = UnsafeMutableBufferPointer<Double>.allocate(capacity: results.count)
    defer { other.deallocate() }
    for place in 0..<s.group {
      let head = order[item.keyHead * s.group + place]
      var of = item
      of.keyHead = head / s.group
      try source.results(of: of, into: other)
      for i in 0..<each { results[place * each + i] = other[head % s.group * each + i] }
    }
  }
}
