import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

extension ExponentialAccuracy {
  /// The relative error of e^t for |t| up to `reach` in a format, underflow aside: of the exponent, multiplied by a rounded constant, the
  /// product rounded, perhaps a constant taken away and the fraction rounded; of the formula; of evaluating it.
  func relative(_ precision: Precision, reach: Double) -> Double {
    let u = precision.u
    let argument = Double.expMinusOne(reach * (3 * u + constant) + 2 * u)
    return compounded(compounded(error, roundings * u), compounded(argument, usesLibrary ? precision.exp : u))
  }
}

extension Precision {
  /// With exponentials made in another way, after the maximum has been subtracted: beyond e^−reach nothing is left of any, to within the
  /// smallest number.
  func making(exponentialsBy accuracy: ExponentialAccuracy) -> Precision {
    var copy = self
    copy.exp = accuracy.relative(self, reach: 2 - Double.log(format.smallestPositive))
    copy.tiny = format.smallestPositive
    return copy
  }
}

/// e^x or 2^x: relative to the result, and what underflow takes.
private struct ExponentialErrors: FormulaErrors {
  let formula: ExponentialFormula
  let method: ExponentialFormula.Method
  let precisions: Precisions

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    let c = precisions.compute
    guard c.exp < .infinity else { return false }
    for i in x.indices {
      // In units of e's exponent; the compute format may not hold the input.
      let unit = formula.isBase2 ? 0.6931471805599454 : 1
      let given = c.loaded(x[i])
      if given.error.isNaN { return false }
      let loaded = Computed(exact: unit * x[i].magnitude, error: unit * given.error)
      let relative: Double
      switch method {
      case .library: relative = c.exp
      case .base2:
        relative =
          formula.isBase2
          ? c.exp
          : compounded(Double.expMinusOne(loaded.upper * (2 * c.u + c.u * c.u) + c.tiny), c.exp)
      case .approximate(let accuracy): relative = accuracy.relative(c, reach: loaded.upper)
      }
      let error =
        exact[i] * compounded(Double.expMinusOne(loaded.error), relative) + 2 * c.format.smallestPositive
      bounds[i] = c.overflows(exact[i] + error) && !precisions.storesAsComputed ? .nan : error
    }
    return true
  }
}

extension ExponentialFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<ExponentialFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    Precisions(configuration).map {
      ExponentialErrors(formula: self, method: algorithm.method, precisions: $0)
    }
  }
}
