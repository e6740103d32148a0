import NumKitKernels
import NumKitQuestions
import RealModule

/// Sound a-priori bounds on the error of attention's outputs: what a correct kernel of an algorithm may do to the inputs it got.
///
/// The error runs along the computation: products and sums of a score, its scale, cap and bias; the exponential; the sum; the cast of
/// P; the weighted sum; the division or the merging. As in `RowErrors` all is held against e^(s − m̂) with the maximum m̂ that the kernel
/// did subtract, whose own error cancels. Numbers stand in units of the exact maximum, in which 1 is worth `lift` at most.
package struct AttentionErrors {
  let runner: AttentionRunner
  let parameters: AttentionParameters
  let precisions: Precisions
  /// The format of P, and the ways to it and from it.
  let p: Precision
  let casting: Conversion
  let using: Conversion
  let keyCount: Int
  /// Bounds |v|.
  let largestValue: Double
  /// Whether some value is not finite.
  private let hasWildValues: Bool
  let scoring: ScoreErrors

  // One row's.
  /// e^(s − max), of the keys and then of the sink, and a bound on the error of the computed one.
  var terms: [Computed] = []
  /// Bounds on the errors of the keys' weights, that of a product with a value of 1.
  var weights: [Double] = []
  /// An error of every output, beside those of the weights.
  var constant = 0.0
  var scoreErrors: [Double] = []
  var top = 0.0
  /// How far the computed maximum may be from the exact one.
  var topError = 0.0
  /// The largest error of any score.
  var worstError = 0.0

  var c: Precision { precisions.compute }
  var a: Precision { precisions.accumulator }

  /// nil where no bound was derived: sentinels, norms, a compute format that does not hold the inputs.
  package init?(_ runner: AttentionRunner, _ tensors: AttentionInputs, _ parameters: AttentionParameters) {
    guard runner.sentinel == nil, parameters.norm == nil else { return nil }
    precisions = Precisions(storage: runner.outputFormat, runner.configuration)
    guard precisions.compute.holds(precisions.storage), precisions.storage.format.hasZero else { return nil }
    p = Precision(runner.probabilities ?? runner.configuration.compute)
    casting = Conversion(to: p, from: precisions.compute)
    using = Conversion(to: precisions.accumulator, from: p)
    // The scale of P and what undoes it must be numbers of their formats.
    let (s, t) = (runner.probabilityScale, 1 / runner.probabilityScale)
    let formats = (precisions.compute.format, precisions.accumulator.format)
    guard formats.0.holds(s), formats.1.holds(t),
      let scoring = ScoreErrors(precisions, tensors, parameters)
    else { return nil }
    self.scoring = scoring
    self.runner = runner
    self.parameters = parameters
    keyCount = tensors.shape.keys
    largestValue = tensors.largestValue
    hasWildValues = !tensors.isFinite.v
  }

  /// Writes a bound on each output's absolute error into `bounds`; `values` are the head's, `truth` the exact outputs in Double.
  /// nil where a value that is seen is not finite.
  package mutating func bound(
    _ profile: AttentionProfile, values: UnsafePointer<Double>, truth: [Double], into bounds: inout [Double]
  ) -> RowBound? {
    // A score of −∞ becomes NaN where the kernel cannot say it, where its scale rounds to 0, where a tile holds nothing else.
    guard profile.isRegular, !profile.hasMinusInfinity, !precisions.widening.overflows(largestValue),
      prepare(profile)
    else { return RowBound.none }
    let width = truth.count
    if hasWildValues {
      if runner.multipliesHidden { return RowBound.none }
      for j in profile.keys {
        for c in 0..<width where !values[j * width + c].isFinite { return nil }
      }
    }
    guard let (divisor, relative) = weigh(profile) else { return RowBound.none }
    // Where errors have no end, an output beside the largest number may overflow.
    let mayOverflow =
      precisions.narrowing.overflows(2 * largestValue) || precisions.storage.overflows(2 * largestValue)
    if !(relative < .infinity) {
      for col in 0..<width { bounds[col] = .infinity }
      return relative.isNaN || mayOverflow ? RowBound.none : .vacuous
    }
    bounds.withUnsafeMutableBufferPointer { b in
      guard let b = b.baseAddress else { return }
      for col in 0..<width { b[col] = 0 }
      for (place, j) in profile.keys.enumerated() {
        let w = weights[place] / divisor
        let row = values + j * width
        for col in 0..<width { b[col] += w * row[col].magnitude }
      }
    }
    var worst = 0.0
    var largest = 0.0
    for col in 0..<width {
      let size = truth[col].magnitude
      var e = bounds[col] + relative * size + constant / divisor
      if runner.algorithm == .flash { e += a.rounding(size + e) }
      if e < .infinity && precisions.narrowing.overflows(size + e) && !precisions.storesAsComputed {
        return RowBound.none
      }
      e += precisions.narrowing.error(size + e)
      e = precisions.stored(truth[col], e)
      if e.isNaN || e == .infinity && mayOverflow { return RowBound.none }
      bounds[col] = e * (1 + 0x1p-20)
      worst = Swift.max(worst, bounds[col])
      largest = Swift.max(largest, size)
    }
    return worst >= largest && largest > 0 ? RowBound.vacuous : .sound
  }

  // MARK: Scores and exponentials

  /// Errors of scores and exponentials; false where one may overflow.
  private mutating func prepare(_ profile: AttentionProfile) -> Bool {
    let n = profile.scores.count
    scoreErrors.removeAll(keepingCapacity: true)
    terms.removeAll(keepingCapacity: true)
    for j in 0..<n {
      let e = scoring.error(profile, j)
      if !(e < .infinity) { return false }
      scoreErrors.append(e)
    }
    top = profile.scores.reduce(profile.sink ?? -.infinity, Swift.max)
    if let sink = profile.sink {
      if c.overflows(sink.magnitude) { return false }
      scoreErrors.append(c.rounding(sink.magnitude))
    }
    // m̂ is at least the computed score of the exact maximum, and at most the largest that any score may have become.
    var below = Double.infinity
    var above = top
    for i in scoreErrors.indices {
      let s = i < n ? profile.scores[i] : profile.sink ?? 0
      above = Swift.max(above, s + scoreErrors[i])
      if s == top { below = Swift.min(below, scoreErrors[i]) }
      worstError = i == 0 ? scoreErrors[i] : Swift.max(worstError, scoreErrors[i])
    }
    topError = Swift.max(below, above - top)
    // A difference that overflows to −∞ is as good as one that doesn't.
    let lowest = profile.scores.reduce(profile.sink ?? .infinity, Swift.min)
    if isShifted, !precisions.computeIsUnbounded, c.overflows(top - lowest + 2 * worstError) { return false }
    for i in scoreErrors.indices { add(i < n ? profile.scores[i] : profile.sink ?? 0, scoreErrors[i]) }
    return terms.allSatisfy { !$0.error.isNaN }
  }

  var isShifted: Bool { runner.algorithm != .naive }

  /// The most by which a computed score may lie above the maximum in use, lazily.
  var laziness: Double {
    guard runner.algorithm == .flash, runner.laziness > 0 else { return 0 }
    // Rounded itself, and compared with a rounded difference.
    return (runner.laziness + c.rounding(runner.laziness)) * (1 + 2 * c.u)
  }

  /// What 1 in the kernel's units is worth, in units of e^max: the maximum in use is nowhere above the largest computed score.
  var lift: Double {
    isShifted ? Double.exp(runner.algorithm == .splitKV ? worstError : topError) : Double.exp(-top)
  }

  private mutating func add(_ score: Double, _ error: Double) {
    let d = top - score
    // Differences are rounded. On the way from its own maximum to the last one a term's add up to no more than the whole; lazily
    // it starts up to `laziness` above its maximum, and the way back counts too.
    let shift = isShifted ? c.u * (d + 2 * (error + worstError) + 2 * laziness) : 0
    let x = error + shift
    let exact = Double.exp(-d)
    let relative = Double.expMinusOne(x) * (1 + c.exp) + c.exp
    let e = Swift.min(exact * relative, Double.exp(x - d) * (1 + c.exp))
    terms.append(Computed(exact: exact, error: e + c.tiny * lift))
  }
}
