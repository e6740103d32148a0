import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// Functions of numbers that err, rounded.
extension Precision {
  /// e^x of x of either sign.
  func exponential(of x: Computed) -> Computed {
    let exact = Double.exp(x.exact)
    let error = exact * (Double.expMinusOne(x.error) * (1 + exp) + exp) + tiny
    return error.isNaN || overflows(exact + error) ? .unknown : Computed(exact: exact, error: error)
  }

  /// log x, x > 0; unknown where x may be 0.
  func logarithm(of x: Computed) -> Computed {
    guard x.error < x.exact else { return .unknown }
    let change = -Double.log(onePlus: -x.error / x.exact)
    let exact = Double.log(x.exact)
    return Computed(exact: exact, error: change + Swift.max(log * (exact.magnitude + change), tiny))
  }

  /// log(1 + x), x > −1.
  func logarithmOfOnePlus(_ x: Computed) -> Computed {
    guard x.error < 1 + x.exact else { return .unknown }
    let exact = Double.log(onePlus: x.exact)
    let change = x.error / (1 + x.exact - x.error)
    return Computed(exact: exact, error: change + Swift.max(log1p * (exact.magnitude + change), tiny))
  }

  /// A number of the question's, on its way into this format.
  func loaded(_ x: Double) -> Computed {
    let y = format.round(x)
    return y.isFinite ? Computed(exact: x, error: (y - x).magnitude) : .unknown
  }
}

/// What losses share: functions must be of use.
private func areUsable(_ c: Precision, _ a: Precision) -> Bool {
  [c.exp, c.log, c.log1p, a.log].allSatisfy { $0 < .infinity }
}

private struct BinaryCrossEntropyErrors: FormulaErrors {
  let formula: BinaryCrossEntropyFormula
  let method: BinaryCrossEntropyFormula.Method
  let precisions: Precisions

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard areUsable(c, c) else { return false }
    for i in x.indices {
      let y = c.loaded(formula.target(row, i, length: x.count))
      if method == .stable {
        bounds[i] = stable(formula.isOnProbabilities ? logit(x[i]) : c.loaded(x[i]), y)
      } else {
        bounds[i] = logarithms(x[i], y)
      }
    }
    return true
  }

  private func logit(_ p: Double) -> Computed {
    let c = precisions.compute
    let given = c.loaded(p)
    return c.sum(
      c.logarithm(of: given),
      c.logarithmOfOnePlus(Computed(exact: -p, error: given.error)).negated)
  }

  private func stable(_ x: Computed, _ y: Computed) -> Double {
    let c = precisions.compute
    let largest = Computed(exact: Swift.max(x.exact, 0), error: x.error)
    let product = c.rounded(x.product(y))
    let l = c.logarithmOfOnePlus(
      c.exponential(of: Computed(exact: -x.exact.magnitude, error: x.error)))
    return c.sum(c.sum(largest, product.negated), l).error
  }

  private func logarithms(_ x: Double, _ y: Computed) -> Double {
    let c = precisions.compute
    let given = c.loaded(x)
    let (p, rest): (Computed, Double)
    if formula.isOnProbabilities {
      (p, rest) = (given, 1 - x)
    } else {
      let e = c.exponential(of: given.negated)
      let sum = c.sum(Computed(exact: 1, error: 0), e)
      p = c.rounded(Computed(exact: 1, error: 0).quotient(by: sum))
      rest = 1 / (1 + Double.exp(x))
    }
    var yes = c.logarithm(of: p)
    // 1 − p, exact as the format has p, and its rounding.
    let other = c.sum(Computed(exact: rest, error: p.error + 0x1p-52 * rest), Swift.min(1, p.upper))
    var no =
      method == .logarithmOfOnePlus
      ? c.logarithmOfOnePlus(Computed(exact: -p.exact, error: p.error)) : c.logarithm(of: other)
    if method == .clamped {
      yes = clamped(yes, Double.log(p.exact))
      no = clamped(no, Double.log(rest))
    }
    let opposite = c.sum(Computed(exact: 1 - y.exact, error: y.error), Swift.min(1, y.upper))
    let (a, b) = (c.rounded(y.product(yes)), c.rounded(opposite.product(no)))
    return c.sum(a, b).error
  }

  /// No less than −100: nothing is derived where a logarithm is near it or below, or may be.
  private func clamped(_ x: Computed, _ exact: Double) -> Computed {
    exact - x.error > -99 ? x : .unknown
  }
}

extension Computed {
  /// −x.
  var negated: Computed { Computed(exact: -exact, error: error) }
}

private struct SigmoidGradientErrors: FormulaErrors {
  let method: SigmoidGradientFormula.Method
  let precisions: Precisions

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard areUsable(c, c) else { return false }
    for i in x.indices {
      let given = c.loaded(x[i])
      let e = c.exponential(of: Computed(exact: -x[i].magnitude, error: given.error))
      let one = Computed(exact: 1, error: 0)
      let sum = c.sum(one, e)
      let (large, small) = (c.rounded(one.quotient(by: sum)), c.rounded(e.quotient(by: sum)))
      switch method {
      case .difference:
        let (s, rest) = x[i] < 0 ? (small, large.exact) : (large, small.exact)
        let other = c.sum(Computed(exact: rest, error: s.error), Swift.min(1, s.upper))
        bounds[i] = c.rounded(s.product(other)).error
      case .product: bounds[i] = c.rounded(large.product(small)).error
      case .quotient: bounds[i] = c.rounded(e.quotient(by: c.rounded(sum.product(sum)))).error
      }
    }
    return true
  }
}

