import NumKitKernels
import NumKitQuestions

/// From a row to its variance or mean square with ε added, as each kernel computes it, and to the deviations it divides.
extension NormErrors {
  // MARK: Kernels

  /// E[x²] + ε.
  func meanSquare(_ profile: NormProfile) -> Computed {
    addEpsilon(divided(sumOfSquares(row), of: profile.variance))
  }

  /// With t = x/s and g = √ε/s: E[t²] + g². The scale that is computed is taken as it is: y does not depend on it.
  mutating func scaledMeanSquare(_ profile: NormProfile) -> Computed {
    let root = parameters.epsilon.squareRoot()
    let scale = row.reduce(c.format.round(root)) {
      Swift.max($0, c.format.round($1.exact, overflow: overflow).magnitude)
    }
    for i in row.indices {
      let x = row[i]
      deviations[i] = c.rounded(Computed(exact: x.exact.magnitude / scale, error: x.error / scale))
    }
    let square = divided(sumOfSquares(deviations), of: profile.variance / scale / scale)
    let rootError = c.rounding(root) / scale
    let e = c.rounded(Computed(exact: root / scale, error: rootError))
    return a.sum(square, precisions.widening(c.rounded(e.product(e))))
  }

  /// μ and E[x²] − μ² + ε.
  mutating func differenceOfSquares(_ profile: NormProfile) -> (mean: Computed, v: Computed) {
    let mean = self.mean(profile)
    let square = divided(sumOfSquares(row), of: profile.variance + profile.mean * profile.mean)
    let m = a.rounded(mean.product(mean))
    let variance = a.sum(
      Computed(exact: profile.variance, error: square.error + m.error), Swift.min(square.upper, m.upper))
    return (center(mean, profile).mean, addEpsilon(variance))
  }

  /// μ and E[(x − μ)²] + ε. What the computed mean is off by, δ, is off in all deviations alike, and Σ (x − μ) = 0: with
  /// ρ the errors of the differences themselves Σ (d − δ + ρ)² − Σ d² = nδ² + Σρ² + 2Σdρ − 2δΣρ.
  mutating func meanSquaredDeviation(_ profile: NormProfile) -> (mean: Computed, v: Computed) {
    let (mean, own) = center(self.mean(profile), profile)
    var error = count * mean.error * mean.error
    for i in row.indices {
      error += own[i] * own[i] + 2 * (profile.reach[i] + mean.error) * own[i]
    }
    // Of the computed squares: what rounding them and adding them costs.
    var squares = 0.0
    let total = sum { i in
      let size = Computed(exact: deviations[i].upper, error: 0)
      let square = precisions.widening(c.rounded(size.product(size)))
      squares += square.error
      return Computed(exact: square.upper, error: 0)
    }
    let sum = Computed(exact: 0, error: error + squares + total.error)
    return (mean, addEpsilon(divided(sum, of: profile.variance)))
  }

  /// The running mean and sum of squares, step by step beside the exact ones.
  mutating func runningVariance(_ profile: NormProfile) -> (mean: Computed, v: Computed) {
    // The exact running mean is μ + p; what Doubles lose of it and of deviations is below `loss`.
    let spread = profile.reach.reduce(0, +) / count
    var p = profile.deviations[0]
    var before = profile.reach[0]
    var mean = precisions.widening(row[0])
    var squares = Computed(exact: 0, error: 0)
    for i in 1..<Swift.max(row.count, 1) {
      let k = Double(i + 1)
      let divisor = a.format.round(k)
      guard divisor.isFinite else { return (.unknown, .unknown) }
      let loss = 2 * profile.slack * (profile.reach[i] + before / Double(i) + spread)
      let x = precisions.widening(row[i])
      let d = (profile.deviations[i] - p).magnitude + loss
      let difference = a.sum(Computed(exact: d, error: x.error + mean.error), Swift.min(x.upper, mean.upper))
      // d/k, less what the mean is off by: that is taken back by 1/k.
      let rounding = difference.error - x.error - mean.error
      let error = (x.error + rounding) / divisor + d / k * (k - divisor).magnitude / divisor
      let step = a.rounded(Computed(exact: d / k, error: error + mean.error / divisor))
      let left = mean.error * (1 - 1 / divisor) + (step.error - mean.error / divisor)
      p += (profile.deviations[i] - p) / k
      let next = a.sum(Computed(exact: profile.mean + p, error: left), Swift.min(mean.upper, step.upper))
      let rest = a.sum(
        Computed(exact: (profile.deviations[i] - p).magnitude + loss, error: x.error + next.error),
        Swift.min(x.upper, next.upper))
      squares = a.sum(squares, a.rounded(difference.product(rest)))
      before += profile.reach[i]
      mean = next
    }
    let variance = addEpsilon(divided(squares, of: profile.variance))
    guard algorithm.finish == .folded else { return (center(mean, profile).mean, variance) }
    let m = precisions.narrowing(mean)
    for i in row.indices {
      deviations[i] = Computed(exact: profile.reach[i], error: row[i].error + m.error)
    }
    return (m, variance)
  }

  // MARK: Steps

  /// Σ x² in the accumulator.
  private func sumOfSquares(_ x: [Computed]) -> Computed {
    sum { precisions.widening(c.rounded(x[$0].product(x[$0]))) }
  }

  /// The mean in the accumulator.
  private func mean(_ profile: NormProfile) -> Computed {
    divided(sum { precisions.widening(row[$0]) }, of: profile.mean)
  }

  /// The deviations from a computed mean. Returns the mean as it was subtracted, and the errors without its own.
  private mutating func center(_ mean: Computed, _ profile: NormProfile) -> (mean: Computed, own: [Double]) {
    let isWide = precisions.isWide
    let m = isWide ? mean : precisions.narrowing(mean)
    var own: [Double] = []
    for i in row.indices {
      let x = isWide ? precisions.widening(row[i]) : row[i]
      let d = Computed(exact: profile.reach[i], error: x.error + m.error)
      let smaller = Swift.min(x.upper, m.upper)
      deviations[i] = isWide ? precisions.narrowing(a.sum(d, smaller)) : c.sum(d, smaller)
      own.append(deviations[i].error - m.error)
    }
    return (m, own)
  }

  /// A sum over n, both in the accumulator, whose exact value is `mean`.
  private func divided(_ sum: Computed, of mean: Double) -> Computed {
    let divisor = a.format.round(count)
    guard divisor.isFinite else { return .unknown }
    return a.rounded(
      Computed(exact: mean, error: (sum.error + mean.magnitude * (count - divisor).magnitude) / divisor))
  }

  /// A variance with ε.
  private func addEpsilon(_ v: Computed) -> Computed {
    a.sum(v, precisions.widening(Computed(exact: parameters.epsilon, error: 0)))
  }

  /// A sum in the accumulator, in the algorithm's order.
  private func sum(_ term: (Int) -> Computed) -> Computed {
    func sequential(_ start: Int, _ end: Int) -> Computed {
      var s = term(start)
      for i in start + 1..<Swift.max(end, start + 1) { s = a.sum(s, term(i)) }
      return s
    }
    func pairwise(_ start: Int, _ end: Int) -> Computed {
      if end - start <= 8 { return sequential(start, end) }
      let middle = start + (end - start) / 2
      return a.sum(pairwise(start, middle), pairwise(middle, end))
    }
    return algorithm.summation == .sequential ? sequential(0, row.count) : pairwise(0, row.count)
  }
}
