import NumKitQuestions
import RealModule

/// From the errors of exponentials to those of weights: sums, quotients, casts.
extension AttentionErrors {
  /// What the computed outputs are: Σ of weighted values, each weight off by what stands in `weights` and each output by `constant`,
  /// divided by a sum of at least `divisor`, whose own error is `relative` to the result.
  typealias Division = (divisor: Double, relative: Double)

  /// Fills `weights` and `constant`; nil where a sum may overflow.
  mutating func weigh(_ profile: AttentionProfile) -> Division? {
    weights.removeAll(keepingCapacity: true)
    constant = 0
    switch runner.algorithm {
    case .naive, .standard: return whole(profile.keys.count)
    case .flash: return flash(profile)
    case .splitKV: return split(profile)
    }
  }

  /// What a sum of `count` exponentials, `peak` beside the exact largest, is at most in the kernel's units: after a shift
  /// none is larger than 1.
  func most(_ peak: Double, _ count: Int) -> Double {
    Swift.min(peak * Double.exp(2 * worstError), Double(count) * (1 + a.growth(count)))
  }

  /// An exponential in the accumulator.
  func widened(_ x: Computed) -> Computed {
    x.erring(by: precisions.widening.error(x.upper, lift: lift))
  }

  /// Each probability divided and cast before it is used.
  private mutating func whole(_ n: Int) -> Division? {
    let additions = SumErrors(u: a.u)
    var s = Computed(exact: 0, error: 0)
    // A sink is where the sum starts.
    for i in (terms.count > n ? [n] : []) + Array(0..<n) {
      s = s.upper == 0 ? widened(terms[i]) : additions.adding(s, widened(terms[i]))
    }
    // No exponential is larger than their sum.
    let most =
      isShifted
      ? Swift.min(s.upper * lift, Double(terms.count) * (1 + a.growth(terms.count)))
      : s.upper * Double.exp(top)
    if a.overflows(most) || precisions.widening.overflows(most) { return nil }
    if !isShifted && c.overflows(most) { return nil }
    var divisor = s
    if !precisions.isWide {
      if precisions.narrowing.overflows(most) { return nil }
      divisor = s.erring(by: precisions.narrowing.error(s.upper, lift: lift))
    }
    let gamma = a.growth(n)
    var used = 0.0
    for i in 0..<n {
      var q = (precisions.isWide ? widened(terms[i]) : terms[i]).quotient(by: divisor)
      if precisions.isWide {
        q.error += a.rounding(q.upper)
        q.error += precisions.narrowing.error(q.upper)
      } else {
        q.error += c.rounding(q.upper)
      }
      if case .clipped(let lower, let upper) = parameters.softmax { q = clipped(q, lower, upper) }
      let limit = Swift.min(q.upper, 1 + 4 * (c.u + a.u))
      guard use(q, atMost: limit, gamma, lift: 1) else { return nil }
      used += limit
    }
    constant += Double(n) * a.tiny * (1 + gamma)
    return a.overflows(used * largestValue * (1 + p.u) * (1 + 2 * a.u) * (1 + gamma)) ? nil : (1, 0)
  }

  /// (upper − lower)·p + lower in one rounding, by rounded constants, and no less than 0 nor more than 1.
  private func clipped(_ p: Computed, _ lower: Double, _ upper: Double) -> Computed {
    // Of 0/0, which a row without a shift may come to, clamping makes no number.
    if !(p.error < .infinity) { return p }
    let size = upper - lower
    let (stretch, shift) = (c.format.round(size), c.format.round(lower))
    if c.overflows(size) || c.overflows(lower.magnitude) { return .unknown }
    var e = stretch * p.error + (stretch - size).magnitude * p.exact + (shift - lower).magnitude
    e += 0x1p-51 * size
    e += c.rounding(Swift.max(stretch * p.upper, -shift))
    let exact = size * p.exact + lower
    // Both are clamped.
    return Computed(exact: Swift.min(1, Swift.max(0, exact)), error: Swift.min(e, 1))
  }

