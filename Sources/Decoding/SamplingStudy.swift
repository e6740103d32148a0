import NumKit

/// What a format does to the tokens that may be drawn, row by row.
public struct SamplingStudy: Sendable {
  /// Which tokens may be drawn.
  public var rule: SamplingRule
  /// The decoders' softmax.
  public var algorithms: [Algorithm]
  /// Their formats.
  public var configuration: KernelConfiguration
  /// On how many threads; the answer does not depend on it.
  public var threads: Int

  /// All parts.
  public init(
    _ rule: SamplingRule, _ algorithms: [Algorithm], _ configuration: KernelConfiguration, threads: Int = 1
  ) {
    self.rule = rule
    self.algorithms = algorithms
    self.configuration = configuration
    self.threads = threads
  }

  /// What became of one decoder's sets.
  public struct Outcome: Sendable {
    /// Rows whose most probable token is another.
    public var greedyFlips = 0
    /// Rows that keep other tokens than the truth.
    public var otherSets = 0
    /// Tokens kept that should not be, and the other way round.
    public var added = 0
    /// Tokens that should be kept and are not.
    public var lost = 0
    /// The largest true probability, of the kept set's own, of what is kept or lost wrongly in one row.
    public var largestMass = 0.0
    /// The row of it.
    public var worstRow: Int?
    /// The largest true probability gap over which a greedy choice flipped.
    public var flippedGap = 0.0
  }

  /// What was found.
  public struct Result: Sendable {
    /// One for each algorithm.
    public var outcomes: [Outcome]
    /// Rows with an answer.
    public var rows = 0
    /// Rows without one.
    public var rowsWithoutAnswer = 0
    /// Tokens that are truly kept, over all rows.
    public var kept = 0
    /// The fewest and most of a row.
    public var fewest = Int.max
    /// The most of a row.
    public var most = 0
    /// The smallest distance of top-p's sum from p at a cut, and its row.
    public var margin: (size: Double, row: Int)?
  }

  /// Asks about every row.
  ///
  /// - Throws: what `rows` and the rule throw; `ExperimentError` where an algorithm cannot run.
  public func run(on rows: some RowSource, progress: (@Sendable (Int) -> Void)? = nil) throws -> Result {
    try rule.check()
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
    let study: SamplingStudy
    let kernels: [SamplingKernel]
    var result: Result

    init(_ study: SamplingStudy) throws {
      self.study = study
      kernels = try study.algorithms.map { a in
        guard let kernel = SamplingKernel(a, study.configuration, study.rule) else {
          throw ExperimentError.cannotCompute(a.description, study.configuration)
        }
        return kernel
      }
      result = Result(outcomes: study.algorithms.map { _ in Outcome() })
    }

    func judge(_ row: Int, _ logits: [Double]) {
      guard let truth = SamplingTruth(logits, study.rule) else {
        result.rowsWithoutAnswer += 1
        return
      }
      result.rows += 1
      result.kept += truth.kept
      result.fewest = Swift.min(result.fewest, truth.kept)
      result.most = Swift.max(result.most, truth.kept)
      if let margin = truth.margin { note(margin, row) }
      let wanted = truth.tokens
      let whole = truth.order.prefix(truth.kept).reduce(0) { $0 + truth.probabilities[$1] }
      for k in kernels.indices {
        let (order, kept) = kernels[k].answer(logits)
        let found = Set(order.prefix(kept))
        if order.first != truth.order.first, let a = truth.order.first, let b = order.first {
          result.outcomes[k].greedyFlips += 1
          result.outcomes[k].flippedGap = Swift.max(
            result.outcomes[k].flippedGap, truth.probabilities[a] - truth.probabilities[b])
        }
        if found == wanted { continue }
        result.outcomes[k].otherSets += 1
        result.outcomes[k].added += found.subtracting(wanted).count
        result.outcomes[k].lost += wanted.subtracting(found).count
        // In the order of tokens, so that the sum is always the same.
        let mass =
          found.symmetricDifference(wanted).sorted().reduce(0) { $0 + truth.probabilities[$1] } / whole
        result.outcomes[k].note(mass, row)
      }
    }

    private func note(_ margin: Double, _ row: Int) {
      if let m = result.margin, (m.size, m.row) <= (margin, row) { return }
      result.margin = (margin, row)
    }

    func merge(_ other: Worker) {
      let theirs = other.result
      result.rows += theirs.rows
      result.rowsWithoutAnswer += theirs.rowsWithoutAnswer
      result.kept += theirs.kept
      result.fewest = Swift.min(result.fewest, theirs.fewest)
      result.most = Swift.max(result.most, theirs.most)
      if let m = theirs.margin { note(m.size, m.row) }
      for k in result.outcomes.indices {
        let o = theirs.outcomes[k]
        result.outcomes[k].greedyFlips += o.greedyFlips
        result.outcomes[k].otherSets += o.otherSets
        result.outcomes[k].added += o.added
        result.outcomes[k].lost += o.lost
        result.outcomes[k].flippedGap = Swift.max(result.outcomes[k].flippedGap, o.flippedGap)
        if let row = o.worstRow { result.outcomes[k].note(o.largestMass, row) }
      }
    }
  }
}

extension SamplingStudy.Outcome {
  fileprivate mutating func note(_ mass: Double, _ row: Int) {
    if let worstRow, mass < largestMass || mass == largestMass && worstRow < row { return }
    largestMass = mass
    worstRow = row
  }
}
