import CJudging
import NumKitQuestions
import RealModule

/// Shares of the keys, each normalised by itself, then merged by rounded log-sum-exps one after the other, with the row's own shares.
///
/// With M the mass e^LSE that was computed and O the output of what was merged so far, M·(O − o) is held against the exact
/// Σ w(v − o) over the same keys. So what a mass is off by moves an output by its share's distance from the output o, and the sum of a
/// share, which divides its output and makes its mass, counts as the sum of all does elsewhere.
extension AttentionErrors {
  /// One share, or what was merged so far.
  private struct Share {
    /// Exactly, and how far the computed mass e^LSE may be from its own, relative to it.
    var logSumExp: Double
    var mass: Double
    /// Of each column the exact mean of the values, what that may be off by as a Double, and a bound on what M·(O − o) is off by, relative
    /// to the exact mass.
    var mean: [Double] = []
    var blur: [Double] = []
    var off: [Double] = []

    static let unknown = Share(logSumExp: 0, mass: .infinity)

    /// |exact mean − o| in a column.
    func distance(_ col: Int, _ o: Double) -> Double { (mean[col] - o).magnitude + blur[col] }

    /// How far the computed output may be from the exact mean.
    func error(_ col: Int, _ o: Double) -> Double {
      (distance(col, o) * mass + off[col]) / (1 - mass)
    }
  }

  /// Fills `bounds` with the errors of the merged outputs, `truth` exactly; nil where something may overflow.
  mutating func mergeShares(
    _ profile: AttentionProfile, _ values: Int, _ truth: [Double], into bounds: inout [Double]
  ) -> Division? {
    let n = keys.count
    let tile = runner.tile(keys: keyCount)
    guard canMerge(profile) else { return nil }
    defer { constant = 0 }
    growth = 0
    var merged = profile.sink.map { sinkShare($0, truth) }
    var start = 0
    while start < n {
      var end = start + 1
      while end < n, keys[end] / tile == keys[start] / tile { end += 1 }
      let isAlone = merged == nil && end == n
      guard let next = share(start..<end, values, truth, isAlone: isAlone) else { return nil }
      // What nothing is known of may overflow when it is merged.
      guard next.mass < 1 else { return next.mass.isNaN || !isAlone ? nil : (1, .infinity) }
      if let before = merged {
        guard let both = merge(before, next, truth, isLast: end == n) else { return nil }
        guard both.mass < 1 else { return nil }
        merged = both
      } else {
        merged = next
      }
      start = end
    }
    guard let merged else { return nil }
    for col in truth.indices { bounds[col] = merged.off[col] / (1 - merged.mass) }
    return (1, 0)
  }

  /// Whether no log-sum-exp and no difference of two overflows.
  private func canMerge(_ profile: AttentionProfile) -> Bool {
    let reach = scoreErrors.indices.reduce(0.0) {
      Swift.max($0, score($1, profile).magnitude + scoreErrors[$1])
    }
    // No log-sum-exp is larger, as long as none errs by 1.
    let size = reach + Double.log(Double(keys.count) + 2) + 1
    if a.overflows(size) || precisions.widening.overflows(size) { return false }
    return precisions.accumulatorIsUnbounded || !a.overflows(2 * size)
  }

  /// A share whose output is 0 and whose log-sum-exp is the logit as it was rounded.
  private func sinkShare(_ sink: Double, _ truth: [Double]) -> Share {
    let e = scoreErrors.last ?? 0
    let mass = Double.expMinusOne(
      unless(.logSumExp, e + precisions.widening.error(sink.magnitude + e)))
    let zeros = [Double](repeating: 0, count: truth.count)
    guard mass < 1 else { return .unknown }
    return Share(
      logSumExp: sink, mass: mass, mean: zeros, blur: zeros, off: truth.map { mass * $0.magnitude })
  }

