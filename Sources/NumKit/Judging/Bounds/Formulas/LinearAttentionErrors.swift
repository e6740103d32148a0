import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Numerator and denominator are sums of products of non-negative features and values: each term's relative error is that of its
/// features and of the roundings it passes through, whatever the order. With δ that of any term at worst, N errs by δ Σ wⱼ|vⱼ| and D by
/// δD, underflow aside.
private struct LinearAttentionErrors: FormulaErrors {
  let formula: LinearAttentionFormula
  let method: LinearAttentionFormula.Method
  let precisions: Precisions

  private func feature(_ x: Double) -> Computed {
    let c = precisions.compute
    let given = c.loaded(x)
    switch formula.map {
    case .relu: return Computed(exact: Swift.max(x, 0), error: given.error)
    case .exp: return c.exponential(of: given)
    case .elu:
      if x <= 0 { return c.exponential(of: given) }
      return c.rounded(Computed(exact: x + 1, error: given.error + 0x1p-52 * (x + 1)))
    }
  }

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let (c, a) = (precisions.compute, precisions.accumulator)
    guard c.exp < .infinity else { return false }
    let tokens = formula.tokens(row)
    let query = x.map(feature)
    let keys = formula.keys.prefix(tokens).map { $0.map(feature) }
    let width = formula.values[0].count
    let d = x.count
    // Additions that a term passes through: over tokens, then over dimensions or the other way round.
    let additions = tokens + d
    let steps = compounded(
      a.growth(additions + 1),
      compounded(c.growth(3), compounded(precisions.widening.relative, 2 * precisions.narrowing.relative)))
    // What each product and conversion may lose below the normal range, carried on by a query's features at most.
    let reach = query.reduce(1) { Swift.max($0, $1.upper) }
    let lost = (c.tiny + a.tiny + precisions.widening.absolute + precisions.narrowing.absolute)
    let count = Double((tokens + 1) * (d + 1))
    var (total, totalError, largest) = (0.0, 0.0, 0.0)
    var sizes = [Double](repeating: 0, count: width)
    var errors = sizes
    for j in keys.indices {
      var (weight, error) = (0.0, 0.0)
      for i in 0..<d {
        let product = query[i].product(keys[j][i])
        weight += product.exact
        error += product.error
        largest = Swift.max(largest, keys[j][i].upper)
      }
      total += weight
      totalError += error
      for k in 0..<width {
        let value = c.loaded(formula.values[j][k])
        let term = Computed(exact: weight, error: error).product(
          Computed(exact: value.exact.magnitude, error: value.error))
        sizes[k] += term.exact
        errors[k] += term.error
      }
    }
    let most = formula.values.prefix(tokens).reduce(1) { $1.reduce($0) { Swift.max($0, $1.magnitude) } }
    let floor = count * lost * reach * (1 + most)
    let all = total + totalError
    totalError += steps * all + floor
    // Nothing on the way is larger than all of it, its states than all keys and values.
    let state = Double(tokens + 1) * (1 + steps) * Swift.max(1, largest) * most
    let limit = Swift.max(all * (1 + steps) * most, state) + floor
    if a.overflows(limit) || c.overflows(limit) { return false }
    guard formula.isNormalized else {
      for k in 0..<width { bounds[k] = errors[k] + steps * (sizes[k] + errors[k]) + floor }
      return true
    }
    guard totalError < total else { return false }
    for k in 0..<width {
      let numerator = Computed(
        exact: exact[k].magnitude * total, error: errors[k] + steps * (sizes[k] + errors[k]) + floor)
      bounds[k] = c.rounded(numerator.quotient(by: Computed(exact: total, error: totalError))).error
    }
    return true
  }
}

extension LinearAttentionFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<LinearAttentionFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map {
      LinearAttentionErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}