  /// Notes the error of a weight after the cast to P, on its way into the accumulator (with the value's) and through the additions
  /// there, whose relative error is `gamma`; false where it may overflow: in the kernel's units it is at most `limit`. Where the
  /// kernel's 1 is worth `lift` in the units of `q`, so is what underflows.
  mutating func use(_ q: Computed, atMost limit: Double, _ gamma: Double, lift: Double) -> Bool {
    if q.error.isNaN { return false }
    var w = q
    let s = runner.probabilityScale
    let size = limit * s * (1 + p.u)
    if c.overflows(size) || casting.overflows(size) || using.overflows(size) { return false }
    // Multiplied by a power of two, which loses digits below the normal range alone.
    if s < 1 { w.error += Swift.min(c.tiny * lift / s, w.upper) }
    w.error += casting.error(w.upper, lift: lift / s)
    w.error += using.error(w.upper, lift: lift / s)
    if s > 1 { w.error += Swift.min(a.tiny * lift, w.upper) }
    let widening = precisions.widening
    weights.append(w.error + w.upper * compounded(widening.relative, gamma))
    constant += w.upper * widening.absolute * (1 + gamma)
    return true
  }

  /// Weights relative to the last maximum, divided at the end.
  private mutating func flash(_ profile: AttentionProfile) -> Division? {
    let n = profile.keys.count
    let (tiles, changes) = rescales(profile)
    let widening = precisions.widening
    // What each rescaling does to what has been gathered: its factor's rounding, the product's; the exponents' are the terms'.
    let each = compounded(compounded(c.exp, widening.relative), a.u)
    let growth = Double.expMinusOne(Double(changes) * Double.log(onePlus: each))
    let above = Double.exp(laziness)
    let lost = Double(changes) * (c.tiny + widening.absolute) * lift * above
    let gammaOfSum = compounded(a.growth(Swift.min(runner.blockKeys, keyCount) + tiles), growth)
    var sum = Computed(exact: 0, error: Double(changes) * a.tiny * lift)
    for x in terms {
      let w = widened(x)
      sum.exact += x.exact
      sum.error += w.error + w.upper * gammaOfSum + lost
    }
    let gamma = compounded(a.growth(n), growth)
    let limit = above * (1 + 4 * c.exp)
    for i in 0..<n {
      guard use(terms[i].erring(by: lost), atMost: limit, gamma, lift: lift) else { return nil }
    }
    constant += Double(n + changes) * a.tiny * lift * (1 + gamma)
    // In units of the maxima on the way sums may be larger than in the end.
    let most = most(runningPeak(profile), terms.count) * limit
    if a.overflows(most * (1 + gammaOfSum)) || a.overflows(most * largestValue * (1 + gamma)) { return nil }
    guard sum.error < sum.exact else { return (sum.exact, sum.error.isNaN ? .nan : .infinity) }
    let divisor = sum.exact - sum.error
    return (divisor, sum.error / divisor)
  }

  /// The largest sum of exponentials relative to the running maximum, key after key.
  private func runningPeak(_ profile: AttentionProfile) -> Double {
    var m = profile.sink ?? -.infinity
    var s = profile.sink == nil ? 0.0 : 1
    var peak = s
    for x in profile.scores {
      if x > m {
        s = s * Double.exp(m - x) + 1
        m = x
      } else {
        s += Double.exp(x - m)
      }
      peak = Swift.max(peak, s)
    }
    return peak
  }

  /// How many tiles have something seen, and in how many of them the running maximum may change.
  private func rescales(_ profile: AttentionProfile) -> (tiles: Int, changes: Int) {
    var tiles = 0
    var changes = 0
    var tile = -1
    var low = profile.sink.map { $0 - (scoreErrors.last ?? 0) } ?? -Double.infinity
    var high = -Double.infinity
    var best = -Double.infinity
    func close() {
      if high > low { changes += 1 }
      low = Swift.max(low, best)
    }
    for (place, j) in profile.keys.enumerated() {
      if j / runner.blockKeys != tile {
        if tile >= 0 { close() }
        tile = j / runner.blockKeys
        tiles += 1
        high = -.infinity
        best = -.infinity
      }
      high = Swift.max(high, profile.scores[place] + scoreErrors[place])
      best = Swift.max(best, profile.scores[place] - scoreErrors[place])
    }
    close()
    return (tiles, changes)
  }
}
