import NumKit

/// What right kernels' errors are and may be, as tests hold them: gathered row by row while an experiment runs, for any question.
/// One instance serves one thread; what is gathered does not depend on the order of rows.
public struct ToleranceObserver<Q: Question>: Observer {
  private let question: Q
  private let format: NumberFormat
  private let limits: [ToleranceRule.Limit]
  private var models: [(any ErrorModel<Q>)?]
  /// The same where roundings are random, exceeded by one row in 10⁶.
  private var random: [(any ErrorModel<Q>)?]
  private var profile: Q.Profile?
  private var layout: [ResultRow] = []
  /// One for each candidate.
  public private(set) var tolerances: [KernelTolerance]
  /// The same for the correctly rounded results, which no rule should refuse.
  public private(set) var rounded: KernelTolerance
  /// What the rules let through; nil where that is not asked.
  private(set) var defective: DefectiveResults?
  /// What any of the candidates may err by in the row at hand; NaN where one has no bound.
  private var widest: [Double] = []

  /// Watches results of the first part, numbers of `format`; `models` are the candidates' own.
  init(
    _ question: Q, _ format: NumberFormat, _ candidates: [any Candidate<Q>], _ limits: [ToleranceRule.Limit],
    cancels: Bool, triesDefects: Bool
  ) {
    self.question = question
    self.format = format
    self.limits = limits
    models = candidates.map { $0.errorModel() }
    random = models.map { model in
      (model as? any ProbabilisticErrorModel<Q>).map { $0.exceeded(withProbability: KernelTolerance.rarity) }
    }
    tolerances = candidates.map { _ in KernelTolerance(limits, cancels: cancels) }
    rounded = KernelTolerance(limits)
    defective = triesDefects && !limits.isEmpty ? DefectiveResults(limits, format) : nil
  }

  public mutating func see(stored: Answered<Q>, given: Answered<Q>) {
    profile = stored.profile
    layout.removeAll(keepingCapacity: true)
    question.layout(of: stored.item, into: &layout)
    let truth = stored.truths[0]
    let exact = FlatTruth(truth).value
    truth.rounded.withUnsafeBufferPointer { y in
      rounded.add(y, truth.rounded, exact, bounds: nil, random: nil, format)
    }
  }

  public mutating func see(
    candidate k: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth]
  ) {
    guard let row = layout.first, let profile else { return }
    let exact = flat[0].value
    let y = UnsafeBufferPointer(rebasing: results[0..<exact.count])
    let allowed = row.bounds(by: &models[k], of: item, profile, exact: exact)
    tolerances[k].add(
      y, truths[0].rounded, exact, bounds: allowed,
      random: row.bounds(by: &random[k], of: item, profile, exact: exact), format)
    guard defective != nil else { return }
    if k == 0 { widest = exact.map { _ in 0 } }
    for i in exact.indices {
      widest[i] = allowed.map { widest[i].isNaN ? .nan : Swift.max($0[i], widest[i]) } ?? .nan
    }
    if k == models.count - 1 {
      let rounded = truths[0].rounded
      defective?.add(
        RowTruth(truth: truths[0], exact: exact, rounded: rounded, bounds: widest, plain: rounded))
    }
  }

  public mutating func merge(_ other: ToleranceObserver) {
    for k in tolerances.indices { tolerances[k].merge(other.tolerances[k]) }
    rounded.merge(other.rounded)
    if let theirs = other.defective { defective?.merge(theirs) }
  }
}

/// How large one kernel's errors are on some rows, and how large theory allows them to be.
public struct KernelTolerance: Sendable {
  /// A size of an error, as tests express it.
  public enum Figure: Int, Sendable, CaseIterable {
    /// In units in the last place of the exact result.
    case ulp
    /// Absolute: what an `atol` alone must allow.
    case absolute
    /// Relative, of results that are normal numbers: what an `rtol` must allow.
    case relative
    /// Absolute, of results below the normal numbers: what an `atol` must allow beside such an `rtol`.
    case floor
    /// Absolute, beyond the unit roundoff of the result, which storing it may cost: what an `atol` must allow beside such an `rtol`, of
    /// results that may be as near to 0 as they like.
    case beside
  }

  /// Whether results are sums that may cancel, so that one near 0 errs by any multiple of itself: then how often it does is no matter
  /// of tails that fall off.
  public let cancels: Bool

  /// Each row's largest error: one array a figure.
  private var largest: [[Double]] = Figure.allCases.map { _ in [] }
  /// The largest sound bound a figure.
  private var sound = Figure.allCases.map { _ in 0.0 }
  /// The largest that a row exceeds with a probability of `rarity` where roundings are random; nil where there is none.
  private var random: [Double]? = Figure.allCases.map { _ in 0 }
  /// How rare an excess is that tests can live with.
  public static let rarity = 1e-6
  /// Rows that the rules refuse, one each.
  public private(set) var refused: [Int]
  /// Rows with an answer.
  public private(set) var rows = 0
  /// Rows without a sound bound.
  public private(set) var unbounded = 0
  /// The largest exact result.
  public private(set) var largestResult = 0.0
  /// The largest share of a row's energy that is error, measured and by the bound.
  public private(set) var squares: (measured: Double, sound: Double) = (0, 0)
  private let limits: [ToleranceRule.Limit]

  init(_ limits: [ToleranceRule.Limit], cancels: Bool = false) {
    self.limits = limits
    self.cancels = cancels
    refused = limits.map { _ in 0 }
  }

