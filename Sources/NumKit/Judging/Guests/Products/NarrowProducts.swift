import NumKitNumbers
import NumKitQuestions

extension NarrowInputs: MatmulHypotheses {
  static func alternatives(_ context: MatmulContext) -> [Alternative<MatmulQuestion>] {
    let (a, b) = (context.a, context.b)
    return cuts(of: context.verification.storage).compactMap { name, cut in
      context.product(
        name, MatmulInputs(rows: a.values.map(cut), columns: b.values.map(cut), inner: a.inner))
    }
  }
}
