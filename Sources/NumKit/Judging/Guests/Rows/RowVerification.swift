import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results of an operation on rows, held against proof.
public struct RowVerification: Sendable {
  /// The question.
  public var operation: RowOperation
  /// Temperature, target, cotangent and policy.
  public var parameters: OperationParameters
  /// The target index of each row, where rows differ.
  public var targets: [Int]?
  /// What results are stored in.
  public var format: NumberFormat
  /// What inputs are numbers of; they are what they are, or, where `roundsInputs`, rounded to this first.
  public var inputs: NumberFormat
  /// Whether inputs are rounded to `inputs` before the kernel gets them.
  public var roundsInputs = false
  /// What becomes of results too large for the format.
  public var overflow = Overflow.special
  /// What the kernel promises.
  public var claims = Claims()
  /// On how many threads.
  public var threads = 1
  /// Whether it is said which plans the figures fit, and what may be wrong.
  public var triesPlans = true

  /// The rest is as usual.
  public init(
    _ operation: RowOperation, format: NumberFormat, inputs: NumberFormat,
    parameters: OperationParameters = .init(), targets: [Int]? = nil
  ) {
    self.operation = operation
    self.format = format
    self.inputs = inputs
    self.parameters = parameters
    self.targets = targets
  }

  /// What a kernel is said to compute in.
  private var compute: NumberFormat { claims.compute ?? RowPlans.usual(format) }

  /// How rows reach the kernel.
  var storage: KernelConfiguration {
    KernelConfiguration(
      storage: .float(roundsInputs ? inputs : .f64), compute: compute,
      accumulator: claims.accumulate ?? compute, overflow: overflow)
  }

  /// Holds `results` against the answers for `rows`.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel, `ExperimentError` where there is nothing to do or parameters do not fit; what
  ///   `rows` and `results` throw.
  public func run(
    _ name: String, _ results: any ResultSource<RowQuestion>, on rows: some RowSource,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> RowFindings {
    try Experiment(
      operation, algorithms: [], configuration: storage, parameters: parameters, targets: targets
    ).checkQuestion(rows: rows.rowCount, length: rows.length)
    let source = StoredRows(rows, parameters: parameters, targets: targets, configuration: storage)
    let (operation, format) = (operation, format)
    let plans = RowPlans(
      operation, format: format, inputs: inputs, parameters: source.kernelParameters)
    var verification = Verification(
      RowQuestion(operation), name, results: results, formats: [format],
      promised: try plans.promised(claims)
    ) { _ in RowProver(operation, format: format) }
    verification.overflow = overflow
    verification.threads = threads
    verification.sharedAs = "results"
    if triesPlans { verification.known = plans.known }
    let context = RowContext(
      operation: operation, parameters: source.kernelParameters, format: format, inputs: inputs,
      claims: claims, rows: rows.rowCount, length: rows.length, results: results
    ) { row in
      var item = source.makeItem()
      var given = item
      _ = try source.read(row, given: &given, stored: &item)
      return item
    }
    if triesPlans { verification.suspects = RowHypothesisRegistry.suspects(context) }
    var light: LightVerification.Found?
    if let quick = LightVerification(self, rows: rows.rowCount, length: rows.length) {
      let apart = spreadItems(rows.rowCount, 64, [])
      light = try quick.run(
        on: rows, results, apart: Set(apart), threads: threads, progress: progress)
    }
    var (findings, sights) = try verification.run(
      on: source, only: light?.left, observer: RowSights(operation, candidates: 1),
      progress: light == nil ? progress : nil)
    if let light { findings = findings.adding(light, items: rows.rowCount, format: format) }
    return RowFindings(
      findings: findings, promised: verification.promised.map(\.name), conditioning: sights.conditioning,
      distribution: operation == .softmax ? sights.distributions[0] : nil)
  }
}

/// What was found of results of rows.
public struct RowFindings: Sendable {
  /// Errors, wrong results, plans.
  public let findings: GuestFindings<RowQuestion>
  /// The plans whose widest bound counts.
  public let promised: [String]
  /// The largest condition number of a row; NaN if no row had one.
  public let conditioning: Double
  /// For probabilities: how far they are from a distribution and from the true one.
  public let distribution: DistributionStatistics?
}
