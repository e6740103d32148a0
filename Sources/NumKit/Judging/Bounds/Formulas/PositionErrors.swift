import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// How far sines and cosines of positions can be off: the error runs from exponent over power, frequency and angle, as derived in the
/// section on positions of Documentation/Bounds.md. Neither function is steeper than 1, so an angle's error is theirs.
struct PositionErrors {
  let frequencies: Frequencies
  let ids: NumberFormat?
  let reduction: PositionMethod.Reduction
  let precisions: Precisions
  private var thetas: [Computed] = []
  private(set) var amplitude = Computed(exact: 1, error: 0)

  var c: Precision { precisions.compute }

  init?(
    _ frequencies: Frequencies, ids: NumberFormat?, _ reduction: PositionMethod.Reduction,
    _ configuration: KernelConfiguration
  ) {
    guard let precisions = Precisions(configuration) else { return nil }
    (self.frequencies, self.ids, self.reduction, self.precisions) = (frequencies, ids, reduction, precisions)
  }

  /// A number of the question's in the compute format.
  private func loaded(_ x: Double) -> Computed {
    let y = c.format.round(x)
    return y.isFinite ? Computed(exact: x, error: (y - x).magnitude) : .unknown
  }

  /// A function's value, rounded: as good as correctly but in f64, where the platform's stay below two ulps.
  private func function(_ x: Computed) -> Computed {
    c.overflows(x.upper)
      ? .unknown : x.erring(by: (c.format.significandBits == 52 ? 4 : 1 + 0x1p-20) * c.rounding(x.upper))
  }

  private mutating func makeThetas(_ d: Int) {
    guard thetas.count != d / 2 else { return }
    var base = frequencies.base
    if case .ntk(let s) = frequencies.scaling { base *= Double.pow(s, Double(d) / Double(d - 2)) }
    let rounded = c.format.round(base)
    thetas = (0..<d / 2).map { i in
      guard rounded.isFinite, rounded > 1 else { return .unknown }
      let (numerator, count) = (c.format.round(Double(2 * i)), c.format.round(Double(d)))
      let exponent = c.format.round(numerator / count)
      guard exponent.isFinite else { return .unknown }
      let exact = Double(2 * i) / Double(d) * Double.log(base)
      let change = (exponent * Double.log(rounded) - exact).magnitude + 0x1p-48 * (exact + 1)
      let size = Double.exp(exact)
      let power = function(Computed(exact: size, error: size * Double.expMinusOne(change)))
      let theta = c.rounded(Computed(exact: 1, error: 0).quotient(by: power))
      return theta.error.isNaN ? .unknown : scaled(i, theta, power, d)
    }
    if case .yarn(let s, _) = frequencies.scaling {
      let exact = 0.1 * Double.log(s) + 1
      amplitude = loaded(exact).erring(by: 0x1p-50)
    }
  }

  private func scaled(_ i: Int, _ theta: Computed, _ power: Computed, _ d: Int) -> Computed {
    switch frequencies.scaling {
    case .none, .ntk: return theta
    case .linear(let s): return c.rounded(theta.quotient(by: loaded(s)))
    case .yarn(let s, _):
      let (done, of) = frequencies.rampShare(i, dimensions: d) ?? (0, 1)
      let ramp = c.rounded(loaded(Double(done)).quotient(by: loaded(Double(of))))
      let rest = c.sum(Computed(exact: 1 - ramp.exact, error: ramp.error), 1)
      let long = c.rounded(loaded(s).product(power))
      let slow = c.rounded(Computed(exact: 1, error: 0).quotient(by: long))
      return c.sum(c.rounded(slow.product(ramp)), c.rounded(theta.product(rest)))
    }
  }

  /// What sine and cosine of each pair at `position` may be off by, in the compute format; they are `amplitude` at most. nil where
  /// something may overflow.
  mutating func turns(at position: Int, dimensions d: Int) -> [Double]? {
    makeThetas(d)
    let m = Double(position)
    let computed = c.format.round(ids.map { $0.round(m) } ?? m)
    guard computed.isFinite else { return nil }
    let id = Computed(exact: m, error: (computed - m).magnitude)
    var errors: [Double] = []
    for theta in thetas {
      let angle = c.rounded(id.product(theta))
      var error = angle.error
      if reduction == .turns {
        // 1/2π rounded, and the product with it; in turns, of 2π each.
        error += compounded(c.u, c.u) * angle.upper + 7 * c.tiny + 0x1p-48
      }
      var value = function(Computed(exact: 1, error: Swift.min(error, 2)))
      if error.isNaN { return nil }
      if amplitude.exact != 1 { value = c.rounded(value.product(amplitude)) }
      if value.error.isNaN { return nil }
      errors.append(value.error)
    }
    return errors
  }
}