  /// The keys at `part`, in units of their own exact maximum; nil where something may overflow.
  private mutating func share(_ part: Range<Int>, _ values: Int, _ truth: [Double], isAlone: Bool) -> Share? {
    var top = -Double.infinity
    var worst = 0.0
    // The largest that computed scores may be, and the second of these.
    var (first, second) = (-Double.infinity, -Double.infinity)
    for i in part {
      if !isHidden(i) { top = Swift.max(top, scores[i]) }
      worst = Swift.max(worst, scoreErrors[i])
      let above = scores[i] + scoreErrors[i]
      (first, second) = above > first ? (above, first) : (first, Swift.max(second, above))
    }
    // Of nothing but what is hidden nothing can be said.
    guard top > -.infinity else { return .unknown }
    let topError = Swift.max(worst, first - top)
    let lift = Double.exp(first - top)
    let count = part.count
    let gamma = unless(.weighing, a.growth(count))
    let limit = 1 + 4 * c.exp
    weights.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    constant = 0
    var sum = RunningSum(u: additionError)
    var (exact, error, alone) = (0.0, 0.0, 0.0)
    for i in part {
      let e = scoreErrors[i]
      var x = exponential(
        scores[i], e, isHidden: isHidden(i), beside: top, maximum: e + topError, lift: lift)
      // What is the largest whatever the errors has an exponential of 1, exactly.
      let others = scores[i] + e == first ? second : first
      let isOne = !isHidden(i) && scores[i] - e >= others
      if isOne { x.error = x.exact * Double.expMinusOne(e) }
      alone += wideningError(x, lift)
      sum.add(x.erring(by: wideningError(x, lift)))
      exact += x.exact
      error += x.error
      guard use(x, shared: x.error, own: 0, atMost: limit, gamma, lift: lift, isOne: isOne) else {
        return nil
      }
    }
    alone += sum.additions
    constant += Double(count) * a.tiny * lift
    let most =
      Swift.min((exact + error) * Double.exp(topError), Double(count) * (1 + a.growth(count))) * limit
    if a.overflows(most * (1 + gamma)) || a.overflows(most * largestValue * (1 + p.u) * (1 + gamma)) {
      return nil
    }
    let relative = (error + alone) / exact
    guard relative < 1 else { return .unknown }
    var share = Share(logSumExp: top + Double.log(exact), mass: 0)
    // The maximum on its way into the accumulator, the logarithm, the addition. Of one exponential nothing is left but the maximum.
    var own = 0.0
    if !isAlone {
      let widening = precisions.widening.ownError(top.magnitude + topError)
      let log = count == 1 ? 0 : Double.log(Swift.max(most, 1))
      let function = count == 1 ? 0 : Swift.max(a.log * log, a.tiny)
      let size = share.logSumExp.magnitude - Double.log(onePlus: -relative) + widening + function
      own = widening + function + Swift.min(a.ownRounding(size), log + function)
    }
    let shift = Double.expMinusOne(unless(.logSumExp, own))
    share.mass = compounded(shift, relative)
    let sums = weigh(part, values, truth)
    let scale = 1 / exact
    for col in truth.indices {
      let size = truth[col].magnitude
      let mean = sums.exact[col] * scale
      let blur = sums.magnitudes[col] * scale * Double(count) * 0x1p-52
      let upper = (sums.exact[col].magnitude + sums.errors[col] + constant) * scale / (1 - relative)
      let quotient = a.rounding(upper)
      if a.overflows(upper + quotient) { return nil }
      let off =
        (sums.off[col] + constant + size * alone) * scale + (1 + relative) * unless(.quotient, quotient)
      share.mean.append(mean)
      share.blur.append(blur)
      share.off.append((1 + shift) * off + shift * ((mean - truth[col]).magnitude + blur))
    }
    return share
  }

  /// The weighted sums of the keys at `part` exactly and over magnitudes, what the computed ones are off by, and how much of that counts
  /// beside what the sum of weights shares with it.
  private func weigh(_ part: Range<Int>, _ values: Int, _ truth: [Double]) -> (
    exact: ArraySlice<Double>, magnitudes: [Double], errors: [Double], off: [Double]
  ) {
    let width = truth.count
    var sums = [Double](repeating: 0, count: 2 * width)
    var (magnitudes, off) = (truth, truth)
    tensors.numbers.v.withValues(from: values) { v in
      keys.withUnsafeBufferPointer { keys in
        guard let keys = keys.baseAddress else { return }
        nc_output_errors(
          weights, starts, keys + part.lowerBound, part.count, v, truth, width, unless(.weighing, a.u),
          nc_all,
          &off, &sums)
        nc_weighted_magnitudes(weights, keys + part.lowerBound, part.count, v, width, &magnitudes)
      }
    }
    return (sums[..<width], magnitudes, Array(sums[width...]), off)
  }

