import RealModule

/// Sigmoid: each result is of its own element.
extension ErrorBounds {
  func sigmoidError(_ z: Double, _ truth: Double) -> Double {
    // A NaN stays one, and is its own element's alone.
    if z.isNaN { return precisions.compute.format.hasNaN ? 0 : .nan }
    // Of an infinity every algorithm makes exactly 0 or 1.
    if z.isInfinite { return precisions.computeIsUnbounded ? 0 : .nan }
    let e = finiteError(z)
    if !inputError.overflows(z) { return e }
    return precisions.computeIsUnbounded && !e.isNaN ? Swift.max(e, Double.exp(-z.magnitude)) : .nan
  }

  private func finiteError(_ z: Double) -> Double {
    let c = precisions.compute
    let input = inputError.error(z)
    switch arithmetic.ending {
    case .hyperbolicTangent:
      // tanh(z/2)′ ≤ ½ per unit of z; halving is exact but for underflow.
      let t = Double.tanh(z / 2)
      let argument = 0.5 * input + halving(z.magnitude / 2, 0.5 * input)
      let tanh = argument + Swift.max(c.tanh * (t.magnitude + argument), c.tiny)
      let sum = c.roundedSum(Computed(exact: 1 + t, error: tanh))
      return 0.5 * sum.error + halving(0.5 * sum.exact, 0.5 * sum.error)
    default:
      let e = Double.exp(arithmetic.ending == .reciprocal ? -z : -z.magnitude)
      let r = Double.expMinusOne(input) * (1 + c.exp) + c.exp
      let exponential = Computed(exact: e, error: e * r + c.tiny)
      if e == .infinity || c.overflows(exponential.upper) { return .nan }
      let sum = c.roundedSum(Computed(exact: 1 + e, error: exponential.error))
      let numerator =
        arithmetic.ending == .reciprocalOfSmaller && z < 0 ? exponential : Computed(exact: 1, error: 0)
      let quotient = numerator.quotient(by: sum)
      return quotient.error + c.rounding(quotient.upper)
    }
  }

  /// What halving loses of a result x ± e: nothing above the subnormal numbers.
  private func halving(_ x: Double, _ e: Double) -> Double {
    let c = precisions.compute
    return x - e < c.format.smallestNormal ? Swift.min(c.tiny, x + e) : e.isNaN ? .nan : 0
  }
}
