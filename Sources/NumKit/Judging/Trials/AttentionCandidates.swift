import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One of our attention kernels, on the stored tensors or on others that were prepared for it.
public struct AttentionCandidate: Candidate {
  public typealias Q = AttentionForward

  /// The kernel.
  public let runner: AttentionRunner
  public let name: String
  /// NaN, overflow and headroom by stage, and in how many rows each was born where.
  public private(set) var sights = AttentionResult()
  private let parameters: AttentionParameters
  private let stored: AttentionInputs
  /// What the kernel is given, and stores itself: a grid fitted to stored numbers might be another.
  private let given: AttentionInputs
  private let isBounded: Bool
  /// The answers of a block of rows, so that keys and values are prepared once for it.
  private var block = 0..<0
  private var result = AttentionResult()
  /// All threads' and other candidates'; nil where each thread has its own.
  private let heads: KeyHeads?
  /// One thread's.
  private var kept: AttentionKept?

  /// `runner` on `stored`, or on `given` which it stores as that; `isBounded` where that is the stored item itself, which bounds
  /// speak of.
  public init(
    _ runner: AttentionRunner, _ parameters: AttentionParameters, on stored: AttentionInputs,
    given: AttentionInputs? = nil, isBounded: Bool = true, name: String? = nil
  ) {
    self.init(runner, parameters, on: stored, given: given, isBounded: isBounded, name: name, heads: nil)
  }

  /// The same; candidates on the same tensors may share `heads`.
  init(
    _ runner: AttentionRunner, _ parameters: AttentionParameters, on stored: AttentionInputs,
    given: AttentionInputs? = nil, isBounded: Bool = true, name: String? = nil, heads: KeyHeads?
  ) {
    self.runner = runner
    self.parameters = parameters
    self.stored = stored
    self.given = given ?? stored
    self.isBounded = isBounded
    self.heads = heads
    self.name = name ?? runner.algorithm.rawValue
  }

  public func prepared() -> Self {
    var own = self
    own.kept = AttentionKept(heads)
    return own
  }

  public mutating func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    try prepare(item, &trace, inspect: nil)
    copy(item, into: results)
  }

  mutating func prepare(
    _ item: AttentionForward.Item, _ trace: inout StageTrace,
    inspect: ((_ row: Int, _ firstKey: Int, UnsafeBufferPointer<Double>) -> Void)?
  ) throws {
    if block.contains(item.row) { return }
    guard let made = runner.run(given, parameters, rows: item.block, keeping: kept, inspect: inspect) else {
      throw AttentionError.cannotRun(runner)
    }
    result = made
    block = item.block
    sights.mergeSights(made)
    trace.merge(made.trace)
  }

  func copy(_ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>) {
    let width = stored.shape.valueSize
    let place = item.row - block.lowerBound
    for c in 0..<width { results[c] = result.output[place * width + c] }
    if results.count > width { results[width] = result.logSumExp[place] }
  }

  public func errorModel() -> (any ErrorModel<AttentionForward>)? {
    isBounded ? AttentionErrorModel(runner, stored, parameters, isOrdered: true) : nil
  }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    .ulp(part == 0 ? runner.outputFormat : runner.lseFormat)
  }

  public func wentWrong(_ item: AttentionForward.Item, _ trace: StageTrace) -> Bool {
    block.contains(item.row) && result.wentWrong[item.row - block.lowerBound]
  }

  public mutating func merge(_ other: AttentionCandidate) { sights.mergeSights(other.sights) }
}

extension AttentionCandidate: Portable {
  package mutating func carry(_ c: inout Carrier) throws { try c.carry(&sights) }
}

extension AttentionInputs {
  /// Whether all finite numbers are numbers of a format.
  fileprivate func isHeld(by format: NumberFormat) -> Bool {
    [q, k, v].allSatisfy { $0.allSatisfy { !$0.isFinite || format.holds($0) } }
  }
}

/// The outputs' bounds; the log-sum-exp has none.
struct AttentionErrorModel: ProbabilisticErrorModel, Sendable {
  typealias Q = AttentionForward

  private var errors: AttentionErrors
  private var bounds: [Double]

  /// A kernel of ours sums in the order that it says (`isOrdered`), another's in any.
  init?(
    _ runner: AttentionRunner, _ stored: AttentionInputs, _ parameters: AttentionParameters, isOrdered: Bool
  ) {
    // Ours are given numbers of the storage's format; those of others may round them when they load them.
    let isHeld = isOrdered || stored.isHeld(by: runner.configuration.compute)
    guard
      let errors = AttentionErrors(
        runner, stored, parameters, isOrdered: isOrdered, inputs: isHeld ? nil : .f64),
      !BoundBasis(runner, hasSoftcap: parameters.softcap != nil).isHopeless
    else { return nil }
    self.errors = errors
    bounds = Array(repeating: 0, count: stored.shape.valueSize)
  }

  func exceeded(withProbability probability: Double) -> AttentionErrorModel {
    var other = self
    other.errors = errors.exceeded(withProbability: probability)
    return other
  }

  mutating func bound(
    _ row: ResultRow, of item: AttentionForward.Item, _ profile: AttentionProfile,
    exact: UnsafeBufferPointer<Double>, into results: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    guard row.part == 0 else { return RowBound.none }
    let kind = errors.bound(profile, row: item.row, truth: Array(exact), into: &bounds)
    for c in bounds.indices { results[c] = bounds[c] }
    return profile.isRegular ? kind : nil
  }
}