  /// Two shares' outputs weighted by e^(LSE − the larger), added, divided by the sum of both weights; nil where that may overflow.
  private func merge(_ x: Share, _ y: Share, _ truth: [Double], isLast: Bool) -> Share? {
    guard a.exp < 1 else { return .unknown }
    let gap = y.logSumExp - x.logSumExp
    let doubt = -Double.log(onePlus: -x.mass) - Double.log(onePlus: -y.mass)
    let (alpha, beta) = (1 / (1 + Double.exp(gap)), 1 / (1 + Double.exp(-gap)))
    // The smaller weight: a rounded difference and an exponential. The larger is 1.
    let exponent = unless(.merging, a.u * (gap.magnitude + doubt) - Double.log(onePlus: -a.exp))
    let odds = Double.expMinusOne(exponent)
    let lost = unless(.merging, a.tiny)
    let most = Swift.min(1 + 2 * a.exp, Double.exp(doubt - gap.magnitude + exponent) + lost)
    let least = Swift.max(0, Double.exp(-gap.magnitude - doubt - exponent) - lost)
    let inverse = 1 / (1 + least)
    // The sum of both weights; no farther off than the smaller.
    let sum = Swift.min(a.u, most * inverse)
    let before = alpha * x.mass + beta * y.mass
    var both = Share(
      logSumExp: Swift.max(x.logSumExp, y.logSumExp) + Double.log(onePlus: Double.exp(-gap.magnitude)),
      mass: before, mean: x.mean, blur: x.blur, off: x.off)
    var own = 0.0
    if !isLast {
      let inside = compounded(most * inverse * odds + lost, sum)
      guard inside < 1 else { return .unknown }
      let fromSum = -Double.log(onePlus: -inside)
      let log = Double.log(onePlus: most) + Double.log(onePlus: sum)
      let function = Swift.max(a.log * log, a.tiny)
      let size = both.logSumExp.magnitude - Double.log(onePlus: -before) + fromSum + function
      own = fromSum + function + Swift.min(a.ownRounding(size), log + function)
    }
    let shift = Double.expMinusOne(unless(.mergedLogSumExp, own))
    both.mass = compounded(before, shift)
    guard both.mass < 1 else { return both }
    let weight = (1 + Swift.max(x.mass, y.mass)) * (alpha * beta * odds + lost)
    let isKnown = gap.magnitude > doubt
    for col in truth.indices {
      let o = truth[col]
      let (ex, ey) = (x.error(col, o), y.error(col, o))
      both.mean[col] = isLast ? o : alpha * x.mean[col] + beta * y.mean[col]
      both.blur[col] =
        isLast
        ? 0
        : alpha * x.blur[col] + beta * y.blur[col] + 0x1p-51 * (x.mean[col].magnitude + y.mean[col].magnitude)
      let spread = (x.mean[col] - y.mean[col]).magnitude + x.blur[col] + y.blur[col] + ex + ey
      let off = alpha * x.off[col] + beta * y.off[col] + weight * spread
      both.off[col] = off
      let size = both.mean[col].magnitude + both.blur[col] + both.error(col, o)
      let outputs = (
        (x.mean[col].magnitude + ex) * (isKnown && gap < 0 ? 1 : most),
        (y.mean[col].magnitude + ey) * (isKnown && gap > 0 ? 1 : most)
      )
      // One of the weights is 1, and its product exact.
      let product =
        isKnown
        ? a.rounding(gap > 0 ? outputs.0 : outputs.1)
        : Swift.max(a.rounding(outputs.0), a.rounding(outputs.1))
      if a.overflows(outputs.0 + outputs.1 + product) { return nil }
      var e = product * inverse
      e += Swift.min(a.u * (size + e), (Swift.min(outputs.0, outputs.1) + product) * inverse)
      e += (size + e) * sum / (1 - sum)
      e += a.rounding(size + e)
      both.off[col] =
        (1 + shift) * off + shift * both.distance(col, o) + (1 + both.mass) * unless(.blending, e)
    }
    return both
  }
}
