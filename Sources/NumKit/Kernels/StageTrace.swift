import NumKitNumbers

/// What was seen between the stages of a kernel: how near each came to overflow, and where the first NaN and the first
/// infinity were born.
public struct StageTrace: Sendable {
  /// A number that went wrong: in which stage, at which index.
  public struct Birth: Sendable, Hashable {
    /// The row.
    public let row: Int
    /// The stage.
    public let stage: Stage
    /// The index in that stage's tensor; 0 for a single number.
    public let index: Int
  }

  /// The first NaN, if the inputs had none.
  public private(set) var firstNaN: Birth?
  /// The first infinity, if the inputs had none; a saturating format has none.
  public private(set) var firstOverflow: Birth?
  /// The first variance below zero: E[x²] − μ² where it cancels, whose root is NaN.
  public private(set) var firstNegativeVariance: Birth?
  /// The largest finite magnitude in each stage, as a fraction of its format's largest number.
  public private(set) var load: [Double] = Array(repeating: 0, count: Stage.allCases.count)
  /// Whether a NaN or an infinity was born in the row that is watched.
  package private(set) var wentWrong = false
  private var row = 0
  private var inputHadNaN = false
  private var inputHadInfinity = false

  /// Nothing seen.
  public init() {}

  /// Bits between the largest number seen and overflow: log₂(largest finite / largest seen); ∞ if all was zero, below
  /// 0 never.
  public var headroom: Double {
    let worst = load.max() ?? 0
    if firstOverflow != nil { return 0 }
    return worst == 0 ? .infinity : -Double.log2(worst)
  }

  /// Names the row that is watched next; what earlier rows showed is kept.
  public mutating func startRow(_ row: Int) {
    self.row = row
    wentWrong = false
    inputHadNaN = false
    inputHadInfinity = false
  }

  /// Adds what another trace saw of inputs that this row has too.
  mutating func addInputs(_ other: StageTrace) {
    inputHadNaN = inputHadNaN || other.inputHadNaN
    inputHadInfinity = inputHadInfinity || other.inputHadInfinity
    for i in load.indices { load[i] = Swift.max(load[i], other.load[i]) }
  }

  /// Names the row that is watched next, some of whose inputs `inputs` has seen.
  mutating func startRow(_ row: Int, like inputs: StageTrace) {
    self = inputs
    self.row = row
    wentWrong = false
  }

  /// The bits between the largest number seen in a stage and overflow; nil where nothing but zeros was seen.
  public func headroom(_ stage: Stage) -> Double? {
    let x = load[stage.position]
    return x > 0 ? -Double.log2(x) : nil
  }

  /// `signed` where −∞ is an overflow too: in sums, not in logarithms and masks.
  mutating func observe<C: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, _ stage: Stage, signed: Bool = false
  ) {
    let (peak, isFinite) = C.peak(values)
    record(peak: peak, stage, C.format)
    if isFinite { return }
    for i in values.indices where !values[i].exact.isFinite {
      record(signed && values[i].exact == -.infinity ? .infinity : values[i].exact, at: i, stage)
    }
  }

  mutating func observe<C: Scalar>(_ value: C, _ stage: Stage) {
    let v = value.exact
    if v.isFinite { record(peak: v.magnitude, stage, C.format) } else { record(v, at: 0, stage) }
    if stage == .variance && v < 0 && firstNegativeVariance == nil {
      firstNegativeVariance = Birth(row: row, stage: stage, index: 0)
    }
  }

  private mutating func record(peak: Double, _ stage: Stage, _ format: NumberFormat) {
    let i = stage.position
    load[i] = Swift.max(load[i], peak / format.largestFinite)
  }

  private mutating func record(_ v: Double, at index: Int, _ stage: Stage) {
    if stage == .input {
      if v.isNaN { inputHadNaN = true } else { inputHadInfinity = true }
    } else if v.isNaN {
      guard !inputHadNaN && !inputHadInfinity else { return }
      wentWrong = true
      if firstNaN == nil { firstNaN = Birth(row: row, stage: stage, index: index) }
    } else if v == .infinity && !inputHadInfinity {
      wentWrong = true
      if firstOverflow == nil { firstOverflow = Birth(row: row, stage: stage, index: index) }
    }
  }

  /// Adds what another trace saw of other rows.
  public mutating func merge(_ other: StageTrace) {
    firstNaN = Self.earlier(firstNaN, other.firstNaN)
    firstOverflow = Self.earlier(firstOverflow, other.firstOverflow)
    firstNegativeVariance = Self.earlier(firstNegativeVariance, other.firstNegativeVariance)
    for i in load.indices { load[i] = Swift.max(load[i], other.load[i]) }
  }

  private static func earlier(_ a: Birth?, _ b: Birth?) -> Birth? {
    guard let a, let b else { return a ?? b }
    return a.row <= b.row ? a : b
  }
}

extension Stage {
  @usableFromInline var position: Int {
    switch self {
    case .input: return 0
    case .scale: return 1
    case .shift: return 2
    case .exponential: return 3
    case .sum: return 4
    case .logarithm: return 5
    case .probabilities: return 6
    case .output: return 7
    case .scores: return 8
    case .weighted: return 9
    case .squares: return 10
    case .mean: return 11
    case .centered: return 12
    case .variance: return 13
    case .root: return 14
    }
  }
}

/// Stages that are watched and not changed.
struct Observed: Stages {
  var trace: StageTrace

  mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
    trace.observe(values, stage)
  }
  mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
    trace.observe(value, stage)
    return value
  }
  mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? { nil }
}

/// Stages whose tensors are stored on an integer grid, each row with its own scale, and whose sums are sums of codes in
/// Int32 (modelled in 64 bits; an Int32 could hold 2^23 codes of 8 bits).
struct OnIntegerGrid: Stages {
  var trace: StageTrace
  private var grid: IntegerGrid

  init(_ format: IntegerFormat, trace: StageTrace) {
    grid = IntegerGrid(format)
    self.trace = trace
  }

  mutating func store<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
    trace.observe(values, stage)
    grid.fit(count: values.count) { values[$0].exact }
    for i in values.indices { values[i] = C(rounding: grid.value(grid.code(values[i].exact))) }
  }
  mutating func store<C: Scalar>(_ value: C, _ stage: Stage) -> C {
    trace.observe(value, stage)
    return value
  }
  mutating func sum<C: Scalar, A: Scalar>(_ values: UnsafeMutableBufferPointer<C>, in: A.Type) -> A? {
    var total = 0
    for v in values { total += Int(grid.code(v.exact) - grid.zeroPoint) }
    return A(rounding: Double(grid.scale) * Double(total))
  }
}