  mutating func add(
    _ y: UnsafeBufferPointer<Double>, _ rounded: [Double], _ exact: [Double], bounds: [Double]?,
    random: [Double]?, _ format: NumberFormat
  ) {
    let figures = Figure.allCases.count
    var worst = [Double](repeating: 0, count: figures)
    var (allowed, probable) = (worst, worst)
    var isRefused = [Bool](repeating: false, count: limits.count)
    var (errors, energy, margins) = (0.0, 0.0, 0.0)
    var isAnswered = false
    for i in exact.indices {
      let isWrong = y[i].isFinite != rounded[i].isFinite
      if !rounded[i].isFinite && !isWrong { continue }
      isAnswered = true
      largestResult = Swift.max(largestResult, exact[i].magnitude)
      let error = isWrong ? .infinity : (y[i] - exact[i]).magnitude
      let ulp = format.ulp(of: exact[i])
      let isNormal = exact[i].magnitude >= format.smallestNormal
      func sizes(of x: Double) -> [Double] {
        [
          x / ulp, x, isNormal ? x / exact[i].magnitude : 0, isNormal ? 0 : x,
          Swift.max(0, x - format.unitRoundoff * exact[i].magnitude),
        ]
      }
      if let bounds {
        let may = sizes(of: bounds[i])
        for f in 0..<figures { allowed[f] = Swift.max(allowed[f], may[f]) }
        margins += bounds[i] * bounds[i]
      }
      if let random {
        let may = sizes(of: random[i])
        for f in 0..<figures { probable[f] = Swift.max(probable[f], may[f]) }
      }
      let found = sizes(of: error)
      for f in 0..<figures { worst[f] = Swift.max(worst[f], found[f]) }
      errors += error * error
      energy += exact[i] * exact[i]
      for (k, limit) in limits.enumerated() {
        switch limit {
        case .close, .relative:
          let difference = isWrong ? .infinity : (y[i] - rounded[i]).magnitude
          if let allowed = limit.allowed(beside: rounded[i]), difference > allowed { isRefused[k] = true }
        case .ulp(let n): if error > n * ulp { isRefused[k] = true }
        case .bound: if let bounds, error > bounds[i] { isRefused[k] = true }
        case .normalizedMeanSquare, .cosine, .baseline: break
        }
      }
    }
    guard isAnswered else { return }
    for (k, limit) in limits.enumerated() {
      if case .normalizedMeanSquare(let n) = limit, errors > n * energy { isRefused[k] = true }
      if isRefused[k] { refused[k] += 1 }
    }
    rows += 1
    for f in 0..<figures { largest[f].append(worst[f]) }
    squares.measured = Swift.max(squares.measured, energy > 0 ? errors / energy : 0)
    self.random = random == nil ? nil : self.random.map { zip($0, probable).map { Swift.max($0, $1) } }
    if bounds == nil {
      unbounded += 1
    } else {
      for f in 0..<figures { sound[f] = Swift.max(sound[f], allowed[f]) }
      squares.sound = Swift.max(squares.sound, energy > 0 ? margins / energy : 0)
    }
  }

  mutating func merge(_ other: KernelTolerance) {
    for f in largest.indices {
      largest[f] += other.largest[f]
      sound[f] = Swift.max(sound[f], other.sound[f])
    }
    if let mine = random, let others = other.random {
      random = zip(mine, others).map { Swift.max($0, $1) }
    } else {
      random = nil
    }
    for k in refused.indices { refused[k] += other.refused[k] }
    rows += other.rows
    largestResult = Swift.max(largestResult, other.largestResult)
    unbounded += other.unbounded
    squares = (
      Swift.max(squares.measured, other.squares.measured), Swift.max(squares.sound, other.squares.sound)
    )
  }

  /// The largest seen.
  public func measured(_ figure: Figure) -> Double { largest[figure.rawValue].max() ?? 0 }

  /// What no right kernel of this plan exceeds on these rows; nil where a row has no bound.
  public func sound(_ figure: Figure) -> Double? {
    unbounded > 0 || rows == 0 ? nil : sound[figure.rawValue]
  }

  /// What a right kernel's row exceeds with a probability of `rarity` at most where the roundings of its sum are random; nil where a
  /// row has no such bound.
  public func random(_ figure: Figure) -> Double? { rows == 0 ? nil : random?[figure.rawValue] }

  /// What a right kernel's row exceeds with `probability` at most, going by the rows seen: the tail above the largest of them is
  /// taken to fall like e^−x, as fast as the upper twentieth does and three standard errors slower. Errors are bounded, so their
  /// tails fall faster. nil below 100 rows (or 10 of which anything shows), and of what is relative to results that may cancel; never above the sound
  /// bound.
  public func rare(_ figure: Figure, probability: Double) -> Double? {
    if cancels && (figure == .ulp || figure == .relative) { return nil }
    let values = largest[figure.rawValue].filter(\.isFinite).sorted()
    guard values.count == rows, rows >= 100 else { return nil }
    var count = Swift.max(20, rows / 20)
    if figure == .beside {
      // Of most rows storing hides all of it: the tail is of those of which it shows something.
      count = Swift.min(count, values.count { $0 > 0 })
      if count < 10 { return nil }
    }
    let threshold = values[rows - count - 1]
    let excess = values[(rows - count)...].reduce(0) { $0 + ($1 - threshold) } / Double(count)
    let slower = excess * (1 + 3 / Double(count).squareRoot())
    let share = Double(count) / Double(rows)
    let found = threshold + slower * Swift.max(0, Double.log(share / probability))
    return Swift.min(Swift.max(found, values[rows - 1]), sound(figure) ?? .infinity)
  }
}
