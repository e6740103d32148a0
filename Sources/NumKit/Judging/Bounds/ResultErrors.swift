import CJudging
import NumKitKernels
import RealModule

typealias Exact = UnsafeBufferPointer<Double>
typealias Bounds = UnsafeMutableBufferPointer<Double>

/// From the errors of exponentials and sum to those of each operation's results.
extension RowErrors {
  private var precisions: Precisions { bounds.precisions }

  func softmax(_ truth: Exact, _ bounds: Bounds) {
    if self.bounds.arithmetic.ending == .exponentialOfDifference { return divisionFree(bounds) }
    for i in z.indices { bounds[i] = probabilityError(i) }
  }

  /// e^(zᵢ − LSE): the error of the LSE and of the difference are exponents. Nothing overflows upwards: the computed LSE is
  /// not below the computed maximum.
  private func divisionFree(_ bounds: Bounds) {
    let l = shiftedLogSumExpError(isLast: false)
    let exponents = exponents
    func exponentError(_ i: Int) -> Double {
      let before = l + exponents.own(z[i])
      return before + c.u * ((z[i] - lse).magnitude + before)
    }
    for i in z.indices { bounds[i] = z[i].isFinite ? exponentError(i) : 0 }
    nc_expm1_above(bounds.baseAddress, bounds.count)
    for i in z.indices where z[i].isFinite {
      let relative = bounds[i] * (1 + c.exp) + c.exp
      bounds[i] =
        (relative == .infinity ? sizeOfExponential(z[i] - lse, off: exponentError(i)) : p[i] * relative)
        + c.tiny
      if bounds[i] > share(i) { bounds[i] = share(i) }
      if c.overflows(lse - z[i] + l + exponents.own(z[i])) || mayOverflowBelow && exponents.overflows(z[i]) {
        bounds[i] = precisions.computeIsUnbounded && !l.isNaN ? Swift.max(bounds[i], p[i]) : .nan
      }
    }
  }

  /// m + log s, in which the error of m cancels.
  private func shiftedLogSumExpError(isLast: Bool) -> Double {
    let log = logOfSum()
    return addition(
      error: log.error, maximum.magnitude + shiftError, log.upper + shiftError, exact: lse, isLast: isLast)
  }

  /// log s as computed beside log s + m − m̂: the error of s, and the rounding of the logarithm in the accumulator.
  private func logOfSum() -> Computed {
    let log = Double.log(exactSum)
    var fromSum = logarithmError(sum.error / sum.exact)
    if shifted && !fromSum.isNaN {
      // Whatever its error, the sum has a 1 in it, and n terms of at most 1.
      fromSum = Swift.min(
        fromSum,
        Swift.max(log + shiftError, Swift.min(Double.log(onePlus: sum.error / sum.exact), mostOfLogarithm)))
    }
    let size = log.magnitude + fromSum + shiftError
    return Computed(exact: log, error: fromSum + Swift.max(a.log * size, a.tiny))
  }

  /// log of n terms of at most 1, added in the accumulator.
  private var mostOfLogarithm: Double { Double.log(Double(count)) + Double(count) * Double.log(onePlus: a.u) }

  /// The error of the logarithm of what errs by `relative`, without the rounding of the logarithm itself.
  private func logarithmError(_ relative: Double) -> Double {
    relative < 1 ? -Double.log(onePlus: -relative) : relative.isNaN ? .nan : .infinity
  }

  /// The error of an element plus what was made of a sum, `x` and `y` at most, that err by `error` together: added in
  /// the wider of the two formats and rounded to compute. NaN where something may overflow; what the last operation
  /// gives is seen, and need not be left out.
  private func addition(error: Double, _ x: Double, _ y: Double, exact: Double, isLast: Bool) -> Double {
    var e = error
    let size = exact.magnitude
    if precisions.isWide {
      if precisions.widening.overflows(x) { return .nan }
      e += precisions.widening.error(x)
      e += a.u * (size + e)
      if a.overflows(size + e) { return .nan }
      e += precisions.narrowing.error(size + e)
    } else {
      if precisions.narrowing.overflows(y) { return .nan }
      e += precisions.narrowing.error(y)
      e += c.u * (size + e)
    }
    return (isLast && precisions.storesAsComputed) || !c.overflows(size + e) ? e : .nan
  }

