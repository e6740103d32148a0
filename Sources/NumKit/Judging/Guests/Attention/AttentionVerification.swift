import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Outputs of attention, and log-sum-exps where there are any, held against proof. Of the log-sum-exps no bound is derived.
public struct AttentionVerification: Sendable {
  /// Queries, keys and values, as the kernel gets them.
  public var tensors: AttentionInputs
  /// What is asked.
  public var parameters: AttentionParameters
  /// What outputs are stored in.
  public var format: NumberFormat
  /// What log-sum-exps are stored in; nil where there are none.
  public var lseFormat: NumberFormat?
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
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat? = nil
  ) {
    self.tensors = tensors
    self.parameters = parameters
    self.format = format
    self.lseFormat = lseFormat
  }

  /// Holds `results`, an output and perhaps a log-sum-exp each query, against the answers.
  ///
  /// - Throws: `ClaimError` where claims fit no kernel, `UnfitAttention` where parameters do not fit; what `results` throws.
  public func run(
    _ name: String, _ results: any ResultSource<AttentionForward>, progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> JudgedGuest<AttentionForward> {
    let promised = try plans(tensors, parameters)
    var verification = Verification(
      AttentionForward(parameters, logSumExp: lseFormat != nil), name, results: results,
      formats: [format] + (lseFormat.map { [$0] } ?? []), promised: promised,
      prover: prover(tensors, parameters))
    verification.overflow = overflow
    verification.threads = threads
    if triesPlans {
      verification.known = known
      verification.suspects = AttentionHypothesisRegistry.suspects(self, results)
    }
    let (findings, _) = try verification.run(
      on: AttentionQueries(tensors, block: 1), observer: Nobody(), progress: progress)
    return JudgedGuest(findings: findings, promised: promised.map(\.name))
  }

  private struct Nobody: Observer {
    typealias Q = AttentionForward
    mutating func merge(_ other: Nobody) {}
  }

  func prover(_ tensors: AttentionInputs, _ parameters: AttentionParameters)
    -> @Sendable (Trial<AttentionForward>.Side) throws -> any Prover<AttentionForward>
  {
    let (format, lse, overflow) = (format, lseFormat ?? .f64, overflow)
    return { _ in
      try AttentionProver(tensors, parameters, format: format, lseFormat: lse, overflow: overflow)
    }
  }

  /// The plans whose widest bound counts: scores and sums in f32 or the format, probabilities in that or, as many kernels have them, in
  /// the outputs' format.
  package func plans(_ tensors: AttentionInputs, _ parameters: AttentionParameters) throws(ClaimError)
    -> [GuestPlan<AttentionForward>]
  {
    let usual: [AttentionAlgorithm] =
      parameters.softmax.isClipped ? [.standard] : [.standard, .flash, .splitKV]
    let algorithms = try formats.algorithms(usual, of: AttentionAlgorithm.allCases)
    return algorithms.flatMap { algorithm in
      formats.promised.map { plan(algorithm, $0, tensors, parameters) }
    }
  }

  private var formats: AttentionPlans { AttentionPlans(format: format, overflow: overflow, claims: claims) }

  private var known: [GuestPlan<AttentionForward>] {
    let all = parameters.softmax.isClipped ? [.naive, .standard] : AttentionAlgorithm.allCases
    return all.flatMap { algorithm in formats.known.map { plan(algorithm, $0, tensors, parameters) } }
  }

  private func plan(
    _ algorithm: AttentionAlgorithm, _ choice: AttentionPlans.Formats, _ tensors: AttentionInputs,
    _ parameters: AttentionParameters
  ) -> GuestPlan<AttentionForward> {
    let (runner, name) = formats.runner(algorithm, choice, casting: "probabilities")
    return GuestPlan(name) { AttentionErrorModel(runner, tensors, parameters, isOrdered: false) }
  }
}

extension AttentionVerification {
  /// The same kernel where it answers something else; nil where no plan fits that.
  func alternative(_ other: OtherAttention, _ results: any ResultSource<AttentionForward>)
    -> Alternative<AttentionForward>?
  {
    guard let plans = try? plans(other.tensors, other.parameters) else { return nil }
    return Alternative(
      other.name, plans: plans, change: { $0.tensors = other.tensors },
      results: other.number.map { OtherRows(source: results, number: $0) },
      prover: prover(other.tensors, other.parameters))
  }
}

/// What was asked of attention, for those who think up what else may have been answered.
public struct AttentionContext: Sendable {
  /// The tensors it was asked of.
  public let tensors: AttentionInputs
  /// What was asked.
  public let parameters: AttentionParameters
  /// What results are numbers of.
  public let format: NumberFormat
  /// The tensors' sizes.
  public var shape: AttentionShape { tensors.shape }

  /// All parts.
  public init(_ tensors: AttentionInputs, _ parameters: AttentionParameters, _ format: NumberFormat) {
    (self.tensors, self.parameters, self.format) = (tensors, parameters, format)
  }

  /// The same question, whose answers stand where those of other queries ought to.
  func answers(_ name: String, of number: @escaping @Sendable (_ head: Int, _ query: Int) -> Int)
    -> OtherAttention
  {
    OtherAttention(name: name, tensors: tensors, parameters: parameters, number: number)
  }

  /// Other parameters, other tensors; nil where that is no question.
  func alternative(
    _ name: String, tensors: AttentionInputs? = nil,
    _ change: (inout AttentionParameters) -> Void = { _ in }
  ) -> OtherAttention? {
    var changed = parameters
    change(&changed)
    let tensors = tensors ?? self.tensors
    guard changed.fits(tensors.shape) else { return nil }
    return OtherAttention(name: name, tensors: tensors, parameters: changed)
  }

  /// An additive mask of what `bias` says of each query and key of each head.
  func additive(_ bias: (_ head: Int, _ query: Int, _ key: Int) -> Double) -> [Double] {
    let isEach = parameters.mask.additive.count > shape.queries * shape.keys
    return (0..<(isEach ? shape.heads : 1)).flatMap { h in
      (0..<shape.queries).flatMap { i in (0..<shape.keys).map { bias(h, i, $0) } }
    }
  }
}
