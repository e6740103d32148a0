import NumKitKernels
import NumKitQuestions

/// From a row to its variance or mean square with ε added, as each kernel computes it, and to the deviations it divides.
extension NormErrors {
  // MARK: Kernels

  /// E[x²] + ε.
  func meanSquare(_ x: [Double], _ profile: NormProfile) -> Inexact {
    var square = sumOfSquares(x)
    square.value = count * profile.variance
    return addEpsilon(divided(square))
  }

  /// With t = x/s and g = √ε/s: E[t²] + g². The scale that is computed is taken as it is: y does not depend on it.
  mutating func scaledMeanSquare(_ x: [Double], _ profile: NormProfile) -> Inexact {
    let root = parameters.epsilon.squareRoot()
    let scale = loaded.reduce(c.format.round(root)) { Swift.max($0, $1.magnitude) }
    for i in x.indices {
      let t = c.rounded(Inexact(x[i].magnitude / scale, loadErrors[i] / scale))
      (reach[i], errors[i]) = (t.value, t.error)
    }
    var square = sum { i in
      let t = Inexact(reach[i], errors[i])
      return formats.widened(c.rounded(t.times(t)))
    }
    square.value = count * profile.variance / scale / scale
    let e = c.rounded(Inexact(root / scale, c.rounded(Inexact(root)).error / scale))
    let g = formats.widened(c.rounded(e.times(e)))
    let mean = divided(square)
    return a.sum(Inexact(mean.value + g.value, mean.error + g.error), Swift.min(mean.upper, g.upper))
  }

  /// μ and E[x²] − μ² + ε.
  mutating func differenceOfSquares(_ x: [Double], _ profile: NormProfile) -> (mean: Inexact, v: Inexact) {
    let mean = self.mean(x, profile)
    var square = sumOfSquares(x)
    square.value = count * (profile.variance + profile.mean * profile.mean)
    let q = divided(square)
    let m = a.rounded(mean.times(mean))
    let variance = a.sum(Inexact(profile.variance, q.error + m.error), Swift.min(q.upper, m.upper))
    return (center(mean, profile).mean, addEpsilon(variance))
  }

  /// μ and E[(x − μ)²] + ε. What the computed mean is off by, δ, is off in all deviations alike, and Σ (x − μ) = 0: with
  /// ρ the errors of the differences themselves Σ (d − δ + ρ)² − Σ d² = nδ² + Σρ² + 2Σdρ − 2δΣρ.
  mutating func meanSquaredDeviation(_ x: [Double], _ profile: NormProfile) -> (mean: Inexact, v: Inexact) {
    let (mean, own) = center(self.mean(x, profile), profile)
    var error = count * mean.error * mean.error
    for i in x.indices {
      error += own[i] * own[i] + 2 * (profile.reach[i] + mean.error) * own[i]
    }
    // Of the computed squares: what rounding them and adding them costs.
    var squares = 0.0
    let total = sum { i in
      let size = Inexact(reach[i] + errors[i])
      let square = formats.widened(c.rounded(size.times(size)))
      squares += square.error
      return Inexact(square.upper)
    }
    let variance = divided(Inexact(count * profile.variance, error + squares + total.error))
    return (mean, addEpsilon(variance))
  }

