import NumKitKernels
import NumKitQuestions
import RealModule

/// Sound a-priori bounds on the error of attention's outputs: what a correct kernel of an algorithm may do to the inputs it got.
///
/// The error runs along the computation: products and sums of a score, its scale, cap and bias; the exponential; the sum; the cast of
/// P; the weighted sum; the division or the merging. A shift that all terms of a row share does not count.
struct AttentionErrors {
  private let runner: AttentionRunner
  private let parameters: AttentionParameters
  private let c: Precision
  private let a: Precision
  private let p: Precision
  private let storage: Precision?
  private let scale: Double
  private let size: Int
  private let keyCount: Int
  /// Largest magnitudes of queries and keys: what underflow multiplies.
  private let reach: Double

  // One row's.
  private var scoreError: [Double] = []
  /// e^(s − max) and a bound on the error of the computed one.
  private var exact: [Double] = []
  private var errors: [Double] = []
  private var weights: [Double] = []
  private var top = 0.0
  private var topError = 0.0

  /// nil where no bound was derived: sentinels, norms, inputs rounded once more for computing.
  init?(_ runner: AttentionRunner, _ tensors: AttentionInputs, _ parameters: AttentionParameters) {
    guard runner.sentinel == nil, parameters.norm == nil else { return nil }
    let configuration = runner.configuration
    c = Precision(configuration.compute)
    a = Precision(configuration.accumulator)
    p = Precision(runner.probabilities ?? configuration.compute)
    let output = runner.outputFormat
    storage = output == c.format ? nil : Precision(output)
    if let s = storage, c.format.precision < s.format.precision || c.format.minExponent > s.format.minExponent
    {
      return nil
    }
    self.runner = runner
    self.parameters = parameters
    scale = (parameters.scale ?? 1 / Double(tensors.shape.headSize).squareRoot()).magnitude
    size = tensors.shape.headSize
    keyCount = tensors.shape.keys
    func largest(_ x: [Double]) -> Double { x.reduce(0) { Swift.max($0, $1.magnitude) } }
    reach = largest(tensors.q) + largest(tensors.k)
  }

  /// Writes a bound on each output's absolute error into `bounds`; `values` are the head's, `truth` the exact outputs in Double.
  mutating func bound(
    _ profile: AttentionProfile, values: UnsafePointer<Double>, truth: [Double], into bounds: inout [Double]
  ) -> RowBound {
    guard profile.isRegular, prepare(profile) else { return .none }
    let width = truth.count
    guard let (divisor, relative) = weigh(profile) else { return .none }
    if !(relative < .infinity) {
      for col in 0..<width { bounds[col] = .infinity }
      return .vacuous
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
      var e = bounds[col] + relative * truth[col].magnitude + Double(profile.keys.count + 2) * a.tiny
      e += c.conversion(from: a) * (truth[col].magnitude + e) + c.tiny
      if let storage { e += storage.u * (truth[col].magnitude + e) + storage.tiny }
      if e.isNaN { return .none }
      bounds[col] = e * (1 + 0x1p-20)
      worst = Swift.max(worst, bounds[col])
      largest = Swift.max(largest, truth[col].magnitude)
    }
    if largest + worst > (storage ?? c).largest { return .none }
    return worst >= largest && largest > 0 ? .vacuous : .sound
  }

  // MARK: Scores and exponentials

