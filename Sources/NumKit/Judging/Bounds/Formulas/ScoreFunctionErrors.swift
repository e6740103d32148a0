import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// A sum of products errs by what its terms do, by their roundings and by (1 + u)^n − 1 of the magnitudes added; tanh is nowhere steeper
/// than 1; a weight is as far off as e^(twice the worst score's error) says, and its own roundings.
private struct ScoreFunctionErrors: FormulaErrors {
  let formula: ScoreFormula
  let method: ScoreFormula.Method
  let precisions: Precisions

  /// Σ aᵢbᵢ in the accumulator, then in the compute format; `exact` values of the terms count, not of the sum.
  private func dot(_ a: [Computed], _ b: [Computed]) -> Computed {
    let (c, sum) = (precisions.compute, precisions.accumulator)
    var (exact, size, error) = (0.0, 0.0, 0.0)
    for i in a.indices {
      let term: Computed
      if method == .products {
        term = precisions.widening(c.rounded(a[i].product(b[i])))
      } else {
        term = precisions.widening(a[i]).product(precisions.widening(b[i]))
      }
      exact += term.exact
      size += term.upper
      error += term.error
    }
    let n = a.count
    // Fused products round where sums do, below the normal range too.
    error += sum.growth(n) * size + 0x1p-52 * Double(n) * size + (method == .fused ? Double(n) * sum.tiny : 0)
    return sum.overflows(size + error) ? .unknown : precisions.narrowing(Computed(exact: exact, error: error))
  }

  private func loaded(_ x: [Double]) -> [Computed] { x.map { precisions.compute.loaded($0) } }

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard c.tanh < .infinity, c.exp < .infinity else { return false }
    let s = loaded(x)
    var scores: [Computed]
    switch formula.function {
    case .dot: scores = formula.keys.map { dot(s, loaded($0)) }
    case .general:
      let turned = (0..<formula.keys[0].count).map { k in dot(s, loaded(formula.queryWeights.map { $0[k] })) }
      scores = formula.keys.map { dot(turned, loaded($0)) }
    case .additive:
      let own = formula.queryWeights.map { dot(s, loaded($0)) }
      let v = loaded(formula.combination)
      scores = formula.keys.map { key in
        let hidden = formula.keyWeights.indices.map { m in
          let a = c.sum(own[m], dot(loaded(key), loaded(formula.keyWeights[m])))
          let exact = Double.tanh(a.exact)
          return Computed(
            exact: exact, error: a.error + Swift.max(c.tanh * (exact.magnitude + a.error), c.tiny) + 0x1p-52)
        }
        return dot(v, hidden)
      }
    }
    guard formula.isNormalized else {
      for j in scores.indices { bounds[j] = scores[j].error }
      return true
    }
    return weigh(scores, exact, bounds)
  }

  private func weigh(
    _ scores: [Computed], _ exact: UnsafeBufferPointer<Double>, _ bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let (c, a) = (precisions.compute, precisions.accumulator)
    let n = scores.count
    let worst = scores.reduce(0) { Swift.max($0, $1.error) }
    let reach = scores.reduce(0) { Swift.max($0, $1.upper) }
    if !(worst < .infinity) || c.overflows(2 * reach) || a.overflows(2 * Double(n)) { return false }
    // A difference of two scores, rounded; the exponential; conversions; the sum, of which the largest is 1; the quotient.
    let each = Double.expMinusOne(2 * worst + 2 * c.u * reach)
    let term = compounded(compounded(each, c.exp), precisions.widening.relative)
    let lost = c.tiny + precisions.widening.absolute
    let sum = compounded(compounded(term, a.growth(n)), precisions.narrowing.relative) + Double(n) * lost * 2
    guard sum < 1 else { return false }
    for j in bounds.indices {
      let relative = compounded(compounded(compounded(each, c.exp), sum / (1 - sum)), c.u)
      bounds[j] = Swift.min(1 + 4 * c.u, exact[j] * relative + 2 * lost + c.tiny)
      if precisions.narrowing.overflows(2 * Double(n)) { return false }
    }
    return true
  }
}

extension ScoreFormula: BoundedFormula {
  package func errors(_ algorithm: FormulaAlgorithm<ScoreFormula>, _ configuration: KernelConfiguration) -> (
    any FormulaErrors
  )? {
    Precisions(configuration).map {
      ScoreFunctionErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}
