import NumKitQuestions
import RealModule

/// Shares of the keys, each normalised by itself, then merged by rounded log-sum-exps: by others' kernels, of which neither the order of sums
/// nor that of merging is known. `mergeShares` has it of our own.
extension AttentionErrors {
  mutating func split(_ profile: AttentionProfile) -> Division? {
    let n = keys.count
    let tile = runner.tile(keys: keyCount)
    let count = (keyCount + tile - 1) / tile + (profile.sink == nil ? 0 : 1)
    let gamma = a.growth(Swift.min(tile, keyCount))
    let (sigma, peak) = shares(profile, tile, gamma)
    let limit = 1 + 4 * c.exp
    let most = most(peak, n) * limit * (1 + gamma)
    if a.overflows(most) || a.overflows(most * largestValue * (1 + p.u)) { return nil }
    // Two shares' outputs, each a mean of values but for its errors, are weighted by 1 and at most 1 before they are divided.
    let output = (1 + gamma) * (1 + p.u) * limit / (1 - sigma) * (1 + a.growth(4))
    if count > 1, !(sigma < 1) || a.overflows(2 * output * largestValue) { return nil }
    // Relative to its share's own maximum, which is not above the row's.
    for i in 0..<n {
      let begins = i > 0 && keys[i] / tile != keys[i - 1] / tile
      let (x, e) = (terms[i], terms[i].error)
      guard use(x, shared: 0, own: e, atMost: limit, gamma, lift: lift, begins: begins) else { return nil }
    }
    guard let merging = merging(profile, count, sigma) else { return nil }
    if !(merging < .infinity) { return (1, merging) }
    // The share's sum, the quotient, the merges.
    let growth = compounded(compounded(sigma / (1 - sigma), a.u), merging)
    let sum = terms.reduce(0) { $0 + $1.exact }
    self.growth = growth
    for i in 0..<n {
      weights[i].own = (weights[i].own * (1 + growth) + terms[i].exact * growth) / sum
      weights[i].exact /= sum
      weights[i].upper *= (1 + growth) / sum
    }
    constant = (constant + Double(n) * a.tiny * lift) * (1 + growth) / sum + 5 * Double(count) * a.tiny
    return (1, 0)
  }

  /// The worst relative error of a share's sum, and the largest such sum relative to the share's maximum.
  private func shares(_ profile: AttentionProfile, _ tile: Int, _ gamma: Double) -> (
    sigma: Double, peak: Double
  ) {
    let widening = precisions.widening
    var worst = 0.0
    var peak = 0.0
    var start = 0
    while start < keys.count {
      let share = keys[start] / tile
      var end = start
      var sum = 0.0
      var error = 0.0
      var largest = 0.0
      while end < keys.count, keys[end] / tile == share {
        sum += terms[end].exact
        largest = Swift.max(largest, terms[end].exact)
        error += Swift.max(0, terms[end].error - c.tiny * lift)
        end += 1
      }
      // The share's own exponentials are larger than these by a common factor, and the largest of them is 1.
      let lost = Double(end - start) * (c.tiny + widening.absolute) * lift
      let r = sum > 0 ? error / sum + lost : .infinity
      worst = Swift.max(worst, compounded(r, compounded(widening.relative, gamma)))
      if largest > 0 { peak = Swift.max(peak, (sum + error) / largest) }
      start = end
    }
    return (worst, peak)
  }

  /// The relative error that merging adds to any weight: ∞ where nothing can be said, nil where something may overflow.
  private func merging(_ profile: AttentionProfile, _ shares: Int, _ sigma: Double) -> Double? {
    let widening = precisions.widening
    let reach = scoreErrors.indices.reduce(0.0) {
      Swift.max($0, score($1, profile).magnitude + scoreErrors[$1])
    }
    let log = Double.log(Double(keys.count) + 2)
    // No log-sum-exp is larger, as long as none errs by 1.
    let size = reach + log + 1
    if a.overflows(size) || widening.overflows(size) { return nil }
    guard sigma < 1 else { return sigma.isNaN ? nil : .infinity }
    // A share's log-sum-exp: its sum's error, its logarithm, the maximum on its way into the accumulator, the addition.
    let fromSum = -Double.log(onePlus: -sigma)
    var own = fromSum + Swift.max(a.log * (log + fromSum), a.tiny) + widening.error(size) + a.u * size
    if profile.sink != nil { own = Swift.max(own, (scoreErrors.last ?? 0) + widening.error(size)) }
    let roundings = a.growth(5)
    var error = own
    var merging = 0.0
    for _ in 1..<Swift.max(shares, 1) {
      // Both log-sum-exps err, their difference is rounded.
      let r = Double.expMinusOne(error + own + 2 * a.u * size) * (1 + a.exp) + a.exp + a.tiny
      guard r < 1, error < 1 else { return .infinity }
      merging = compounded(compounded(merging, 2 * r / (1 - r)), roundings)
      // The log-sum-exp of both: no more sensitive than the worse, and computed.
      let both = Double.expMinusOne(2 * a.u * size) * (1 + a.exp) + a.exp + a.tiny + a.u
      guard both < 1 else { return .infinity }
      error = Swift.max(error, own) - Double.log(onePlus: -both) + a.log + a.tiny + a.u * size
    }
    return error < 1 ? merging : .infinity
  }
}