/// A row turned.
private struct RotaryErrors: FormulaErrors {
  var positions: PositionErrors
  let formula: RotaryFormula
  let isTable: Bool

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    guard let errors = positions.turns(at: formula.positions[row], dimensions: x.count) else { return false }
    let precisions = positions.precisions
    let r = isTable ? precisions.storage : precisions.compute
    let storing = Conversion(to: r, from: precisions.compute)
    for i in errors.indices {
      let size = positions.amplitude.exact
      let turn = storing(Computed(exact: size, error: errors[i]))
      let (first, second) = formula.pairing.places(i, dimensions: x.count)
      let a = r.rounded(r.loaded(x[first].magnitude).product(turn))
      let b = r.rounded(r.loaded(x[second].magnitude).product(turn))
      let error = r.sum(a, b).error
      bounds[first] = error
      bounds[second] = error
    }
    return true
  }
}

/// Sines and cosines themselves.
private struct SinusoidalErrors: FormulaErrors {
  var positions: PositionErrors
  let formula: SinusoidalFormula

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    guard let errors = positions.turns(at: formula.positions[row], dimensions: x.count) else { return false }
    for i in errors.indices {
      bounds[2 * i] = errors[i]
      bounds[2 * i + 1] = errors[i]
    }
    return true
  }
}

/// A slope, its products, and the product with the distance.
private struct AlibiErrors: FormulaErrors {
  let formula: AlibiFormula
  let method: AlibiMethod
  let precisions: Precisions
  private var slopes: [Computed] = []

  init(_ formula: AlibiFormula, _ method: AlibiMethod, _ precisions: Precisions) {
    (self.formula, self.method, self.precisions) = (formula, method, precisions)
  }

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard c.exp < .infinity else { return false }
    if slopes.count != x.count { makeSlopes(x.count) }
    let m = Double(formula.distances[row])
    let computed = c.format.round(formula.ids.map { $0.round(m) } ?? m)
    guard computed.isFinite else { return false }
    let id = Computed(exact: m, error: (computed - m).magnitude)
    for h in slopes.indices { bounds[h] = c.rounded(id.product(slopes[h])).error }
    return true
  }

  private mutating func makeSlopes(_ n: Int) {
    let c = precisions.compute
    func power(_ h: Int) -> Computed {
      let (a, b) = formula.exponent(head: h, of: n)
      let exponent = Double(a) / Double(b)
      let change =
        ((c.format.round(-exponent) + exponent).magnitude + 0x1p-52 * exponent) * 0.6931471805599454
      let exact = Double.exp2(-exponent)
      let error = exact * (Double.expMinusOne(change) * (1 + c.exp) + c.exp) + c.tiny
      return Computed(exact: exact, error: error + 0x1p-50 * exact)
    }
    slopes = []
    for h in 0..<n {
      let isPower = method == .powers || formula.startsAnew(head: h, of: n)
      slopes.append(isPower ? power(h) : c.rounded(slopes[h - 1].product(slopes[0])))
    }
  }
}

extension RotaryFormula: BoundedFormula {
  package func errors(_ algorithm: FormulaAlgorithm<RotaryFormula>, _ configuration: KernelConfiguration) -> (
    any FormulaErrors
  )? {
    PositionErrors(frequencies, ids: ids, algorithm.method.reduction, configuration).map {
      RotaryErrors(positions: $0, formula: self, isTable: algorithm.method.isTable)
    }
  }
}

extension SinusoidalFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<SinusoidalFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    PositionErrors(frequencies, ids: ids, algorithm.method.reduction, configuration).map {
      SinusoidalErrors(positions: $0, formula: self)
    }
  }
}

extension AlibiFormula: BoundedFormula {
  package func errors(_ algorithm: FormulaAlgorithm<AlibiFormula>, _ configuration: KernelConfiguration) -> (
    any FormulaErrors
  )? {
    Precisions(configuration).map { AlibiErrors(self, algorithm.method, $0) }
  }
}
