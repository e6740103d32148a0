import NumKitNumbers
import NumKitQuestions

extension ScoreFormula: ComputedFormula {
  /// How sums of products are taken.
  public enum Method: Sendable, Hashable {
    /// Products rounded to the compute format, added in the accumulator.
    case products
    /// Each product added in one rounding, in the accumulator.
    case fused
  }

  public static let algorithms: [FormulaAlgorithm<ScoreFormula>] = [
    ScoreKernel(method: .products).algorithm(
      "products", "products in the compute format, added in the accumulator", .products),
    ScoreKernel(method: .fused).algorithm("fused", "each product added in one rounding", .fused),
  ]
}

private struct ScoreKernel: FormulaMaker {
  typealias F = ScoreFormula
  let method: ScoreFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: ScoreFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    func made(_ m: [[Double]]) -> [[C]] { m.map { $0.map { C(rounding: $0) } } }
    let keys = made(formula.keys)
    let (w, u) = (made(formula.queryWeights), made(formula.keyWeights))
    let v = formula.combination.map { C(rounding: $0) }
    // Σ a·b, from `start` on.
    func dot(_ a: [C], _ b: [C]) -> A {
      var s = A.zero
      for i in a.indices {
        s =
          method == .products
          ? s + A(converting: a[i] * b[i])
          : A.fusedMultiplyAdd(A(converting: a[i]), A(converting: b[i]), s)
      }
      return s
    }
    let columns =
      formula.function == .general
      ? (0..<(keys.first?.count ?? 0)).map { c in w.map { $0[c] } } : []
    return { _, x, results, trace in
      let s = x.map { C(rounding: $0) }
      var scores: [C]
      switch formula.function {
      case .dot: scores = keys.map { C(converting: dot(s, $0)) }
      case .general:
        let turned = columns.map { C(converting: dot(s, $0)) }
        scores = keys.map { C(converting: dot(turned, $0)) }
      case .additive:
        let own = w.map { C(converting: dot(s, $0)) }
        scores = keys.map { key in
          let hidden = u.indices.map { C.tanh(own[$0] + C(converting: dot(key, u[$0]))) }
          return C(converting: dot(v, hidden))
        }
      }
      for score in scores { trace.observe(score, .scores) }
      if formula.isNormalized {
        let m = scores.reduce(C.lowest) { C.larger($0, $1) }
        var sum = A.zero
        for j in scores.indices {
          scores[j] = C.exp(scores[j] - m)
          sum = sum + A(converting: scores[j])
        }
        for j in scores.indices { scores[j] = scores[j] / C(converting: sum) }
      }
      for j in results.indices { results[j] = configuration.store(scores[j].exact) }
    }
  }
}