/// m and log Σ e^(xⱼ − m), added one after the other in the accumulator.
private func logSum(_ x: [Double], shift: Double, _ p: Precisions) -> Computed {
  let (c, a) = (p.compute, p.accumulator)
  let additions = SumErrors(u: a.u)
  let m = shift == 0 ? Computed(exact: 0, error: 0) : c.loaded(shift)
  var sum = Computed(exact: 0, error: 0)
  for v in x {
    let given = c.loaded(v)
    // What is loaded is subtracted exactly as it is.
    let d = c.sum(
      Computed(exact: v - shift, error: given.error + m.error), Swift.min(given.upper, m.upper))
    sum = additions.adding(sum, p.widening(c.exponential(of: d)))
    if sum.error.isNaN || a.overflows(sum.upper) { return .unknown }
  }
  return p.narrowing(a.logarithm(of: sum))
}

private struct SmoothedCrossEntropyErrors: FormulaErrors {
  let formula: SmoothedCrossEntropyFormula
  let method: SmoothedCrossEntropyFormula.Method
  let precisions: Precisions

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let (c, a) = (precisions.compute, precisions.accumulator)
    guard let t = formula.target(row) else {
      bounds[0] = 0
      return true
    }
    guard areUsable(c, a), let largest = x.max() else { return false }
    let m = c.loaded(largest)
    let log = logSum(x, shift: largest, precisions)
    let smoothing = c.loaded(formula.smoothing)
    let count = a.loaded(Double(x.count))
    /// (xⱼ − m) − log s.
    func share(_ v: Double) -> Computed {
      let given = c.loaded(v)
      let d = c.sum(Computed(exact: v - largest, error: given.error + m.error), given.upper)
      return c.sum(d, log.negated)
    }
    switch method {
    case .logarithms:
      let additions = SumErrors(u: a.u)
      var total = Computed(exact: 0, error: 0)
      for v in x {
        let s = share(v)
        total = additions.adding(
          total, precisions.widening(Computed(exact: s.exact.magnitude, error: s.error)))
      }
      let mean = precisions.narrowing(a.rounded(total.quotient(by: count)))
      let rest = c.sum(Computed(exact: 1 - smoothing.exact, error: smoothing.error), smoothing.upper)
      bounds[0] =
        c.sum(c.rounded(rest.product(share(x[t]))), c.rounded(smoothing.product(mean)).negated).error
      if a.overflows(total.upper) { return false }
    case .differences:
      let size = x.reduce(0) { $0 + $1.magnitude * (1 + a.u) }
      let loading = x.reduce(0) { $0 + a.loaded($1).error }
      let total = Computed(
        exact: x.reduce(0, +), error: loading + (a.growth(x.count) + 0x1p-52 * Double(x.count)) * size)
      if a.overflows(size + total.error) { return false }
      let sign = total.exact < 0 ? -1.0 : 1
      let quotient = Computed(exact: total.exact.magnitude, error: total.error).quotient(by: count)
      var mean = precisions.narrowing(a.rounded(quotient))
      mean.exact *= sign
      let own = c.loaded(x[t])
      let first = c.sum(
        c.sum(Computed(exact: largest - x[t], error: m.error + own.error), Swift.min(m.upper, own.upper)), log
      )
      let second = c.rounded(smoothing.product(c.sum(own, mean.negated)))
      bounds[0] = c.sum(first, second).error
    }
    return true
  }
}

private struct ZLossErrors: FormulaErrors {
  let formula: ZLossFormula
  let method: ZLossFormula.Method
  let precisions: Precisions

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let (c, a) = (precisions.compute, precisions.accumulator)
    guard areUsable(c, a), let largest = x.max() else { return false }
    let shift = method == .naive ? 0 : largest
    let log = logSum(x, shift: shift, precisions)
    let lse = c.sum(method == .naive ? Computed(exact: 0, error: 0) : c.loaded(shift), log)
    bounds[0] = c.rounded(c.loaded(formula.weight).product(c.rounded(lse.product(lse)))).error
    return true
  }
}

extension BinaryCrossEntropyFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<BinaryCrossEntropyFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map {
      BinaryCrossEntropyErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}

extension SigmoidGradientFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<SigmoidGradientFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map { SigmoidGradientErrors(method: algorithm.method, precisions: $0) }
  }
}

extension SmoothedCrossEntropyFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<SmoothedCrossEntropyFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map {
      SmoothedCrossEntropyErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}

extension ZLossFormula: BoundedFormula {
  package func errors(_ algorithm: FormulaAlgorithm<ZLossFormula>, _ configuration: KernelConfiguration) -> (
    any FormulaErrors
  )? {
    Precisions(configuration).map { ZLossErrors(formula: self, method: algorithm.method, precisions: $0) }
  }
}
