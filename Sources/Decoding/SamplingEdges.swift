import NumKit
import RealModule

/// What rounding can do to the tokens that a right sampler keeps of one row, whatever the order in which it sums: for each token whether
/// it is kept in any case, or possibly, and between what its weight lies. `Documentation/Bounds.md` derives it.
struct SamplingEdges {
  /// Whether the token at a place of the truth's order is kept by every right sampler.
  private(set) var sure: [Bool]
  /// Whether by some.
  private(set) var possible: [Bool]
  /// The places' tokens.
  let tokens: [Int]
  private var row: RoundedLogits
  /// The tokens that weights are shares of: those that are in any case, and possibly.
  private var whole: (sure: [Bool], possible: [Bool])

  /// nil where something may overflow.
  init?(_ logits: [Double], _ truth: SamplingTruth, _ chain: SamplingChain, _ roundings: SamplerRoundings) {
    tokens = Array(truth.order.prefix(truth.finite))
    let sorted = tokens.map { logits[$0] }
    let all = [Bool](repeating: true, count: sorted.count)
    (sure, possible, whole) = (all, all, (all, all))
    guard let undivided = RoundedLogits(sorted, 1, roundings) else { return nil }
    row = undivided
    for step in chain.steps {
      switch step {
      case .temperature:
        guard let divided = RoundedLogits(sorted, chain.rule.temperature, roundings) else { return nil }
        row = divided
      case .topK:
        if let k = chain.rule.topK { cut(topK: k, row, ties: chain.keepsTies) }
        if chain.whole == .leftByTopK { whole = (sure, possible) }
      case .topP:
        if let p = chain.rule.topP { cut(topP: p, row, chain) }
      case .minP:
        if let m = chain.rule.minP { cut(minP: m, row, isAbsolute: chain.isAbsolute) }
      }
    }
    if chain.whole == .kept { whole = (sure, possible) }
  }

  /// Whether every right sampler keeps the same.
  var isDecided: Bool { sure == possible }

  private mutating func keep(_ place: Int, sure isSure: Bool, possible isPossible: Bool) {
    sure[place] = sure[place] && isSure
    possible[place] = possible[place] && isPossible
  }

  private mutating func cut(topK k: Int, _ row: RoundedLogits, ties: Bool) {
    for i in sure.indices {
      let (least, most) = ties ? row.larger(than: i) : row.before(i)
      keep(i, sure: most < k, possible: least < k)
    }
  }

  private mutating func cut(topP p: Double, _ row: RoundedLogits, _ chain: SamplingChain) {
    let sums = PartialSums(row, sure: sure, possible: possible)
    let isExact = sums.isExact && row.roundings.holds(p)
    let slack = isExact ? 0 : 4 * row.roundings.unit
    let error = isExact ? 0 : sums.error
    // What is looked at is what stands before a token; of one token later or earlier where a chain ends there.
    let shift = chain.edge == .within ? 1 : chain.edge == .oneMore ? -1 : 0
    let isClosed = chain.edge == .within || chain.edge == .beyond
    let n = sure.count
    let before = (0..<n).map { sums.before($0) }
    for i in 0..<n {
      let (least, most) = row.before(i)
      let place = i + shift
      let share = place < 0 ? (0, 0) : place < n ? before[place] : (1, 1)
      func isKept(_ share: Double, _ p: Double) -> Bool { isClosed ? share <= p : share < p }
      keep(
        i, sure: most == 0 || place < 0 || isKept(share.1 + error, p * (1 - slack) - slack),
        possible: least == 0 || isKept(share.0 - error, p * (1 + slack) + slack))
    }
  }

  private mutating func cut(minP m: Double, _ row: RoundedLogits, isAbsolute: Bool) {
    let sums = PartialSums(row, sure: sure, possible: possible)
    let log = Double.log(m).magnitude
    let (first, last) = (row.exponential(0), sums.most)
    for i in sure.indices {
      let e = row.exponential(i)
      // Shares, or logits less the logarithm; what is 0 by underflow is at most that share of all.
      let t = 4 * row.roundings.unit * (row.size(i) + row.size(0) + log + 2)
      let lost = row.roundings.tiny * last
      let (low, high) = (e.low * Double.exp(-t) - lost, e.high * Double.exp(t) + lost)
      if isAbsolute {
        let (least, most) = row.before(i)
        keep(
          i, sure: most == 0 || low / last > m + sums.error,
          possible: least == 0 || high / Swift.max(sums.least, first.low) >= m - sums.error)
      } else {
        keep(i, sure: low > m * first.high, possible: high >= m * first.low)
      }
    }
  }