  /// Errors of scores and exponentials; false where one may overflow.
  private mutating func prepare(_ profile: AttentionProfile) -> Bool {
    let n = profile.scores.count
    scoreError.removeAll(keepingCapacity: true)
    exact.removeAll(keepingCapacity: true)
    errors.removeAll(keepingCapacity: true)
    let conversion = a.conversion(from: c)
    let before = parameters.placement == .before
    var relative = (1 + conversion) * (1 + conversion) * (1 + a.gamma(size)) - 1
    if before { relative = (1 + relative) * (1 + c.u) * (1 + c.u) - 1 }
    let d = Double(size)
    let underflow = d * a.tiny + d * reach * ((before ? c.tiny : 0) + (conversion > 0 ? a.tiny : 0))
    let after = before ? 1 : scale
    for j in 0..<n {
      let m = profile.magnitudes[j]
      let bias = profile.biases[j]
      let s = parameters.softcap == nil ? (profile.scores[j] - bias).magnitude : m
      var e = relative * m + underflow * after
      let raw = (s + e) / after
      if raw * (1 + c.u) > c.largest || m * (1 + relative) / after > a.largest { return false }
      e += c.conversion(from: a) * (s + e) + c.tiny * after
      if !before {
        // The factor is rounded, and the product.
        let twice = c.u * (2 + c.u)
        e += twice * (s + e) + c.tiny
      }
      if let cap = parameters.softcap {
        e = e * (1 + 4 * c.u) + 4 * c.u * m + cap * c.tiny
        e += (c.tanh + 3 * c.u) * Swift.min(cap, m + e) * 1.02 + c.tiny
        if cap > c.largest || m / cap > c.largest { return false }
      }
      if bias != 0 {
        if bias.magnitude > c.largest { return false }
        e += c.u * bias.magnitude + c.tiny
        e += c.u * (profile.scores[j].magnitude + e) + c.tiny
      }
      if profile.scores[j].magnitude + e > c.largest { return false }
      scoreError.append(e)
    }
    let sinkError = profile.sink.map { c.u * $0.magnitude + c.tiny }
    top = profile.scores.reduce(profile.sink ?? -.infinity, Swift.max)
    // Whatever may turn out to be the largest.
    let leader = profile.scores.firstIndex(of: top).map { scoreError[$0] } ?? sinkError ?? 0
    topError = leader
    for j in 0..<n where profile.scores[j] + scoreError[j] >= top - leader {
      topError = Swift.max(topError, scoreError[j])
    }
    for j in 0..<n { add(profile.scores[j], scoreError[j]) }
    if let sink = profile.sink { add(sink, sinkError ?? 0) }
    return errors.allSatisfy { !$0.isNaN }
  }

  private var pScale: Double { runner.probabilityScale }

  /// What the cast to P loses of a probability too small for it.
  private var castTiny: Double { (p.tiny + (pScale == 1 ? 0 : c.tiny)) / pScale }

  private var isShifted: Bool { runner.algorithm != .naive }

  /// What the smallest numbers are worth beside e^(s − max).
  private var lift: Double { isShifted ? Double.exp(topError) : Double.exp(-top) }

  private mutating func add(_ score: Double, _ error: Double) {
    let d = top - score
    let lazy = runner.algorithm == .flash ? runner.laziness : 0
    // Differences are rounded; those of the maxima on the way add up to no more than the whole.
    let x = error + (isShifted ? c.u * (d + 2 * (error + topError) + lazy) : 0)
    let e = Double.exp(-d)
    let small = Swift.min(e * (Double.expMinusOne(x) * (1 + c.exp) + c.exp), Double.exp(x - d) * (1 + c.exp))
    exact.append(e)
    errors.append(small + c.tiny * lift)
  }

  // MARK: Sums

  /// Fills `weights` with bounds on the errors of the weights, and returns what they are to be divided by, and what comes on top
  /// relative to the result; nil where a sum may overflow.
  private mutating func weigh(_ profile: AttentionProfile) -> (divisor: Double, relative: Double)? {
    let n = profile.keys.count
    let sum = exact.reduce(0, +)
    weights.removeAll(keepingCapacity: true)
    switch runner.algorithm {
    case .naive, .standard: return whole(n, sum)
    case .flash: return flash(profile, n, sum)
    case .splitKV: return split(profile, n, sum)
    }
  }

