import NumKitNumbers
import NumKitQuestions

extension NarrowInputs: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let t = context.tensors
    return cuts(of: context.format).map { name, cut in
      context.alternative(
        name,
        tensors: AttentionInputs(q: t.q.map(cut), k: t.k.map(cut), v: t.v.map(cut), shape: context.shape))
    }
  }
}
