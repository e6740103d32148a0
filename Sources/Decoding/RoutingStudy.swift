import NumKit

/// What a format does to the experts that tokens are sent to, row by row.
public struct RoutingStudy: Sendable {
  /// Who is kept.
  public var rule: RoutingRule
  /// How scores are made.
  public var algorithms: [Algorithm]
  /// In which formats; the bias is added in the compute format.
  public var configuration: KernelConfiguration
  /// On how many threads; the answer does not depend on it.
  public var threads: Int

  /// All parts.
  public init(
    _ rule: RoutingRule, _ algorithms: [Algorithm], _ configuration: KernelConfiguration, threads: Int = 1
  ) {
    (self.rule, self.algorithms, self.configuration, self.threads) = (
      rule, algorithms, configuration, threads
    )
  }

  /// What became of one gate.
  public struct Outcome: Sendable {
    /// Rows that keep other experts than the truth, and how many experts were exchanged in all.
    public var flippedRows = 0
    public var flippedExperts = 0
    /// The largest share of a row's weight that went elsewhere, ½ Σ |ŵ − w|, in rows that keep the right experts and in all.
    public var movedWithin = 0.0
    public var moved = 0.0
    /// The row of the last.
    public var worstRow: Int?
    /// The largest gap over which an expert flipped.
    public var flippedGap = 0.0
    /// The largest margin of a row: no gap beyond it can flip, whatever the kernel rounds within its bounds. NaN without a bound.
    public var margin = 0.0
    /// Rows whose gap is beyond their margin.
    public var safeRows = 0
    /// Rows where one flipped all the same: the bound would be wrong.
    public var brokenRows = 0
  }

  /// What was found.
  public struct Result: Sendable {
    /// One for each algorithm.
    public var outcomes: [Outcome]
    /// Rows with an answer, without one, and with one that is not decided.
    public var rows = 0
    public var rowsWithoutAnswer = 0
    public var undecided = 0
    /// The smallest gap, and its row.
    public var smallestGap: (size: Double, row: Int)?
  }

  /// Asks about every row, held against the truth of the logits as given.
  ///
  /// - Throws: what `rows` and the rule throw; `ExperimentError` where an algorithm cannot run.
  public func run(on rows: some RowSource, progress: (@Sendable (Int) -> Void)? = nil) throws -> Result {
    try rule.check(experts: rows.length)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: rows.rowCount, progress: progress, make: { try Worker(self) },
      body: { worker, row in
        var x = [Double](repeating: 0, count: rows.length)
        try x.withUnsafeMutableBufferPointer { try rows.read(row, into: $0) }
        worker.judge(row, x)
      }, merge: { $0.merge($1) })
    return worker.result
  }

  private final class Worker {
    let study: RoutingStudy
    let gates: [RoutingGate]
    var result: Result

    init(_ study: RoutingStudy) throws {
      self.study = study
      gates = try study.algorithms.map { a in
        guard let gate = RoutingGate(a, study.configuration, study.rule) else {
          throw ExperimentError.cannotCompute(a.description, study.configuration)
        }
        return gate
      }
      result = Result(outcomes: study.algorithms.map { _ in Outcome() })
    }

    func judge(_ row: Int, _ logits: [Double]) {
      guard let truth = RoutingTruth(logits, study.rule) else {
        result.rowsWithoutAnswer += 1
        return
      }
      result.rows += 1
      if !truth.isDecided { result.undecided += 1 }
      note((truth.gap, row))
      for k in gates.indices {
        let answer = gates[k].answer(logits)
        let changed = Set(answer.experts).subtracting(truth.experts).count
        // In the order of experts, so that the sum is always the same.
        let moved = zip(answer.weights, truth.weights).reduce(0) { $0 + ($1.0 - $1.1).magnitude } / 2
        let margin = gates[k].margin(logits, truth)
        result.outcomes[k].add(row, changed: changed, moved: moved, gap: truth.gap, margin: margin)
      }
    }

    private func note(_ gap: (size: Double, row: Int)) {
      if let s = result.smallestGap, (s.size, s.row) <= (gap.size, gap.row) { return }
      result.smallestGap = gap
    }

    func merge(_ other: Worker) {
      result.rows += other.result.rows
      result.rowsWithoutAnswer += other.result.rowsWithoutAnswer
      result.undecided += other.result.undecided
      if let gap = other.result.smallestGap { note(gap) }
      for k in result.outcomes.indices { result.outcomes[k].merge(other.result.outcomes[k]) }
    }
  }
}