  /// Each probability divided and cast before it is used.
  private mutating func whole(_ n: Int, _ sum: Double) -> (Double, Double)? {
    let conversion = a.conversion(from: c)
    let additions = SumErrors(u: a.u)
    var total = SumErrors.Computed(exact: 0, error: 0)
    // A sink is where the sum starts.
    for i in (exact.count > n ? [n] : []) + Array(0..<n) {
      let term = SumErrors.Computed(
        exact: exact[i], error: errors[i] + conversion * (exact[i] + errors[i]) + a.tiny * lift)
      total = total.exact == 0 ? term : additions.adding(total, term)
    }
    let unit = isShifted ? Double.exp(topError) : Double.exp(top)
    guard total.upper * unit <= a.largest else { return nil }
    if !isShifted && Double.exp(top + topError) * (1 + c.exp) > c.largest { return nil }
    let sigma = total.error / sum
    if 1.01 * pScale > Swift.min(p.largest, c.largest) { return nil }
    let mixed =
      a.format.precision > c.format.precision ? a.u + c.u * (1 + a.u) : 2 * c.u + c.conversion(from: a)
    let gamma = a.gamma(keyCount)
    for i in 0..<n {
      let q = exact[i] / sum
      var e = sigma < 1 ? ((exact[i] + errors[i]) / (1 - sigma) * (1 + mixed) - exact[i]) / sum : .infinity
      e += 2 * c.tiny
      if case .clipped(let lower, let upper) = parameters.softmax {
        e = (upper - lower) * e + 3 * c.u * (upper - lower - lower) + c.tiny
      }
      weights.append(used(q, e, gamma))
    }
    return (1, 0)
  }

  /// The error of a weight q ± e after the cast to P, conversion to the accumulator (with the value's) and `gamma` of additions.
  private func used(_ q: Double, _ e: Double, _ gamma: Double) -> Double {
    var e = e
    if p.format != c.format || runner.probabilityScale != 1 { e += p.u * (q + e) + castTiny }
    let conversion = a.conversion(from: c)
    if conversion > 0 { e += 2.1 * conversion * (q + e) + a.tiny }
    let clipped: Bool
    if case .clipped = parameters.softmax { clipped = true } else { clipped = false }
    // A clipped probability may have grown to 1.
    return e + gamma * ((clipped ? 1 : q) + e)
  }

  /// Weights relative to the last maximum, divided at the end.
  private mutating func flash(_ profile: AttentionProfile, _ n: Int, _ sum: Double) -> (Double, Double)? {
    let (tiles, changes) = rescales(profile)
    let conversion = a.conversion(from: c)
    // What each rescaling does to what has been gathered: its factor's rounding, the product's.
    let growth = power((1 + c.exp) * (1 + conversion) * (1 + a.u), changes) - 1
    let block = Swift.min(runner.blockKeys, keyCount)
    let gammaSum = a.gamma(block + tiles)
    let gamma = a.gamma(keyCount + tiles)
    let lost = Double(changes) * c.tiny
    var sumError = 0.0
    for i in exact.indices {
      let e = grown(errors[i], exact[i], growth)
      let converted = e + conversion * (exact[i] + e) + a.tiny
      sumError += converted + gammaSum * (exact[i] + converted) + lost
    }
    for i in 0..<n {
      weights.append(used(exact[i], grown(errors[i], exact[i], growth), gamma) + castTiny + lost + a.tiny)
    }
    let lazy = Double.exp(topError + runner.laziness)
    let sigma = sumError / sum
    guard (sum + sumError) * lazy <= a.largest, lazy * 1.01 * pScale <= p.largest,
      lazy * 1.01 * pScale <= c.largest,
      weighted(profile) * lazy <= a.largest
    else { return nil }
    guard sigma < 1 else { return (sum, .infinity) }
    return (sum * (1 - sigma) / (1 + a.u), sigma / (1 - sigma) * (1 + a.u) + a.u)
  }