  /// What the weight of a place that is possibly kept lies between where it is; the kept set may be any of those possible.
  func weights() -> [(low: Double, high: Double)] {
    let sums = PartialSums(row, sure: whole.sure, possible: whole.possible)
    return sure.indices.map { i in
      guard possible[i] else { return (0, 0) }
      let e = row.exponential(i)
      let rest = Swift.max(0, sums.least - (whole.sure[i] ? e.low : 0))
      let others = Swift.max(0, sums.most - (whole.possible[i] ? e.high : 0))
      let low = e.low / (e.low + others * (1 + 0x1p-40))
      let high = e.high / (e.high + rest * (1 - 0x1p-40))
      return (low * (1 - sums.error), Swift.min(1, high) * (1 + sums.error) + row.roundings.tiny)
    }
  }
}

/// What a sampler computes in.
struct SamplerRoundings {
  /// The format of all but sums.
  let compute: NumberFormat
  private let accumulator: NumberFormat
  /// The relative error of an exponential: what bounds allow the platform's, and at least two ulps.
  let exponential: Double

  /// nil where exponentials cannot be used.
  init?(compute: NumberFormat, accumulator: NumberFormat) {
    (self.compute, self.accumulator) = (compute, accumulator)
    let ulps = LibraryAccuracy.of(compute)?.ulps(.exp) ?? 0.5
    guard ulps < .infinity else { return nil }
    exponential = 2 * compute.unitRoundoff * Swift.max(2, ulps)
  }

  /// The larger unit roundoff.
  var unit: Double { Swift.max(compute.unitRoundoff, accumulator.unitRoundoff) }
  /// What is lost where a number is too small.
  var tiny: Double { Swift.max(compute.smallestNormal, accumulator.smallestNormal) }

  /// Whether p and what it lacks to 1 are numbers of both formats.
  func holds(_ p: Double) -> Bool {
    [p, 1 - p].allSatisfy { compute.round($0) == $0 && accumulator.round($0) == $0 }
  }

  /// The most that is counted exactly.
  var count: Double { Swift.min(1 / unit, compute.largestFinite, accumulator.largestFinite) }

  /// The error of a share of n weights and of any sum of such: two sums in any order, each share rounded and renormalised, each
  /// possibly lost by underflow.
  func error(ofShares n: Int) -> Double {
    2 * Double.expMinusOne(Double(n + 4) * Double.log(onePlus: accumulator.unitRoundoff)) + 16 * unit
      + Double(n) * tiny
  }
}

/// Sorted logits over a temperature as a sampler may have them, and the exponentials of what they are below the largest.
private struct RoundedLogits {
  let roundings: SamplerRoundings
  let count: Int
  private let z: [Double]
  /// What each may be off by.
  private let errors: [Double]
  private let weights: [(low: Double, high: Double)]
  /// Where each run of equal logits begins and ends.
  private let runs: [Range<Int>]
  /// The first place that is not surely larger, and the first that is surely smaller.
  private let reach: [(first: Int, end: Int)]

  /// nil where something may overflow.
  init?(_ sorted: [Double], _ temperature: Double, _ roundings: SamplerRoundings) {
    self.roundings = roundings
    let c = roundings.compute
    let u = c.unitRoundoff
    let n = sorted.count
    count = n
    // A temperature, its reciprocal and a product are three roundings, and reading is one.
    let isExact = sorted.allSatisfy { c.round($0) == $0 }
    let divides = temperature != 1
    let relative = (divides ? 4 * u + 0x1p-50 : 0) + (isExact ? 0 : 2 * u)
    let absolute = divides || !isExact ? c.smallestNormal : 0
    let z = sorted.map { $0 / temperature }
    let errors = z.map { relative * $0.magnitude + absolute }
    guard relative < 0.5, let size = z.map(\.magnitude).max(),
      2 * (size + sorted.reduce(0) { Swift.max($0, $1.magnitude) }) < c.largestFinite
    else { return nil }
    (self.z, self.errors) = (z, errors)
    weights = (0..<n).map { i in
      let distance = z[0] - z[i]
      // Both logits; the difference, the constant of another base and its product.
      let shift = errors[i] + errors[0]
      let argument = shift + 3 * u * (distance + shift) + 0x1p-49 * (1 + distance)
      let w = Double.exp(-distance)
      let low = w * Double.exp(-argument) * (1 - roundings.exponential) - c.smallestNormal
      return (
        Swift.max(0, low), w * Double.exp(argument) * (1 + roundings.exponential) + c.smallestNormal
      )
    }
    var runs: [Range<Int>] = []
    runs.reserveCapacity(n)
    while runs.count < n {
      let start = runs.count
      let end = sorted[start...].firstIndex { $0 != sorted[start] } ?? n
      runs += Array(repeating: start..<end, count: end - start)
    }
    self.runs = runs
    // Both ends fall with the place: errors grow slower than logits.
    var (first, end) = (0, 0)
    reach = (0..<n).map { i in
      while first < i, z[first] - errors[first] > z[i] + errors[i] { first += 1 }
      while end < n, z[end] + errors[end] >= z[i] - errors[i] { end += 1 }
      return (Swift.min(first, runs[i].lowerBound), Swift.max(end, runs[i].upperBound))
    }
  }