extension RoutingStudy.Outcome {
  fileprivate mutating func add(_ row: Int, changed: Int, moved m: Double, gap: Double, margin: Double) {
    self.margin = margin.isNaN || self.margin.isNaN ? .nan : Swift.max(self.margin, margin)
    if gap > margin { safeRows += 1 }
    if changed > 0 {
      flippedRows += 1
      flippedExperts += changed
      flippedGap = Swift.max(flippedGap, gap)
      if gap > margin { brokenRows += 1 }
    } else {
      movedWithin = m.isNaN ? .infinity : Swift.max(movedWithin, m)
    }
    note(m.isNaN ? .infinity : m, row)
  }

  private mutating func note(_ m: Double, _ row: Int) {
    if let worstRow, m < moved || m == moved && worstRow < row { return }
    moved = m
    worstRow = row
  }

  fileprivate mutating func merge(_ other: Self) {
    flippedRows += other.flippedRows
    flippedExperts += other.flippedExperts
    movedWithin = Swift.max(movedWithin, other.movedWithin)
    flippedGap = Swift.max(flippedGap, other.flippedGap)
    margin = margin.isNaN || other.margin.isNaN ? .nan : Swift.max(margin, other.margin)
    safeRows += other.safeRows
    brokenRows += other.brokenRows
    if let row = other.worstRow { note(other.moved, row) }
  }
}

/// One gate in one configuration: scores by one of our kernels, stored; the bias added; the largest kept; their shares.
public struct RoutingGate {
  private let rule: RoutingRule
  private let configuration: KernelConfiguration
  private let runner: KernelRunner
  private let bounds: ErrorBounds?

  /// nil where the algorithm cannot run in these formats.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration, _ rule: RoutingRule) {
    guard let runner = KernelRunner(algorithm, configuration, parameters: OperationParameters()) else {
      return nil
    }
    (self.rule, self.configuration, self.runner) = (rule, configuration, runner)
    bounds = ErrorBounds(algorithm, configuration, parameters: OperationParameters())
  }

  /// The kept experts and all weights.
  public func answer(_ logits: [Double]) -> (experts: [Int], weights: [Double]) {
    var stored = logits
    _ = configuration.roundInputs(logits, into: &stored)
    var scores = stored
    var trace = StageTrace()
    trace.startRow(0)
    stored.withUnsafeBufferPointer { x in
      scores.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
    }
    let compute = configuration.compute
    let biased = scores.indices.map {
      compute.round(compute.round(scores[$0]) + compute.round(rule.bias($0)))
    }
    let experts = Array(ordered(biased).prefix(rule.topK))
    var sum = 0.0
    for i in experts {
      sum = configuration.accumulator.round(sum + configuration.accumulator.round(scores[i]))
    }
    var weights = [Double](repeating: 0, count: scores.count)
    let divisor = compute.round(sum)
    for i in experts {
      weights[i] = configuration.storage.numberFormat?.round(compute.round(scores[i] / divisor)) ?? 0
    }
    return (experts, weights)
  }

  /// Twice the most that a biased score can be off by, from the logits as given: what storing them does, the kernel's bound, the bias
  /// rounded and added. NaN without a bound.
  public func margin(_ logits: [Double], _ truth: RoutingTruth) -> Double {
    guard let bounds else { return .nan }
    var stored = logits
    let changed = configuration.roundInputs(logits, into: &stored)
    guard stored.allSatisfy(\.isFinite), let own = changed ? RoutingTruth(stored, rule) : truth else {
      return .nan
    }
    var profile = RowProfile()
    stored.withUnsafeBufferPointer { profile.update($0, temperature: 1) }
    var errors = [Double](repeating: 0, count: stored.count)
    let worth = own.scores.withUnsafeBufferPointer { exact in
      errors.withUnsafeMutableBufferPointer { bounds.bound(profile, target: 0, truth: exact, into: $0) }
    }
    guard worth != .none else { return .nan }
    let compute = configuration.compute
    var worst = 0.0
    for i in stored.indices {
      let score = own.scores[i] + errors[i]
      let bias = compute.round(rule.bias(i))
      let conversion = (compute.unitRoundoff + 0x1p-50) * score + compute.smallestPositive
      let size = score + conversion + bias.magnitude
      let adding = rule.bias.isEmpty ? 0 : compute.unitRoundoff * size
      worst = Swift.max(
        worst,
        (own.scores[i] - truth.scores[i]).magnitude + errors[i] + conversion
          + (bias - rule.bias(i)).magnitude + adding)
    }
    return 2 * worst * (1 + 0x1p-40) + 0x1p-50
  }
}
