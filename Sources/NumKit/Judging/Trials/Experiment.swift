import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One operation, some algorithms, one set of rows: run, held against the truth, measured.
public struct Experiment: Sendable {
  /// The question.
  public var operation: RowOperation
  /// Who answers.
  public var algorithms: [Algorithm]
  /// In which precisions.
  public var configuration: KernelConfiguration
  /// With which temperature, target, cotangent and policy.
  public var parameters: OperationParameters
  /// The target index of each row, where rows differ; `parameters.target` otherwise.
  public var targets: [Int]?
  /// On how many threads; the answer does not depend on it.
  public var threads: Int
  /// Who answers in an algorithm's place, under its name: how a defect is planted. nil for itself.
  package var substitute: (@Sendable (KernelCandidate) -> any Candidate<RowQuestion>)?

  /// All parts.
  public init(
    _ operation: RowOperation, algorithms: [Algorithm], configuration: KernelConfiguration,
    parameters: OperationParameters = .init(), targets: [Int]? = nil, threads: Int = 1
  ) {
    self.targets = targets
    self.operation = operation
    self.algorithms = algorithms
    self.configuration = configuration
    self.parameters = parameters
    self.threads = threads
  }

  /// Throws where there are no rows, or where target and cotangent do not fit them.
  public func checkQuestion(rows: Int, length: Int) throws {
    guard length > 0, rows > 0 else { throw ExperimentError.empty }
    for target in targets ?? [parameters.target] where !(0..<length).contains(target) {
      throw ExperimentError.target(target, length: length)
    }
    if let targets, targets.count != rows {
      throw ExperimentError.targetCount(targets.count, rows: rows)
    }
    if operation == .softmaxVJP && parameters.cotangent.count != length {
      throw ExperimentError.cotangentCount(parameters.cotangent.count, length: length)
    }
  }

  /// Runs every algorithm on every row.
  ///
  /// - Parameter progress: called now and then with the number of rows done.
  /// - Throws: `ExperimentError` where a format cannot be computed in or there is nothing to do, and what `rows` throws.
  public func run(
    on rows: some RowSource, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> ExperimentResult {
    try checkQuestion(rows: rows.rowCount, length: rows.length)
    guard !algorithms.isEmpty else { throw ExperimentError.noAlgorithm }
    let source = StoredRows(rows, parameters: parameters, targets: targets, configuration: configuration)
    let format = configuration.storage.numberFormat ?? .f64
    let operation = operation
    var trial = Trial(
      RowQuestion(operation),
      candidates: try algorithms.map {
        let kernel = try KernelCandidate($0, configuration, parameters: source.kernelParameters)
        return substitute?(kernel) ?? kernel
      }, format: format, threads: threads
    ) { _ in RowProver(operation, format: format) }
    trial.overflow = configuration.overflow
    trial.sharedAs = "rows"
    let (found, sights) = try trial.run(
      on: source, observer: RowSights(operation, candidates: algorithms.count), progress: progress)
    return result(found, sights, length: rows.length)
  }

  private func result(
    _ found: Measurement<RowQuestion>, _ sights: RowSights, length: Int
  ) -> ExperimentResult {
    // An integer grid's steps are each row's own; what is judged is relative to the row.
    let unit = configuration.storage.numberFormat.map { ErrorUnit.ulp($0) } ?? .step(1)
    return ExperimentResult(
      entries: algorithms.indices.map { k in
        let entry = found.entries[k]
        let part = entry.parts[0]
        return ExperimentResult.Entry(
          algorithm: algorithms[k], kernel: part.kernel, total: part.total,
          distribution: operation == .softmax ? sights.distributions[k] : nil, bound: part.bound,
          boundUlp: part.boundUlp, trace: entry.trace,
          verdict: Verdict(
            part.kernel, inherent: found.inherent[0], inherentShare: found.inherentShare[0],
            bound: part.bound,
            unit: unit))
      },
      certificate: found.certificate, conditioning: sights.conditioning, inherent: found.inherent[0],
      inherentUlp: found.inherentUlp[0], inherentShare: found.inherentShare[0],
      inputsRounded: found.inputsRounded,
      overflowedInputs: found.overflowedInputs, overflowedRows: found.overflowedItems,
      unanswered: sights.unanswered, rows: found.items,
      length: length)
  }
}

/// Why an experiment cannot run.
public enum ExperimentError: Error, Hashable, CustomStringConvertible {
  /// No rows, or rows of no elements.
  case empty
  /// No algorithm was asked for.
  case noAlgorithm
  /// A target that is no index of a row.
  case target(Int, length: Int)
  /// Not one target a row.
  case targetCount(Int, rows: Int)
  /// Not one number of the cotangent a logit.
  case cotangentCount(Int, length: Int)
  /// A format cannot be computed in.
  case cannotCompute(String, KernelConfiguration)

  public var description: String {
    switch self {
    case .empty: return "there are no rows with elements to work on"
    case .noAlgorithm: return "no algorithm to run"
    case .target(let target, let length): return "target \(target) is not an index of a row of \(length)"
    case .targetCount(let count, let rows): return "\(count) targets for \(rows) rows"
    case .cotangentCount(let count, let length):
      return "a cotangent of \(count) numbers for rows of \(length)"
    case .cannotCompute(let algorithm, let c):
      return
        "'\(algorithm)' cannot run with dtype \(c.storage), compute \(c.compute.name), accumulate \(c.accumulator.name)"
    }
  }
}

/// What an experiment found.
public struct ExperimentResult: Sendable {
  /// What one algorithm did.
  public struct Entry: Sendable {
    /// The algorithm.
    public let algorithm: Algorithm
    /// Its errors against the truth of the inputs as rounded to the format: its own.
    public let kernel: ErrorStatistics
    /// Its errors against the truth of the inputs as given: its own and the format's.
    public let total: ErrorStatistics
    /// For probabilities: how far they are from a distribution and from the true one.
    public let distribution: DistributionStatistics?
    /// The worst of the rows' bounds.
    public let bound: RowBound
    /// The largest bound on a result's error, in ulps, over the rows that have one.
    public let boundUlp: Double
    /// Where the first NaN and overflow were born, and how near overflow came.
    public let trace: StageTrace
    /// What to make of it.
    public let verdict: Verdict
  }

  /// One for each algorithm, in the order asked for.
  public let entries: [Entry]
  /// How the truth was proven.
  public let certificate: Certificate
  /// The largest condition number of a row; NaN if no row had one.
  public let conditioning: Double
  /// The largest normwise relative change that rounding the inputs alone made to a row's truth.
  public let inherent: Double
  /// The largest error in ulps that rounding the inputs alone causes.
  public let inherentUlp: Double
  /// The largest relative change that it made to a result that carries a share of its row (`ErrorStatistics.leastShare`).
  public let inherentShare: Double
  /// Whether some input was not a number of the format.
  public let inputsRounded: Bool
  /// Finite inputs that the format cannot hold: as stored they are infinite or NaN.
  public let overflowedInputs: Int
  /// Rows that hold any.
  public let overflowedRows: Int
  /// Rows, as given, that have no answer in the reals.
  public let unanswered: UnansweredRows
  /// Rows.
  public let rows: Int
  /// Elements in a row.
  public let length: Int
}
