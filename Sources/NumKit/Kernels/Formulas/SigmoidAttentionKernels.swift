import NumKitNumbers
import NumKitQuestions
import RealModule

extension SigmoidAttentionFormula: ComputedFormula {
  /// How weights are made of scores.
  public enum Method: Sendable, Hashable {
    /// 1/(1 + e^−z).
    case reciprocal
    /// e^z/(1 + e^z) where z is negative, else the same.
    case stable
    /// (1 + tanh(z/2))/2: what is near 0 is what is left of 1.
    case tanh
  }

  public static let algorithms: [FormulaAlgorithm<SigmoidAttentionFormula>] = [
    SigmoidAttentionKernel(method: .reciprocal).algorithm("reciprocal", "weights 1/(1 + e^-z)", .reciprocal),
    SigmoidAttentionKernel(method: .stable).algorithm(
      "stable", "weights e^z/(1 + e^z) where z is negative, else 1/(1 + e^-z)", .stable),
    SigmoidAttentionKernel(method: .tanh).algorithm("tanh", "weights (1 + tanh(z/2))/2", .tanh),
  ]

  /// 1/√d, where no scale is given; the bias likewise.
  package func numbers(dimensions d: Int) -> (scale: Double, bias: Double) {
    (scale ?? 1 / Double(d).squareRoot(), bias ?? -Double.log(Double(keys.count)))
  }
}

/// Scores and weights in the compute format, sums over dimensions and keys in the accumulator.
private struct SigmoidAttentionKernel: FormulaMaker {
  typealias F = SigmoidAttentionFormula
  let method: SigmoidAttentionFormula.Method

  func body<C: Scalar, A: Scalar>(
    _ formula: SigmoidAttentionFormula, _ configuration: KernelConfiguration, _: C.Type, _: A.Type
  ) -> FormulaBody {
    let keys = formula.keys.map { $0.map { C(rounding: $0) } }
    let values = formula.values.map { $0.map { C(rounding: $0) } }
    let width = values.first?.count ?? 0
    return { row, x, results, trace in
      let given = formula.numbers(dimensions: x.count)
      let (scale, bias) = (C(rounding: given.scale), C(rounding: given.bias))
      let query = x.map { C(rounding: $0) }
      var sums = [A](repeating: .zero, count: width)
      for j in 0..<formula.reach(row) {
        var score = A.zero
        for i in query.indices { score = score + A(converting: query[i] * keys[j][i]) }
        let z = C(converting: score) * scale + bias
        trace.observe(z, .scores)
        let weight = weigh(z)
        for c in 0..<width { sums[c] = sums[c] + A(converting: weight * values[j][c]) }
      }
      for c in 0..<width {
        let y = C(converting: sums[c])
        trace.observe(y, .output)
        results[c] = configuration.store(y.exact)
      }
    }
  }

  private func weigh<C: Scalar>(_ z: C) -> C {
    switch method {
    case .reciprocal: return C.one / (C.one + C.exp(-z))
    case .stable:
      let e = C.exp(z < C.zero ? z : -z)
      return (z < C.zero ? e : C.one) / (C.one + e)
    case .tanh:
      let half = C(rounding: 0.5)
      return half * (C.one + C.tanh(half * z))
    }
  }
}
