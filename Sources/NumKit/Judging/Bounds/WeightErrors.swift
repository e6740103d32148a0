import CJudging
import NumKitQuestions
import RealModule

/// From the errors of exponentials to those of weights: sums, quotients, casts.
extension AttentionErrors {
  /// What the computed outputs are: Σ of weighted values, each weight off by what stands in `weights` and each output by `constant`,
  /// divided by a sum of at least `divisor`, which errs by what weights share with it and by a part `relative` of the result.
  typealias Division = (divisor: Double, relative: Double)

  /// Fills `weights` and `constant`; nil where a sum may overflow.
  mutating func weigh(_ profile: AttentionProfile) -> Division? {
    weights.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    constant = 0
    growth = 0
    ownsRoundings = true
    switch runner.algorithm {
    case .naive, .standard: return whole(keys.count)
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
  func widened(_ x: Computed) -> Computed { x.erring(by: wideningError(x, lift)) }

  /// What an exponential loses on its way there.
  func wideningError(_ x: Computed, _ lift: Double) -> Double {
    unless(.widening, precisions.widening.error(x.upper, lift: lift))
  }

  /// u of the exponentials' additions, where they have an order.
  var additionError: Double { isOrdered ? unless(.additions, a.u) : 0 }

  /// The sum of a whole row's exponentials, as what they are divided by: nil where it may overflow.
  struct Total {
    let divisor: Computed
    /// What it errs by and the keys' exponentials do not.
    let alone: Double
    /// It is at least that; where that is not positive it may be 0.
    var least: Double { divisor.exact - divisor.error }
  }

  /// The sum of a whole row, in which the sink stands first.
  func total() -> Total? {
    let n = keys.count
    var sum = RunningSum(u: additionError)
    // A sink is where the sum starts.
    for i in (terms.count > n ? [n] : []) + Array(0..<n) { sum.add(widened(terms[i])) }
    if !isOrdered { sum.round(by: a.growth(terms.count)) }
    let s = sum.computed
    var alone = sum.additions(confidence) + (terms.count > n ? widened(terms[n]).error : 0)
    // No exponential is larger than their sum.
    let most =
      isShifted
      ? Swift.min(s.upper * lift, Double(terms.count) * (1 + a.growth(terms.count)))
      : s.upper * Double.exp(top)
    if a.overflows(most) || precisions.widening.overflows(most) { return nil }
    if !isShifted && c.overflows(most) { return nil }
    if precisions.isWide { return Total(divisor: s, alone: alone) }
    if precisions.narrowing.overflows(most) { return nil }
    // A sum of numbers of compute, in no more digits than those have, is one of them: all are multiples of its smallest.
    let narrowing = isOrdered ? 0 : precisions.narrowing.error(s.upper, lift: lift)
    alone += narrowing
    for x in terms { alone += wideningError(x, lift) }
    return Total(divisor: s.erring(by: narrowing), alone: alone)
  }

  /// An exponential divided by the sum, and how much of its error is of the division itself.
  func probability(_ term: Computed, _ total: Total) -> (Computed, division: Double) {
    let x = precisions.isWide ? widened(term) : term
    var q = x.quotient(by: total.divisor)
    var own = unless(.quotient, precisions.isWide ? a.rounding(q.upper) : c.rounding(q.upper))
    if precisions.isWide { own += unless(.quotient, precisions.narrowing.error(q.upper + own)) }
    q.error += own
    return (q, own)
  }

  /// Each probability divided and cast before it is used.
  private mutating func whole(_ n: Int) -> Division? {
    guard let total = total() else { return nil }
    let (least, alone) = (total.least, total.alone)
    let isClipped = parameters.softmax.isClipped
    // Where the sum may be 0 nothing is shared.
    let isShared = !isClipped && least > 0
    ownsRoundings = isShared
    let gamma = unless(.weighing, a.growth(n))
    var used = 0.0
    for i in 0..<n {
      let x = precisions.isWide ? widened(terms[i]) : terms[i]
      var (q, own) = probability(terms[i], total)
      let shared = isShared ? x.error / least : 0
      if !isShared { own = q.error }
      if case .clipped(let lower, let upper) = parameters.softmax {
        q = clipped(q, lower, upper)
        own = q.error
      }
      let limit = Swift.min(q.upper, 1 + 4 * (c.u + a.u))
      guard use(q, shared: shared, own: own, atMost: limit, gamma, lift: 1) else { return nil }
      used += limit
    }
    constant += Double(n) * a.tiny * (1 + gamma)
    if a.overflows(used * largestValue * (1 + p.u) * (1 + 2 * a.u) * (1 + gamma)) { return nil }
    return (1, isShared ? alone / least : 0)
  }

  /// (upper − lower)·p + lower in one rounding, by rounded constants, and no less than 0 nor more than 1.
  private func clipped(_ p: Computed, _ lower: Double, _ upper: Double) -> Computed {
    // Of 0/0, which a row without a shift may come to, clamping makes no number.
    if !(p.error < .infinity) { return p }
    let size = upper - lower
    let isLeftOut = unless(.clipping, 1) == 0
    let (stretch, shift) = isLeftOut ? (size, lower) : (c.format.round(size), c.format.round(lower))
    if c.overflows(size) || c.overflows(lower.magnitude) { return .unknown }
    var e = stretch * p.error + (stretch - size).magnitude * p.exact + (shift - lower).magnitude
    e += 0x1p-51 * size
    e += unless(.clipping, c.rounding(Swift.max(stretch * p.upper, -shift)))
    let exact = size * p.exact + lower
    // Both are clamped.
    return Computed(exact: Swift.min(1, Swift.max(0, exact)), error: Swift.min(e, 1))
  }

  /// A weight on its way through P into the accumulator, and what it loses there.
  func cast(_ q: Computed, lift: Double) -> (Computed, lost: Double) {
    let s = runner.probabilityScale
    var w = q
    var lost = 0.0
    func err(_ more: Double) {
      w.error += more
      lost += more
    }
    // Multiplied by a power of two, which loses digits below the normal range alone.
    if s < 1 { err(unless(.spreading, Swift.min(c.tiny * lift / s, w.upper))) }
    err(unless(.casting, casting.error(w.upper, lift: lift / s)))
    err(unless(.using, using.error(w.upper, lift: lift / s)))
    if s > 1 { err(unless(.spreading, Swift.min(a.tiny * lift, w.upper))) }
    return (w, lost)
  }

  /// Notes the error of a weight after the cast to P, on its way into the accumulator (with the value's), and of rescaling there, whose
  /// relative error is `growth`; false where it may overflow: in the kernel's units it is at most `limit`. `shared` and `own` are what `q`
  /// errs by so far. Where the kernel's 1 is worth `lift` in the units of `q`, so is what underflows; `gamma` is what all roundings of the
  /// sum may come to, and `begins` says where one starts.
  mutating func use(
    _ q: Computed, shared: Double, own: Double, atMost limit: Double, _ gamma: Double, lift: Double,
    begins: Bool = false, isOne: Bool = false
  ) -> Bool {
    if q.error.isNaN { return false }
    let size = limit * runner.probabilityScale * (1 + p.u)
    if c.overflows(size) || casting.overflows(size) || using.overflows(size) { return false }
    // 1 is a number of every format.
    let (w, lost) = isOne && runner.probabilityScale == 1 ? (q, 0) : cast(q, lift: lift)
    let added = own + lost
    // In whatever order: no term is rounded more often than all of them together.
    let relative = compounded(values.relative, isOrdered ? growth : gamma)
    weights.append(
      nc_weight(
        exact: q.exact, upper: w.upper * (1 + relative), shared: shared, own: added + w.upper * relative,
        total: w.error + w.upper * relative))
    starts.append(begins ? 1 : 0)
    // Once as it is, and once where a rounding is bounded by the term.
    constant += w.upper * values.absolute * (2 + gamma)
    return true
  }

  /// A running sum of exponentials: what it errs by and the keys' do not, and what rescaling loses of each.
  mutating func rescaled(_ profile: AttentionProfile) -> (alone: Double, lost: Double, changes: Int) {
    let n = keys.count
    let changes = rescales(profile)
    let widening = precisions.widening
    // What each rescaling does to what has been gathered: its factor's rounding, the product's; the exponents' are the terms'.
    let each = unless(.rescaling, compounded(compounded(c.exp, widening.relative), a.u))
    growth = Double.expMinusOne(Double(changes) * Double.log(onePlus: each))
    let above = Double.exp(laziness)
    let lost = unless(.rescaling, Double(changes) * (c.tiny + widening.absolute) * lift * above)
    // The sum: a tile's from 0, then the tiles'.
    var sum = RunningSum(u: additionError * (1 + growth))
    if profile.sink != nil { sum.add(widened(terms[n]).erring(by: lost)) }
    var tile = RunningSum(u: sum.u)
    var alone = Double(changes) * a.tiny * lift
    for i in 0..<n {
      if i > 0, keys[i] / runner.blockKeys != keys[i - 1] / runner.blockKeys {
        sum.add(tile)
        tile = RunningSum(u: sum.u)
      }
      tile.add(widened(terms[i]).erring(by: lost))
    }
    sum.add(tile)
    if !isOrdered { sum.round(by: a.growth(terms.count + 1) * (1 + growth)) }
    for x in terms { alone += wideningError(x, lift) + widened(x).upper * growth + lost }
    if terms.count > n { alone += terms[n].error }
    alone += sum.additions(confidence)
    return (alone, lost, changes)
  }

  /// Weights relative to the last maximum, divided at the end.
  private mutating func flash(_ profile: AttentionProfile) -> Division? {
    let n = keys.count
    let (alone, lost, changes) = rescaled(profile)
    let above = Double.exp(laziness)
    let gamma = compounded(a.growth(2 * n + 1), growth)
    let limit = above * (1 + 4 * c.exp)
    for i in 0..<n {
      let x = terms[i]
      guard
        use(
          x.erring(by: lost), shared: x.error, own: lost, atMost: limit, gamma, lift: lift, isOne: isOne[i])
      else { return nil }
    }
    constant += Double(n + changes) * a.tiny * lift * (1 + gamma)
    // In units of the maxima on the way sums may be larger than in the end.
    let most = most(runningPeak(profile), terms.count) * limit
    if a.overflows(most * (1 + gamma)) || a.overflows(most * largestValue * (1 + gamma)) { return nil }
    let (exact, error) = terms.reduce((0, alone)) { ($0.0 + $1.exact, $0.1 + $1.error) }
    guard error < exact else { return (exact, error.isNaN ? .nan : .infinity) }
    return (exact - error, alone / (exact - error))
  }

  /// The largest sum of exponentials relative to the running maximum, key after key.
  private func runningPeak(_ profile: AttentionProfile) -> Double {
    var m = profile.sink ?? -.infinity
    var s = profile.sink == nil ? 0.0 : 1
    var peak = s
    for x in scores {
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

  /// In how many tiles the running maximum may change.
  private func rescales(_ profile: AttentionProfile) -> Int {
    var changes = 0
    var tile = -1
    var low = profile.sink.map { $0 - (scoreErrors.last ?? 0) } ?? -Double.infinity
    var high = -Double.infinity
    var best = -Double.infinity
    func close() {
      // Before the first one there is nothing to rescale.
      if high > low && low > -.infinity { changes += 1 }
      low = Swift.max(low, best)
    }
    for (place, j) in keys.enumerated() {
      if j / runner.blockKeys != tile {
        if tile >= 0 { close() }
        tile = j / runner.blockKeys
        high = -.infinity
        best = -.infinity
      }
      high = Swift.max(high, scores[place] + scoreErrors[place])
      best = Swift.max(best, scores[place] - scoreErrors[place])
    }
    close()
    return changes
  }
}
