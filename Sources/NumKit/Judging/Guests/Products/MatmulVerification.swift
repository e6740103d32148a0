import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A product of matrices, held against proof.
public struct MatmulVerification: Sendable {
  /// Both matrices, as the kernel gets them.
  public var inputs: MatmulInputs
  /// What they are numbers of.
  public var storage: NumberFormat
  /// What results are stored in.
  public var format: NumberFormat
  /// What the kernel promises.
  public var claims = Claims()
  /// On how many threads.
  public var threads = 1
  /// Whether it is said which plans the figures fit, and what may be wrong.
  public var triesPlans = true

  /// The rest is as usual.
  public init(_ inputs: MatmulInputs, storage: NumberFormat, format: NumberFormat) {
    self.inputs = inputs
    self.storage = storage
    self.format = format
  }

  /// What sums are said to be kept in.
  package var accumulator: NumberFormat {
    claims.accumulate ?? (storage == .f64 || format == .f64 ? .f64 : .f32)
  }

  /// Holds `results` against the product.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel, `MatmulError` where formats cannot be computed in; what `results` throws.
  public func run(
    _ name: String, _ results: any ResultSource<MatmulQuestion>, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> JudgedGuest<MatmulQuestion> {
    if claims.compute != nil { throw ClaimError.unfit("compute") }
    if claims.probabilities != nil { throw ClaimError.unfit("probabilities") }
    let (inputs, format) = (inputs, format)
    let promised = try plans(inputs, accumulator)
    var verification = Verification(
      MatmulQuestion(), name, results: results, formats: [format], promised: promised
    ) { _ in MatmulProver(inputs, format: format) }
    verification.threads = threads
    var formats: [NumberFormat] = [.f64, .f32]
    for other in [format, .f16, .bf16] where !formats.contains(other) && other.hasZero {
      formats.append(other)
    }
    var unclaimed = self
    unclaimed.claims.algorithm = nil
    if triesPlans {
      verification.known = formats.flatMap { (try? unclaimed.plans(inputs, $0)) ?? [] }
      verification.suspects = MatmulHypothesisRegistry.suspects(
        MatmulContext(self))
    }
    let (findings, _) = try verification.run(
      on: MatmulRows(inputs, stored: inputs, dtype: .float(.f64)), observer: Nobody(), progress: progress)
    return JudgedGuest(findings: findings, promised: promised.map(\.name))
  }

  private struct Nobody: Observer {
    typealias Q = MatmulQuestion
    mutating func merge(_ other: Nobody) {}
  }

  /// Every order of summation, or the one that is claimed, of `inputs` with sums in `accumulator`.
  package func plans(_ inputs: MatmulInputs, _ accumulator: NumberFormat) throws -> [GuestPlan<
    MatmulQuestion
  >] {
    var orders = MatmulOrder.all
    if let name = claims.algorithm {
      guard let order = MatmulOrder(name) else {
        throw ClaimError.algorithm(name, known: orders.map(\.description))
      }
      orders = [order]
    }
    let configuration = try MatmulConfiguration(
      storage: .float(storage), accumulator: .float(accumulator), result: format)
    return try orders.map { order in
      let model = MatmulErrors(try MatmulRunner(order, configuration, inputs), inputs)
      return GuestPlan("\(order), summed in \(accumulator.name)") { model }
    }
  }
}

/// What was asked of a product, for those who think up what else may have been answered.
public struct MatmulContext: Sendable {
  /// The matrices, formats and claims.
  public let verification: MatmulVerification
  /// A's rows.
  public var a: MatmulOperand { verification.inputs.a }
  /// B's columns.
  public var b: MatmulOperand { verification.inputs.b }

  /// What `verification` holds results against.
  public init(_ verification: MatmulVerification) { self.verification = verification }

  /// The same kernel's product of other matrices.
  func product(_ name: String, _ inputs: MatmulInputs?) -> Alternative<MatmulQuestion>? {
    guard let inputs, let plans = try? verification.plans(inputs, verification.accumulator) else {
      return nil
    }
    let format = verification.format
    return Alternative(name, plans: plans, change: { $0.inputs = inputs }) { _ in
      MatmulProver(inputs, format: format)
    }
  }
}
