import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Results of a normalisation, held against proof.
public struct NormVerification: Sendable {
  /// The question.
  public var operation: Normalization
  /// ε, weight, bias and policy.
  public var parameters: NormParameters
  /// What results are stored in.
  public var format: NumberFormat
  /// What becomes of results too large for the format.
  public var overflow = Overflow.special
  /// What the kernel promises.
  public var claims = Claims()
  /// On how many threads.
  public var threads = 1
  /// Whether it is said which plans the figures fit, and what may be wrong.
  public var triesPlans = true

  /// The rest is as usual.
  public init(_ operation: Normalization, format: NumberFormat, parameters: NormParameters) {
    self.operation = operation
    self.format = format
    self.parameters = parameters
  }

  /// Holds `results` against the answers for `rows`, taken as they are.
  public func run(
    _ name: String, _ results: any ResultSource<NormQuestion>, on rows: some RowSource,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> JudgedGuest<NormQuestion> {
    let compute = claims.compute ?? RowPlans.usual(format)
    // ε alone is rounded, to what a kernel computes in.
    let configuration = KernelConfiguration(
      storage: .float(.f64), compute: compute, accumulator: claims.accumulate ?? compute, overflow: overflow)
    let source = try NormRows(rows, operation, parameters: parameters, configuration: configuration)
    let stored = source.kernelParameters
    let context = NormContext(
      operation, stored, format, claims: claims, rows: rows.rowCount
    ) { row in
      var item = source.makeItem()
      var given = item
      _ = try source.read(row, given: &given, stored: &item)
      return item
    }
    let (operation, format, overflow) = (operation, format, overflow)
    var verification = Verification(
      NormQuestion(operation), name, results: results, formats: [format],
      promised: try NormContext.promised(operation, format, stored, claims)
    ) { _ in NormProver(operation, format: format, overflow: overflow) }
    verification.overflow = overflow
    verification.threads = threads
    if triesPlans {
      verification.known = context.known
      verification.suspects = NormHypothesisRegistry.suspects(context)
    }
    let (findings, _) = try verification.run(
      on: source, observer: NormSights(operation), progress: progress)
    return JudgedGuest(findings: findings, promised: verification.promised.map(\.name))
  }
}

/// What was asked of a normalisation, for those who think up what else may have been answered.
public struct NormContext: Sendable {
  /// The question.
  public let operation: Normalization
  /// As a kernel gets them.
  public let parameters: NormParameters
  /// What results are stored in.
  public let format: NumberFormat
  /// What the kernel promises.
  public let claims: Claims
  /// How many rows there are.
  public let rows: Int
  /// Any row, as a kernel gets it.
  public let read: @Sendable (Int) throws -> NormQuestion.Item

  /// All parts.
  public init(
    _ operation: Normalization, _ parameters: NormParameters, _ format: NumberFormat,
    claims: Claims = Claims(),
    rows: Int, read: @escaping @Sendable (Int) throws -> NormQuestion.Item
  ) {
    (self.operation, self.parameters, self.format, self.claims) = (operation, parameters, format, claims)
    (self.rows, self.read) = (rows, read)
  }

  /// The plans whose widest bound counts: variances that lose nothing to cancellation.
  package static func promised(
    _ operation: Normalization, _ format: NumberFormat, _ parameters: NormParameters, _ claims: Claims
  ) throws(ClaimError) -> [GuestPlan<NormQuestion>] {
    if claims.probabilities != nil { throw .unfit("probabilities") }
    let all = NormAlgorithm.all(for: operation)
    var chosen = all.filter { operation == .rmsNorm || $0.kernel != "naive" }
    if let name = claims.algorithm {
      chosen = all.filter { $0.description == name || $0.kernel == name }
      if chosen.isEmpty { throw .algorithm(name, known: all.map(\.description)) }
    }
    let compute = claims.compute ?? RowPlans.usual(format)
    return chosen.map { plan($0, format, compute, claims.accumulate ?? compute, parameters) }
  }

  /// Every algorithm in the usual pairs of formats.
  var known: [GuestPlan<NormQuestion>] {
    let usual = RowPlans.usual(format)
    var pairs = [(usual, usual)]
    if format != usual { pairs += [(format, usual), (format, format)] }
    return pairs.flatMap { c, a in
      NormAlgorithm.all(for: operation).map { Self.plan($0, format, c, a, parameters) }
    }
  }

  private static func plan(
    _ algorithm: NormAlgorithm, _ format: NumberFormat, _ compute: NumberFormat, _ accumulate: NumberFormat,
    _ parameters: NormParameters
  ) -> GuestPlan<NormQuestion> {
    let configuration = KernelConfiguration(
      storage: .float(format), compute: compute, accumulator: accumulate)
    return GuestPlan("\(algorithm), \(RowPlans.precisions(compute, accumulate))") {
      NormErrors(algorithm, configuration, parameters: parameters)
    }
  }
}