  func logSumExp(_ truth: Exact, _ bounds: Bounds) {
    switch self.bounds.arithmetic.ending {
    case .logarithmOfOnePlus:
      bounds[0] = logOnePlusError()
    case _ where !shifted:
      let log = logOfSum()
      if log.error == .infinity { return bounds[0] = .infinity }
      bounds[0] =
        precisions.narrowing.overflows(log.upper) && !precisions.storesAsComputed
        ? .nan : log.error + precisions.narrowing.error(log.upper)
    default:
      bounds[0] = shiftedLogSumExpError(isLast: true)
    }
  }

  /// m + log1p(rest), one maximum left out. With j the place that the kernel leaves out, m̂ = zⱼ + εⱼ, and rest beside
  /// R = Σ_{i≠j} e^(zᵢ − m̂): LSE = m̂ + log(e^−εⱼ + R), so that εⱼ counts 1/(1 + R), and so does an error of R.
  private func logOnePlusError() -> Double {
    let j = leaveOut()
    let own = exponents.own(z[j])
    let rest = sumOfExponentials(dropping: j)
    let fromMaximum = own / (1 + rest.exact * Double.exp(-own - shiftError))
    let log = Swift.min(Double.log(onePlus: rest.exact * lift), Double.log(onePlus: rest.exact) + shiftError)
    let most = Swift.max(log, mostOfLogarithm)
    let part = lift * rest.error / (1 + lift * Swift.max(0, rest.exact - rest.error))
    let fromSum = rest.error.isNaN ? .nan : part < most ? part : most
    let rounded = fromSum + Swift.max(a.log1p * (log + fromSum), a.tiny)
    return addition(
      error: fromMaximum + rounded, maximum.magnitude + shiftError, log + rounded, exact: lse, isLast: true)
  }

  /// The first place whose exponent, as computed, is the largest.
  private func leaveOut() -> Int {
    let parameters = self.bounds.parameters
    if self.bounds.inputError.isNone { return profile.argmax }
    func computed(_ x: Double) -> Double { c.format.round(c.format.round(x) / parameters.temperature) }
    let m = computed(profile.x[profile.argmax])
    return profile.x.firstIndex { computed($0) == m } ?? profile.argmax
  }

  func logSoftmax(_ truth: Exact, _ bounds: Bounds) {
    let naive = self.bounds.arithmetic.ending == .logarithmOfProbability
    // −∞ less a finite number, in the accumulator where that is wider.
    let log = logOfSum()
    let keepsInfinity = !profile.hasMinusInfinity || !precisions.isWide || precisions.accumulatorIsUnbounded
    for i in z.indices {
      if z[i].isFinite {
        bounds[i] = naive ? logOfProbabilityError(i, truth[i]) : shiftedDifferenceError(i, log)
      } else {
        bounds[i] = naive || keepsInfinity ? 0 : .nan
      }
    }
  }

  /// log of the computed probability: ∞ where it may have underflowed to nothing.
  private func logOfProbabilityError(_ i: Int, _ exact: Double) -> Double {
    let r = probabilityError(i) / p[i]
    guard r < 1 else { return r.isNaN ? .nan : .infinity }
    let e = logarithmError(r)
    return e + Swift.max(c.log * (exact.magnitude + e), c.tiny)
  }

  /// (zᵢ − m) − log s.
  private func shiftedDifferenceError(_ i: Int, _ log: Computed) -> Double {
    let d = maximum - z[i]
    let own = exponents.own(z[i])
    let upper = d + own + shiftError
    if c.overflows(upper) || mayOverflowBelow && exponents.overflows(z[i]) { return .nan }
    return addition(
      error: own + c.u * upper + log.error, upper * (1 + c.u), log.upper + shiftError, exact: d + log.exact,
      isLast: true)
  }

