import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Gradients of attention, dQ, dK and dV, held against proof.
public struct BackwardVerification: Sendable {
  /// Queries, keys and values, as the kernel gets them.
  public var tensors: AttentionInputs
  /// dO [heads, queries, valueSize], likewise.
  public var gradient: [Double]
  /// What is asked.
  public var parameters: AttentionParameters
  /// What gradients are stored in.
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
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, format: NumberFormat
  ) {
    self.tensors = tensors
    self.gradient = gradient
    self.parameters = parameters
    self.format = format
  }

  /// Holds `results`, the three gradients of a key head, against the answers.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel, `BackwardError` where something does not fit or has no derivative; what `results`
  ///   throws.
  public func run(
    _ name: String, _ results: any ResultSource<AttentionBackward>,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> JudgedGuest<AttentionBackward> {
    // What is wrong is said before it is run.
    _ = try BackwardProver(tensors, gradient: gradient, parameters, format: format)
    let promised = try plans(tensors, parameters)
    var verification = Verification(
      AttentionBackward(parameters), name, results: results,
      formats: Array(repeating: format, count: 3), promised: promised,
      prover: prover(tensors, parameters))
    verification.overflow = overflow
    verification.threads = threads
    verification.chunk = 1
    let shape = tensors.shape
    verification.item = { part, row in row / (part == 0 ? shape.group * shape.queries : shape.keys) }
    if triesPlans {
      verification.known = known
      verification.suspects = BackwardHypotheses.suspects(self, results)
    }
    let item = AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
    let (findings, _) = try verification.run(
      on: AttentionKeyHeads(item, stored: item), observer: Nobody(), progress: progress)
    return JudgedGuest(findings: findings, promised: promised.map(\.name))
  }

  private struct Nobody: Observer {
    typealias Q = AttentionBackward
    mutating func merge(_ other: Nobody) {}
  }

  func prover(_ tensors: AttentionInputs, _ parameters: AttentionParameters)
    -> @Sendable (Trial<AttentionBackward>.Side) throws -> any Prover<AttentionBackward>
  {
    let (gradient, format, overflow) = (gradient, format, overflow)
    return { _ in
      try BackwardProver(tensors, gradient: gradient, parameters, format: format, overflow: overflow)
    }
  }

  /// The same kernel where it answers something else of tensors of the same shape; nil where that is no question of a backward pass.
  func alternative(_ other: OtherAttention) -> Alternative<AttentionBackward>? {
    guard other.number == nil, other.tensors.shape == tensors.shape,
      let plans = try? plans(other.tensors, other.parameters),
      (try? BackwardProver(other.tensors, gradient: gradient, other.parameters, format: format)) != nil
    else { return nil }
    return Alternative(
      other.name, plans: plans, change: { $0.tensors = other.tensors },
      prover: prover(other.tensors, other.parameters))
  }

  /// The plans whose widest bound counts: probabilities from the whole row or from the log-sum-exp, everything in f32 or the format, P and
  /// dS cast to that or, as many kernels have them, to the gradients' format.
  package func plans(_ tensors: AttentionInputs, _ parameters: AttentionParameters) throws(ClaimError)
    -> [GuestPlan<AttentionBackward>]
  {
    try formats.algorithms(Self.algorithms, of: Self.algorithms).flatMap { algorithm in
      formats.promised.map { plan(algorithm, $0, tensors, parameters) }
    }
  }

  private static let algorithms: [AttentionAlgorithm] = [.standard, .flash]
  private var formats: AttentionPlans { AttentionPlans(format: format, overflow: overflow, claims: claims) }

  private var known: [GuestPlan<AttentionBackward>] {
    Self.algorithms.flatMap { algorithm in
      formats.known.map { plan(algorithm, $0, tensors, parameters) }
    }
  }

  private func plan(
    _ algorithm: AttentionAlgorithm, _ choice: AttentionPlans.Formats, _ tensors: AttentionInputs,
    _ parameters: AttentionParameters
  ) -> GuestPlan<AttentionBackward> {
    let (forward, name) = formats.runner(algorithm, choice, casting: "P and dS")
    let gradient = gradient
    return GuestPlan(name) {
      BackwardRunner(forward).flatMap {
        BackwardErrorModel($0, tensors, gradient: gradient, parameters, isOrdered: false)
      }
    }
  }
}
