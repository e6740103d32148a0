import CJudging
import RealModule

typealias Exact = UnsafeBufferPointer<Double>
typealias Bounds = UnsafeMutableBufferPointer<Double>

/// From the errors of exponentials and sum to those of each operation's results.
extension RowErrors {
  func softmax(_ truth: Exact, _ bounds: Bounds) {
    if self.bounds.algorithm.kernel == "two-pass-log" { return divisionFree(truth, bounds) }
    for i in z.indices { bounds[i] = probabilityError(i) }
  }

  /// e^(zᵢ − LSE): the error of the LSE and of the difference are exponents.
  private func divisionFree(_ truth: Exact, _ bounds: Bounds) {
    let l = shiftedLogSumExpError()
    for i in z.indices {
      let before = l + self.bounds.inputError.error(z[i])
      bounds[i] = z[i].isFinite ? before + c.u * ((z[i] - lse).magnitude + before) : 0
    }
    nc_expm1_above(bounds.baseAddress, bounds.count)
    for i in z.indices { bounds[i] = z[i].isFinite ? p[i] * (bounds[i] * (1 + c.exp) + c.exp) + c.tiny : 0 }
  }

  /// m + log s: the error of s, the rounding of the logarithm in the accumulator, of the addition in the wider format, of
  /// the conversion to compute.
  func shiftedLogSumExpError() -> Double {
    let (log, logarithm) = logOfSum()
    return addition(of: maximum, error: 0, to: log, error: logarithm)
  }

  /// Error of an element plus a number in the accumulator format, rounded to compute.
  func addition(of x: Double, error ex: Double, to y: Double, error ey: Double) -> Double {
    let wide = self.bounds.precisions.wide
    var e = ex + ey
    // A sum in a format of more exponent or fewer bits is converted to compute before it is added.
    if wide.format == c.format && a.format != c.format { e += c.u * (y.magnitude + ey) + c.tiny }
    let exact = (x + y).magnitude
    e += wide.u * (exact + e)
    if wide.format != c.format { e += c.u * (exact + e) + c.tiny }
    return e
  }

  /// log s, and the error of its computed value: that of s, and the rounding of the logarithm in the accumulator.
  private func logOfSum() -> (value: Double, error: Double) {
    let log = Double.log(exactSum)
    let fromSum = logOfSumError(sum)
    return (log, fromSum + a.log * (log + fromSum + shiftError) + a.tiny)
  }

  func logSumExp(_ truth: Exact, _ bounds: Bounds) {
    switch self.bounds.algorithm.kernel {
    case "naive":
      let fromSum = logOfSumError(sum)
      let e = fromSum + a.log * (truth[0].magnitude + fromSum) + a.tiny
      bounds[0] = e + (a.format == c.format ? 0 : c.u * (truth[0].magnitude + e) + c.tiny)
    case "shifted-log1p":
      bounds[0] = logOnePlusError()
    default:
      bounds[0] = shiftedLogSumExpError()
    }
  }

  /// m + log1p(s − 1): the error of the rest, damped by 1/(1 + rest).
  private func logOnePlusError() -> Double {
    let rest = sumOfExponentials(dropping: z.firstIndex(of: maximum))
    // Relative to a maximum that is itself off, the rest grows or shrinks as a whole.
    let error = (rest.upper * Double.exp(shiftError) - rest.exact)
    let fromSum = error / (1 + Swift.max(0, rest.exact - error))
    let log = Double.log(onePlus: rest.exact)
    let e = fromSum + a.log1p * (log + fromSum) + a.tiny
    return addition(of: maximum, error: self.bounds.inputError.error(maximum), to: log, error: e)
  }

  func logSoftmax(_ truth: Exact, _ bounds: Bounds) {
    let naive = self.bounds.algorithm.kernel == "naive"
    for i in z.indices {
      guard z[i].isFinite else {
        bounds[i] = 0
        continue
      }
      bounds[i] = naive ? logOfProbabilityError(i, truth[i]) : shiftedDifferenceError(i)
    }
  }

  /// log of the computed probability: ∞ where it may have underflowed to nothing.
  private func logOfProbabilityError(_ i: Int, _ exact: Double) -> Double {
    let r = probabilityError(i) / p[i]
    guard r < 1 else { return .infinity }
    let e = logOfSumError(r)
    return e + c.log * (exact.magnitude + e) + c.tiny
  }

  /// (zᵢ − m) − log s.
  private func shiftedDifferenceError(_ i: Int) -> Double {
    let own = self.bounds.inputError.error(z[i])
    let d = maximum - z[i]
    let difference = own + c.u * (d + own + shiftError)
    let (log, logarithm) = logOfSum()
    return addition(of: -d, error: difference, to: -log, error: logarithm)
  }