  func crossEntropy(_ t: Int, _ truth: Exact, _ bounds: Bounds) {
    guard z[t].isFinite else {
      let naive = self.bounds.arithmetic.ending == .logarithmOfProbability
      bounds[0] = naive || !precisions.isWide || precisions.accumulatorIsUnbounded ? 0 : .nan
      return
    }
    bounds[0] =
      self.bounds.arithmetic.ending == .logarithmOfProbability
      ? logOfProbabilityError(t, truth[0]) : shiftedDifferenceError(t, logOfSum())
  }

  func crossEntropyGradient(_ t: Int, _ truth: Exact, _ bounds: Bounds) {
    for i in z.indices { bounds[i] = probabilityError(i) }
    bounds[t] += c.u * (truth[t].magnitude + bounds[t])
  }

  func jacobian(_ truth: Exact, _ bounds: Bounds) {
    let b = z.indices.map(probabilityError)
    let sumsOthers = self.bounds.arithmetic.ending == .productWithOthers
    for i in z.indices {
      for j in z.indices {
        let pi = Computed(exact: p[i], error: b[i])
        var other = Computed(exact: p[j], error: b[j])
        if i == j {
          // 1 − pᵢ without cancellation.
          other = Computed(exact: p[i] > 0x1p-60 ? truth[i * count + i] / p[i] : 1, error: b[i])
          other.error += c.u * other.upper
          if sumsOthers { other = sumOfOthers(i, exact: other.exact, b) }
        }
        let product = pi.product(other)
        bounds[i * count + j] = product.error + c.rounding(product.upper)
      }
    }
  }

  /// Σ_{j≠i} pⱼ as computed: each probability's error, what the accumulator makes of their additions, the conversions.
  private func sumOfOthers(_ i: Int, exact: Double, _ errors: [Double]) -> Computed {
    var (magnitudes, error) = (0.0, 0.0)
    for j in z.indices where j != i {
      let term = precisions.widening(Computed(exact: p[j], error: errors[j]))
      magnitudes += term.upper
      error += term.error
    }
    error += a.growth(self.bounds.algorithm.summation.depth(count - 1)) * magnitudes
    // What Double's own sum loses.
    error += 0x1p-52 * Double(count) * magnitudes
    let sum = Computed(exact: exact, error: error)
    return a.overflows(magnitudes + error) ? .unknown : precisions.narrowing(sum)
  }

  func vectorJacobian(_ truth: Exact, _ bounds: Bounds) {
    let v = self.bounds.parameters.cotangent
    guard v.count == count, v.allSatisfy({ $0.isFinite && c.format.holds($0) }) else {
      return bounds.update(repeating: .nan)
    }
    let b = z.indices.map(probabilityError)
    var products = [Double](repeating: 0, count: count)
    var dot = Computed(exact: 0, error: 0)
    var magnitudes = 0.0
    for i in z.indices {
      let exact = p[i] * v[i]
      let error = b[i] * v[i].magnitude
      products[i] = error + c.rounding(exact.magnitude + error)
      let converted = precisions.widening(Computed(exact: exact, error: products[i]))
      dot.exact += exact
      dot.error += converted.error
      magnitudes += converted.upper
    }
    dot.error += a.growth(self.bounds.algorithm.summation.depth(count)) * magnitudes
    // Double's own sum of terms that may cancel.
    dot.error += 0x1p-52 * Double(count) * magnitudes
    if a.overflows(magnitudes + dot.error) { return bounds.update(repeating: .nan) }
    dot = precisions.narrowing(dot)
    for i in z.indices {
      let pi = Computed(exact: p[i], error: b[i])
      if self.bounds.arithmetic.ending == .differenceOfProducts {
        let second = pi.product(dot)
        let e = products[i] + second.error + c.rounding(second.upper)
        let last = Computed(exact: truth[i], error: e)
        bounds[i] = precisions.storesAsComputed ? e + c.u * last.upper : c.roundedSum(last).error
      } else {
        let inner = c.roundedSum(Computed(exact: v[i] - dot.exact, error: dot.error))
        let last = pi.product(inner)
        bounds[i] = last.error + c.rounding(truth[i].magnitude + last.error)
      }
    }
  }
}
