import NumKit

/// Defects planted one at a time in a right kernel, and what rules make of the results: which are caught, which pass.
public struct MutationStudy: Sendable {
  /// What is asked: softmax, log-softmax or log-sum-exp.
  public var operation: RowOperation
  /// The right kernel's formats.
  public var configuration: KernelConfiguration
  /// What is planted.
  public var defects: [Defect]
  /// What is to catch it.
  public var rules: [ToleranceRule]
  /// On how many threads; the answer does not depend on it.
  public var threads: Int

  /// All defects and rules unless said otherwise.
  ///
  /// - Precondition: the storage is a float format.
  public init(
    _ operation: RowOperation, _ configuration: KernelConfiguration, defects: [Defect] = DefectRegistry.all,
    rules: [ToleranceRule] = RuleRegistry.all, threads: Int = 1
  ) {
    self.operation = operation
    self.configuration = configuration
    self.defects = defects
    self.rules = rules
    self.threads = threads
  }

  /// What became of one kernel.
  public struct Outcome: Sendable {
    /// What was planted; nil for the right kernel.
    public let defect: Defect?
    /// What the rules say.
    public let judgement: Judgement
    /// Whether it answers as a right kernel may on these rows, so that no rule can be blamed for accepting it.
    public var isHarmless: Bool { !judgement.differs || judgement.isWithinBound }
  }

  /// Runs the right kernel and every defect that has a meaning for the operation; the right kernel comes first.
  ///
  /// - Throws: what `rows` throws.
  public func run(on rows: some RowSource, progress: (@Sendable (Int) -> Void)? = nil) throws -> [Outcome] {
    let format = configuration.storage.numberFormat ?? .f32
    let right = Steps(
      storage: format, compute: configuration.compute, accumulator: configuration.accumulator)
    let planted = defects.compactMap { d in d.planted(in: right, operation).map { (d, $0) } }
    // The bound is always among the limits, last: it says what is harmless.
    let limits = rules.map { $0.limit(format) } + [.bound]
    let kernels = [right] + planted.map(\.1)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: rows.rowCount, progress: progress,
      make: { Worker(self, right, kernels.map { _ in Judgement(limits, format) }) },
      body: { worker, row in try worker.judge(row, of: rows, kernels) },
      merge: { a, b in for k in a.judgements.indices { a.judgements[k].merge(b.judgements[k]) } })
    return worker.judgements.enumerated().map { k, judgement in
      var judgement = judgement
      judgement.finish()
      return Outcome(defect: k == 0 ? nil : planted[k - 1].0, judgement: judgement)
    }
  }

  /// One thread's.
  private final class Worker {
    let study: MutationStudy
    let right: Steps
    let prover: RowProver
    var judgements: [Judgement]

    init(_ study: MutationStudy, _ right: Steps, _ judgements: [Judgement]) {
      self.study = study
      self.right = right
      self.judgements = judgements
      prover = RowProver(study.operation, format: right.storage)
    }

    private func row(_ index: Int, of rows: some RowSource) throws -> [Double] {
      var x = [Double](repeating: 0, count: rows.length)
      try x.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
      return x.map { right.storage.round($0) }
    }

    func judge(_ index: Int, of rows: some RowSource, _ kernels: [Steps]) throws {
      let x = try row(index, of: rows)
      let operation = study.operation
      let truth = truth(x, index)
      var previous: [Double] = []
      if index > 0 && kernels.contains(where: \.looksBack) {
        previous = right.answer(
          try row(index - 1, of: rows), operation, Steps.Place(row: index - 1, previous: []))
      }
      var rightAnswer: [Double] = []
      for (k, kernel) in kernels.enumerated() {
        let y = kernel.answer(x, operation, Steps.Place(row: index, previous: previous))
        if k == 0 { rightAnswer = y }
        judgements[k].add(row: index, y, truth)
        if k > 0 && y.map(\.bitPattern) != rightAnswer.map(\.bitPattern) { judgements[k].noteDifference() }
      }
    }

    private func truth(_ x: [Double], _ index: Int) -> RowTruth {
      let operation = study.operation
      let item = RowQuestion.Item(row: index, values: x)
      var truths = [Truth()]
      prover.answer(item, into: &truths)
      let exact = FlatTruth(truths[0]).value
      var bounds = [Double](repeating: .nan, count: exact.count)
      let plan = Algorithm.all(for: operation, dtype: study.configuration.storage).first {
        $0.description == "shifted:pairwise"
      }
      if let plan, let model = ErrorBounds(plan, study.configuration, parameters: item.parameters) {
        var profile = RowProfile()
        x.withUnsafeBufferPointer { profile.update($0, temperature: 1) }
        let worth = exact.withUnsafeBufferPointer { e in
          bounds.withUnsafeMutableBufferPointer { model.bound(profile, target: 0, truth: e, into: $0) }
        }
        if worth == .none { bounds = bounds.map { _ in .nan } }
      }
      let plain = Steps(storage: right.storage, compute: right.storage, accumulator: right.storage)
      return RowTruth(
        truth: truths[0], exact: exact, rounded: truths[0].rounded, bounds: bounds,
        plain: plain.answer(x, operation, Steps.Place(row: index, previous: [])))
    }
  }
}

extension Judgement {
  /// Whether every result is within its sound bound: the last limit of a study.
  var isWithinBound: Bool { verdicts.last?.accepts ?? false }
}
