import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// A score errs by its products' roundings and by (1 + u)^d − 1 of their magnitudes; a weight by what that makes of it (σ(z + δ) is at
/// most e^δ σ(z), and nowhere steeper than ¼) and by its own roundings; the sum over keys as scores' sums do.
private struct SigmoidAttentionErrors: FormulaErrors {
  let formula: SigmoidAttentionFormula
  let method: SigmoidAttentionFormula.Method
  let precisions: Precisions

  /// Σ of products of numbers of the compute format, each rounded, in the accumulator, and back.
  private func sum(_ count: Int, _ a: (Int) -> Computed, _ b: (Int) -> Computed) -> Computed {
    let (c, sum) = (precisions.compute, precisions.accumulator)
    var (exact, size, error) = (0.0, 0.0, 0.0)
    for i in 0..<count {
      let term = precisions.widening(c.rounded(a(i).product(b(i))))
      exact += term.exact
      size += term.upper
      error += term.error
    }
    error += (sum.growth(count) + 0x1p-52 * Double(count)) * size
    return sum.overflows(size + error) ? .unknown : precisions.narrowing(Computed(exact: exact, error: error))
  }

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard c.tanh < .infinity, c.exp < .infinity else { return false }
    let given = formula.numbers(dimensions: x.count)
    // Neither is exact in Double where nothing is given.
    let scale = c.loaded(given.scale).erring(by: 0x1p-52 * given.scale)
    let bias = c.loaded(given.bias).erring(by: 0x1p-51 * given.bias.magnitude)
    let query = x.map(c.loaded)
    let weights = (0..<formula.reach(row)).map { j in
      let key = formula.keys[j]
      let score = sum(x.count, { query[$0] }, { c.loaded(key[$0]) })
      return weight(
        c.sum(c.rounded(score.product(scale)), bias).erring(by: 0x1p-50 * score.upper * scale.upper))
    }
    for k in bounds.indices {
      bounds[k] = sum(weights.count, { weights[$0] }, { c.loaded(formula.values[$0][k]) }).error
      if bounds[k].isNaN { return false }
    }
    return true
  }

  private func weight(_ z: Computed) -> Computed {
    let c = precisions.compute
    if z.error.isNaN { return .unknown }
    // Below 0 by another form, which underflows no sooner than it must.
    let above = Double.exp(-z.exact.magnitude)
    let value = z.exact < 0 ? above / (1 + above) : 1 / (1 + above)
    let one = Computed(exact: 1, error: 0)
    func known(_ x: Computed) -> Computed { Computed(exact: value, error: x.error + 0x1p-50 * value) }
    switch method {
    case .tanh:
      let t = Double.tanh(z.exact / 2)
      let error = z.error / 2 + c.tiny
      let tanh = Computed(
        exact: t, error: error + Swift.max(c.tanh * (t.magnitude + error), c.tiny) + 0x1p-51)
      return known(c.rounded(Computed(exact: value, error: c.sum(one, tanh).error / 2)))
    case .reciprocal:
      let e = c.exponential(of: Computed(exact: -z.exact, error: z.error))
      // Where e^−z may overflow the weight is 0, or no larger than this.
      guard e.error.isNaN else { return known(c.rounded(one.quotient(by: c.sum(one, e)))) }
      guard precisions.computeIsUnbounded else { return .unknown }
      let most = Swift.max(value, value * Double.exp(z.error) * (1 + 8 * c.u + 4 * c.exp)) + 2 * c.tiny
      return Computed(exact: value, error: Swift.min(most, 1))
    case .stable:
      let e = c.exponential(of: Computed(exact: -z.exact.magnitude, error: z.error))
      let sum = c.sum(one, e)
      let (large, small) = (c.rounded(one.quotient(by: sum)), c.rounded(e.quotient(by: sum)))
      // Of z near 0 the sign may be another.
      let error = z.exact.magnitude <= z.error ? large.error + small.error + z.error : 0
      return known(z.exact < 0 ? small.erring(by: error) : large.erring(by: error))
    }
  }
}

extension SigmoidAttentionFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<SigmoidAttentionFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map {
      SigmoidAttentionErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}