  func crossEntropy(_ t: Int, _ truth: Exact, _ bounds: Bounds) {
    guard z[t].isFinite else {
      bounds[0] = 0
      return
    }
    bounds[0] =
      self.bounds.algorithm.kernel == "naive"
      ? logOfProbabilityError(t, truth[0]) : shiftedDifferenceError(t)
  }

  func crossEntropyGradient(_ t: Int, _ truth: Exact, _ bounds: Bounds) {
    for i in z.indices { bounds[i] = probabilityError(i) }
    bounds[t] += c.u * (truth[t].magnitude + bounds[t])
  }

  func jacobian(_ truth: Exact, _ bounds: Bounds) {
    let b = z.indices.map(probabilityError)
    for i in z.indices {
      for j in z.indices {
        var e: Double
        if i == j {
          let rest = b[i] + c.u * (1 - p[i] + b[i])
          e = b[i] * (1 - p[i] + rest) + p[i] * rest
        } else {
          e = b[i] * p[j] + b[j] * p[i] + b[i] * b[j]
        }
        e += c.u * (truth[i * count + j].magnitude + e) + c.tiny
        bounds[i * count + j] = e
      }
    }
  }

  func vectorJacobian(_ truth: Exact, _ bounds: Bounds) {
    let v = self.bounds.parameters.cotangent
    guard v.count == count, v.allSatisfy({ c.format.round($0) == $0 }) else {
      for i in z.indices { bounds[i] = .nan }
      return
    }
    let b = z.indices.map(probabilityError)
    var products = [Double](repeating: 0, count: count)
    var dot = 0.0
    var magnitudes = 0.0
    var error = 0.0
    for i in z.indices {
      let exact = (p[i] * v[i]).magnitude
      products[i] = b[i] * v[i].magnitude + c.u * (exact + b[i] * v[i].magnitude) + c.tiny
      let converted = a.conversion(from: c)
      let e = products[i] + converted * (exact + products[i]) + (converted > 0 ? a.tiny : 0)
      dot += p[i] * v[i]
      magnitudes += exact + e
      error += e
    }
    error += a.gamma(self.bounds.algorithm.summation.depth(count)) * magnitudes
    if a.format != c.format { error += c.u * (dot.magnitude + error) + c.tiny }
    if magnitudes * 2 > Swift.min(a.largest, c.largest) { error = .infinity }
    for i in z.indices {
      var e: Double
      if self.bounds.algorithm.kernel == "product" {
        let second = b[i] * (dot.magnitude + error) + p[i] * error
        let rounded = second + c.u * ((p[i] * dot).magnitude + second) + c.tiny
        e = products[i] + rounded
        e += c.u * (truth[i].magnitude + e)
      } else {
        let difference = (v[i] - dot).magnitude
        let inner = error + c.u * (difference + error)
        e = b[i] * (difference + inner) + p[i] * inner
        e += c.u * (truth[i].magnitude + e) + c.tiny
      }
      bounds[i] = e
    }
  }
}

/// Sigmoid: each result is of its own element.
extension ErrorBounds {
  func sigmoidError(_ z: Double, _ truth: Double) -> Double {
    let c = precisions.compute
    if z.isInfinite { return 0 }
    let input = inputError.error(z)
    guard z.magnitude * (1 + 4 * c.u) <= c.largest, c.largest >= 4 else { return .nan }
    switch algorithm.kernel {
    case "tanh":
      // tanh(z/2)′ ≤ ½ per unit of z; halving is exact but for underflow.
      let t = Double.tanh(z / 2)
      let argument = 0.5 * input + c.tiny
      let tanh = argument + c.tanh * (t.magnitude + argument) + c.tiny
      let sum = tanh + c.u * (1 + t + tanh)
      return 0.5 * sum + c.tiny
    default:
      let e = Double.exp(algorithm.kernel == "naive" ? -z : -z.magnitude)
      guard e * (1 + 4 * c.u) * Double.exp(input) < c.largest else { return .nan }
      let r = Double.expMinusOne(input) * (1 + c.exp) + c.exp
      let sum = (e * r + c.tiny) / (1 + e)
      let rounded = sum + c.u * (1 + sum)
      guard rounded < 1 else { return .infinity }
      let numerator = algorithm.kernel == "stable" && z < 0 ? r : 0
      let quotient = (1 + numerator) / (1 - rounded) * (1 + c.u) - 1
      let underflow = numerator > 0 ? c.tiny / (1 + e) / (1 - rounded) : 0
      return truth * quotient + underflow * (1 + c.u) + c.tiny
    }
  }
}