  /// The running mean and sum of squares, step by step beside the exact ones.
  mutating func runningVariance(_ x: [Double], _ profile: NormProfile) -> (mean: Inexact, v: Inexact) {
    // The exact running mean is μ + p; what Doubles lose of it and of deviations is below `loss`.
    let spread = profile.reach.reduce(0, +) / count
    var p = profile.deviations[0]
    var before = profile.reach[0]
    var mean = formats.widened(Inexact(loaded[0], loadErrors[0]))
    var squares = Inexact(0)
    for i in 1..<Swift.max(x.count, 1) {
      let k = Double(i + 1)
      let divisor = a.format.round(k)
      guard divisor.isFinite else { return (mean, Inexact(0, .nan)) }
      let loss = 2 * profile.slack * (profile.reach[i] + before / Double(i) + spread)
      let v = formats.widened(Inexact(loaded[i], loadErrors[i]))
      let d = Inexact((profile.deviations[i] - p).magnitude + loss, 0)
      let difference = a.sum(Inexact(d.value, v.error + mean.error), Swift.min(v.upper, mean.upper))
      let rounding = difference.error - v.error - mean.error
      // d/k: the mean's own error is taken back by 1/k.
      let count = Inexact(
        d.value / k, (v.error + rounding) / divisor + d.value / k * (k - divisor).magnitude / divisor)
      let step = a.rounded(Inexact(d.value / k, count.error + mean.error / divisor))
      let shrunk = mean.error * (1 - 1 / divisor) + count.error + (step.error - count.error - mean.error / divisor)
      p += (profile.deviations[i] - p) / k
      let next = a.sum(Inexact(profile.mean + p, shrunk), Swift.min(mean.upper, step.upper))
      let rest = Inexact((profile.deviations[i] - p).magnitude + loss, v.error + next.error)
      let product = a.rounded(difference.times(a.sum(rest, Swift.min(v.upper, next.upper))))
      squares = a.sum(
        Inexact(squares.value + product.value, squares.error + product.error),
        Swift.min(squares.upper, product.upper))
      before += profile.reach[i]
      mean = next
    }
    squares.value = count * profile.variance
    let variance = divided(squares)
    if algorithm.finish == .folded {
      let m = formats.narrowed(mean)
      for i in x.indices { (reach[i], errors[i]) = (profile.reach[i], loadErrors[i] + m.error) }
      return (m, addEpsilon(variance))
    }
    return (center(mean, profile).mean, addEpsilon(variance))
  }

  // MARK: Steps

  /// Σ x² over the accumulator.
  private func sumOfSquares(_ x: [Double]) -> Inexact {
    sum { i in
      let v = Inexact(x[i], loadErrors[i])
      return formats.widened(c.rounded(v.times(v)))
    }
  }

  /// The mean in the accumulator.
  private func mean(_ x: [Double], _ profile: NormProfile) -> Inexact {
    var total = sum { formats.widened(Inexact(x[$0], loadErrors[$0])) }
    total.value = count * profile.mean
    return divided(total)
  }

  /// The deviations from a computed mean: `reach` and `errors`. Returns the mean as it was subtracted, and the errors without its own.
  private mutating func center(_ mean: Inexact, _ profile: NormProfile) -> (mean: Inexact, own: [Double]) {
    let m = formats.isWide ? mean : formats.narrowed(mean)
    var own: [Double] = []
    for i in loaded.indices {
      let v = Inexact(loaded[i], loadErrors[i])
      let x = formats.isWide ? formats.widened(v) : v
      let d = Inexact(profile.reach[i], x.error + m.error)
      let smaller = Swift.min(x.upper, m.upper)
      let y = formats.isWide ? formats.narrowed(a.sum(d, smaller)) : c.sum(d, smaller)
      (reach[i], errors[i]) = (y.value, y.error)
      own.append(y.error - m.error)
    }
    return (m, own)
  }

  /// A sum over n, both in the accumulator.
  private func divided(_ sum: Inexact) -> Inexact {
    let divisor = a.format.round(count)
    guard divisor.isFinite else { return Inexact(0, .nan) }
    let mean = sum.value / count
    return a.rounded(
      Inexact(mean, (sum.error + mean.magnitude * (count - divisor).magnitude) / divisor))
  }

  /// A variance with ε.
  private func addEpsilon(_ v: Inexact) -> Inexact {
    let e = formats.widened(Inexact(parameters.epsilon))
    return a.sum(Inexact(v.value + e.value, v.error + e.error), Swift.min(v.upper, e.upper))
  }

  /// A sum in the accumulator, in the algorithm's order.
  private func sum(_ term: (Int) -> Inexact) -> Inexact {
    func add(_ x: Inexact, _ y: Inexact) -> Inexact {
      a.sum(Inexact(x.value + y.value, x.error + y.error), Swift.min(x.upper, y.upper))
    }
    func sequential(_ start: Int, _ end: Int) -> Inexact {
      var s = term(start)
      for i in start + 1..<Swift.max(end, start + 1) { s = add(s, term(i)) }
      return s
    }
    func pairwise(_ start: Int, _ end: Int) -> Inexact {
      if end - start <= 8 { return sequential(start, end) }
      let middle = start + (end - start) / 2
      return add(pairwise(start, middle), pairwise(middle, end))
    }
    let n = loaded.count
    return algorithm.summation == .sequential ? sequential(0, n) : pairwise(0, n)
  }
}
