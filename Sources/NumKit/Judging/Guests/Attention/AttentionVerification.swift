import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import Synchronization

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
    // A plan is asked hundreds of times what it may err by, and to make that it looks at all numbers.
    let made = KeptErrors { AttentionErrorModel(runner, tensors, parameters, isOrdered: false) }
    return GuestPlan(name) { made.errors() }
  }

  /// Errors that are made once.
  private final class KeptErrors: Sendable {
    private let made = Mutex<AttentionErrorModel??>(nil)
    private let make: @Sendable () -> AttentionErrorModel?

    init(_ make: @escaping @Sendable () -> AttentionErrorModel?) { self.make = make }

    func errors() -> AttentionErrorModel? {
      made.withLock { made in
        if let made { return made }
        let new = make()
        made = .some(new)
        return new
      }
    }
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

  /// The same kernel where it makes one of these slips; none where no plan fits.
  func alternatives(_ slips: [AttentionSlip]) -> [Alternative<AttentionForward>] {
    guard let usual = try? plans(tensors, parameters) else { return [] }
    let f32 = RowPlans.usual(format)
    let casts = Dictionary(
      Set(slips.compactMap(\.cast)).map { cast in
        (cast, plan(.flash, .init(compute: f32, accumulate: f32, cast: cast), tensors, parameters))
      }, uniquingKeysWith: { first, _ in first })
    let (asked, result) = (parameters, format)
    let stored = [format, lseFormat ?? .f64]
    return slips.map { slip in
      let plans = usual + [slip.cast.flatMap { casts[$0] }].compactMap { $0 }
      let bounded = GuestPlan(slip.name) { SlippedErrors(plans, slip, asked, result) }
      return Alternative(slip.name, plans: [bounded]) { _ in SlippedProver(slip, asked, formats: stored) }
    }
  }

  /// The same question of a kernel that computes in shorter formats than may be promised.
  var shorter: [Alternative<AttentionForward>] {
    let algorithm: AttentionAlgorithm = parameters.softmax.isClipped ? .standard : .flash
    return formats.shorter.map { name, choice in
      let plan = plan(algorithm, choice, tensors, parameters)
      var same = Alternative(name, plans: [plan], prover: prover(tensors, parameters))
      same.isSameQuestion = true
      same.example = ComputedAttention(
        formats.runner(algorithm, choice, casting: "probabilities").0, parameters)
      return same
    }
  }
}

/// What a kernel of ours makes of it.
private struct ComputedAttention: ResultSource {
  typealias Q = AttentionForward
  private let runner: AttentionRunner
  private let parameters: AttentionParameters

  init(_ runner: AttentionRunner, _ parameters: AttentionParameters) {
    (self.runner, self.parameters) = (runner, parameters)
  }

  func results(
    of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>
  ) throws {
    guard let made = runner.run(item.tensors, parameters, rows: item.row..<item.row + 1) else {
      throw AttentionError.cannotRun(runner)
    }
    for c in results.indices { results[c] = c < made.output.count ? made.output[c] : made.logSumExp[0] }
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