  /// Each share normalised by itself, then merged by rounded log-sum-exps.
  private mutating func split(_ profile: AttentionProfile, _ n: Int, _ sum: Double) -> (Double, Double)? {
    let tile = runner.tile(keys: keyCount)
    let shares = (keyCount + tile - 1) / tile + (profile.sink == nil ? 0 : 1)
    let conversion = a.conversion(from: c)
    let block = Swift.min(tile, keyCount)
    let gamma = a.gamma(block)
    let sigma = shareSigma(profile, tile, conversion, gamma)
    guard sigma < 1 else { return (1, .infinity) }
    let count = Double.log(Double(Swift.max(n, 2)) + 1)
    let reach = profile.scores.indices.reduce(profile.sink?.magnitude ?? 0) {
      Swift.max($0, profile.scores[$1].magnitude + scoreError[$1])
    }
    let size = reach + count + 1
    var error = -Double.log(onePlus: -sigma) + a.log * (count + 1) + a.u * 3 * size + a.tiny
    let own = error
    var merging = 1.0
    for _ in 1..<Swift.max(shares, 1) {
      let argument = error + own + a.u * 2 * size
      let r = Double.expMinusOne(argument) * (1 + a.exp) + a.exp + a.tiny
      guard r < 1 else { return (1, .infinity) }
      merging *= (1 + r) / (1 - r) * power(1 + a.u, 5)
      error = Swift.max(error, own) + 1.1 * (Double.expMinusOne(a.u * 2 * size) + 2 * a.exp + 2 * a.u)
      error += a.log + a.u * size
    }
    guard merging < .infinity, 1.01 * pScale <= Swift.min(p.largest, c.largest),
      weighted(profile) * Double.exp(topError) <= a.largest, size <= a.largest
    else {
      return (1, .infinity)
    }
    for i in 0..<n {
      let q = exact[i] / sum
      // Relative to its share's own maximum, which is not farther than the row's.
      let e = used(q, errors[i] / sum, gamma) + castTiny + c.tiny + a.tiny
      weights.append((q + e) / (1 - sigma) * (1 + a.u) * merging - q + a.tiny * Double(shares))
    }
    return (1, 0)
  }

  /// The worst relative error of a share's sum.
  private func shareSigma(
    _ profile: AttentionProfile, _ tile: Int, _ conversion: Double, _ gamma: Double
  ) -> Double {
    var worst = 0.0
    var start = 0
    while start < profile.keys.count {
      let share = profile.keys[start] / tile
      var end = start
      var sum = 0.0
      var error = 0.0
      while end < profile.keys.count, profile.keys[end] / tile == share {
        sum += exact[end]
        error += errors[end] - c.tiny * lift
        end += 1
      }
      // The share's own exponentials are larger than these by a common factor, and the largest of them is 1.
      let r = sum > 0 ? error / sum + Double(end - start) * c.tiny * lift : .infinity
      worst = Swift.max(worst, r + conversion * (1 + r) + gamma * (1 + r) + Double(end - start) * a.tiny)
      start = end
    }
    return worst
  }

  /// How many tiles have something seen, and in how many of them the running maximum may change.
  private func rescales(_ profile: AttentionProfile) -> (tiles: Int, changes: Int) {
    var tiles = 0
    var changes = 0
    var tile = -1
    var low = profile.sink ?? -Double.infinity
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
      high = Swift.max(high, profile.scores[place] + scoreError[place])
      best = Swift.max(best, profile.scores[place] - scoreError[place])
    }
    close()
    return (tiles, changes)
  }

  private func grown(_ error: Double, _ value: Double, _ growth: Double) -> Double {
    error * (1 + growth) + value * growth
  }

  private func power(_ x: Double, _ n: Int) -> Double { Double.pow(x, n) }

  /// An upper bound on any unnormalised weighted sum.
  private func weighted(_ profile: AttentionProfile) -> Double {
    (0..<profile.keys.count).reduce(0) { $0 + exact[$1] + errors[$1] } * largestValue
  }

  /// Bounds |v|.
  var largestValue = 1.0
}