  func size(_ i: Int) -> Double { z[i].magnitude + errors[i] }
  func exponential(_ i: Int) -> (low: Double, high: Double) { weights[i] }
  func run(_ i: Int) -> Range<Int> { runs[i] }
  func reach(_ i: Int) -> (first: Int, end: Int) { reach[i] }

  /// How many tokens stand before this one, at least and at most. Roundings never exchange two logits, but make them equal; equal ones
  /// stay so.
  func before(_ i: Int) -> (least: Int, most: Int) {
    (reach[i].first + i - runs[i].lowerBound, i + reach[i].end - runs[i].upperBound)
  }

  /// How many are larger.
  func larger(than i: Int) -> (least: Int, most: Int) {
    (reach[i].first, runs[i].lowerBound + reach[i].end - runs[i].upperBound)
  }
}

/// Sums of exponentials over the first tokens of an order that may be another by a little.
private struct PartialSums {
  private let row: RoundedLogits
  private var surely: [Double] = [0]
  private var possibly: [Double] = [0]
  private var low: [Double] = [0]
  /// The error of a share.
  let error: Double
  /// Whether nothing is rounded: all that is left is as likely, and 1, 2, 4, … of them. How many there are, in `whole`.
  let isExact: Bool
  private let whole: Int

  init(_ row: RoundedLogits, sure: [Bool], possible: [Bool]) {
    self.row = row
    let left = possible.count { $0 }
    whole = left
    isExact =
      sure == possible && left <= row.run(0).count && left & (left - 1) == 0
      && Double(left) <= row.roundings.count && possible.prefix(left).allSatisfy { $0 }
    for i in 0..<row.count {
      let e = row.exponential(i)
      surely.append(surely[i] + (sure[i] ? e.low : 0))
      possibly.append(possibly[i] + (possible[i] ? e.high : 0))
      low.append(low[i] + e.low)
    }
    // And what these sums round themselves.
    error = row.roundings.error(ofShares: row.count) + Double(row.count + 8) * 0x1p-50
  }

  /// The sum of all, at least and at most.
  var least: Double { surely[row.count] }
  var most: Double { possibly[row.count] }

  /// The share of what stands before a token, at least and at most, before sums round. Who is kept has all that surely stand before it
  /// beside it.
  func before(_ i: Int) -> (low: Double, high: Double) {
    if isExact {
      let share = Double(Swift.min(i, whole)) / Double(whole)
      return (share, share)
    }
    let (run, reach) = (row.run(i), row.reach(i))
    let fewest = low[reach.first] + low[i] - low[run.lowerBound]
    let rest = most - (possibly[reach.first] + possibly[i] - possibly[run.lowerBound])
    let most = possibly[i] + possibly[reach.end] - possibly[run.upperBound]
    let own = row.exponential(i).low
    let sureRest =
      own + surely[run.upperBound] - surely[i + 1] + surely[row.count] - surely[reach.end]
    return (
      fewest / (fewest + Swift.max(rest, own)), most == 0 ? 0 : most / (most + Swift.max(sureRest, 0))
    )
  }
}

/// What kept sets and weights may be off by.
struct SamplingErrors: FormulaErrors {
  private let formula: SamplingFormula
  private let roundings: SamplerRoundings

  /// nil where exponentials cannot be used.
  init?(formula: SamplingFormula, compute: NumberFormat, accumulator: NumberFormat) {
    guard let roundings = SamplerRoundings(compute: compute, accumulator: accumulator) else { return nil }
    (self.formula, self.roundings) = (formula, roundings)
  }

  /// A mask says something wherever not all of it is open.
  var isMembership: Bool { formula.isMask }

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    guard let truth = SamplingTruth(x, formula.chain),
      let edges = SamplingEdges(x, truth, formula.chain, roundings)
    else { return false }
    for i in bounds.indices { bounds[i] = 0 }
    let weights = formula.isMask ? [] : edges.weights()
    for (place, token) in edges.tokens.enumerated() where edges.possible[place] {
      if formula.isMask {
        bounds[token] = edges.sure[place] ? 0 : 1
      } else {
        let low = edges.sure[place] ? weights[place].low : 0
        bounds[token] = Swift.max(weights[place].high - exact[token], exact[token] - low, 0)
      }
    }
    return true
  }
}
