import NumKitNumbers

/// What was seen between the stages of a kernel: how near each came to overflow, and where the first NaN and the first
/// infinity were born.
///
/// What inputs bring along is nobody's birth: a NaN or +∞ among them excuses the whole row, a −∞ that masks only what stands at
/// its own place.
public struct StageTrace: Sendable {
  /// A number that went wrong: in which stage, at which index.
  public struct Birth: Sendable, Hashable {
    /// The row.
    public let row: Int
    /// The stage.
    public let stage: Stage
    /// The index in that stage's tensor; 0 for a single number.
    public let index: Int
    /// Whether it is −∞.
    public let isNegative: Bool

    /// Whether it is the logarithm of a 0, which something had become: no overflow.
    public var isLogarithmOfZero: Bool { isNegative && stage == .logarithm }
  }

  /// The first NaN that the inputs do not explain.
  public private(set) var firstNaN: Birth?
  /// The first infinity of either sign that the inputs do not explain; a saturating format has none, and the logarithm of a 0 is none.
  public private(set) var firstOverflow: Birth?
  /// The first logarithm of a 0 whose exact value is no 0.
  public private(set) var firstLogarithmOfZero: Birth?
  /// The first infinity in the row of `firstNaN`, where one came before it.
  public private(set) var causeOfNaN: Birth?
  /// Where the first infinite result comes from: the first infinity in its row.
  public private(set) var causeOfInfinity: Birth?
  /// The first overflow that may spoil results: any but one to −∞ on the way to an exponential, which is as good as 0.
  public private(set) var firstHarm: Birth?
  /// The first variance below zero: E[x²] − μ² where it cancels, whose root is NaN.
  public private(set) var firstNegativeVariance: Birth?
  /// The largest finite magnitude in each stage, as a fraction of its format's largest number.
  public private(set) var load: [Double] = Array(repeating: 0, count: Stage.allCases.count)
  /// Whether a NaN, or an infinity that may spoil results, was born in the row that is watched.
  package private(set) var wentWrong = false
  private var row = 0
  private var rowInfinity: Birth?
  /// Whether NaN or infinities among the inputs explain all others of the row.
  private var isExcused = false
  /// Whether a result of one number may be infinite by right.
  private var hasInfiniteResult = false
  /// How many elements the row has, and which of them, ascending, explain what stands at their own place.
  private var length = 0
  private var excused: [Int] = []
  /// Whether those explain a NaN too.
  private var excusesNaN = false

  /// Nothing seen.
  public init() {}

  /// Bits between the largest number seen and overflow: log₂(largest finite / largest seen); ∞ if all was zero, below
  /// 0 never; 0 where an overflow was born.
  public var headroom: Double {
    let worst = load.max() ?? 0
    if firstOverflow != nil { return 0 }
    return worst == 0 ? .infinity : -Double.log2(worst)
  }

  /// Names the row that is watched next; what earlier rows showed is kept.
  public mutating func startRow(_ row: Int) {
    self.row = row
    wentWrong = false
    rowInfinity = nil
    forgetInputs()
  }

  private mutating func forgetInputs() {
    isExcused = false
    hasInfiniteResult = false
    length = 0
    excusesNaN = false
    if !excused.isEmpty { excused.removeAll(keepingCapacity: true) }
  }

  /// Adds what another trace saw of inputs that this row has too.
  mutating func addInputs(_ other: StageTrace) {
    isExcused = isExcused || other.isExcused
    for i in load.indices { load[i] = Swift.max(load[i], other.load[i]) }
  }

  /// Names the row that is watched next, some of whose inputs `inputs` has seen; what they excuse the row says itself.
  mutating func startRow(_ row: Int, like inputs: StageTrace) {
    self = inputs
    startRow(row)
  }

  /// Notes an overflow that was seen elsewhere, of an input that this row has.
  mutating func observeOverflow(at index: Int, _ stage: Stage) { record(.infinity, at: index, stage) }

  /// Says that the inputs explain whatever is not finite in this row.
  mutating func excuseRow() { isExcused = true }

  /// Says that the row's result, a single number, is infinite by right.
  mutating func excuseResult() { hasInfiniteResult = true }

  /// The bits between the largest number seen in a stage and overflow; nil where nothing but zeros was seen.
  public func headroom(_ stage: Stage) -> Double? {
    let x = load[stage.position]
    return x > 0 ? -Double.log2(x) : nil
  }

  /// Looks at a row of logits: −∞ masks its own place, a NaN or +∞, or nothing but −∞, leaves no answer. Where `isElementwise`, each
  /// speaks for its own place alone.
  package mutating func observeLogits<C: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, isElementwise: Bool = false
  ) {
    record(peak: C.peak(values).largest, .input, C.format)
    noteMasks(values, isElementwise: isElementwise)
  }

  /// Takes these for the row's inputs: a policy or a limit has replaced them.
  mutating func noteMasks<C: Scalar>(
    _ values: UnsafeMutableBufferPointer<C>, isElementwise: Bool = false
  ) {
    forgetInputs()
    length = values.count
    excusesNaN = isElementwise
    if C.peak(values).isFinite { return }
    for i in values.indices where !values[i].exact.isFinite {
      if isElementwise || values[i].exact == -.infinity { excused.append(i) } else { isExcused = true }
    }
    if !isElementwise && excused.count == length { isExcused = true }
  }

  package mutating func observe<C: Scalar>(_ values: UnsafeMutableBufferPointer<C>, _ stage: Stage) {
    let (peak, isFinite) = C.peak(values)
    record(peak: peak, stage, C.format)
    if isFinite || isExcused { return }
    // Stages of another length have no places in common with the inputs.
    let masks = values.count == length ? excused.count : 0
    var mask = 0
    for i in values.indices where !values[i].exact.isFinite {
      let v = values[i].exact
      while mask < masks && excused[mask] < i { mask += 1 }
      if mask < masks && excused[mask] == i && (excusesNaN || !v.isNaN) { continue }
      record(v, at: i, stage, isResult: values.count == 1)
    }
  }

  package mutating func observe<C: Scalar>(_ value: C, _ stage: Stage) {
    let v = value.exact
    if v.isFinite {
      record(peak: v.magnitude, stage, C.format)
    } else {
      record(v, at: 0, stage, isResult: true)
    }
    if stage == .variance && v < 0 && firstNegativeVariance == nil {
      firstNegativeVariance = Birth(row: row, stage: stage, index: 0, isNegative: true)
    }
  }

  private mutating func record(peak: Double, _ stage: Stage, _ format: NumberFormat) {
    let i = stage.position
    load[i] = Swift.max(load[i], peak / format.largestFinite)
  }

  /// `isResult` where the number stands alone, as a sum, its logarithm or the result of a row that has one.
  private mutating func record(_ v: Double, at index: Int, _ stage: Stage, isResult: Bool = false) {
    if stage == .input { return excuseRow() }
    if isExcused { return }
    let birth = Birth(row: row, stage: stage, index: index, isNegative: v < 0)
    if v.isNaN {
      wentWrong = true
      guard firstNaN == nil else { return }
      firstNaN = birth
      causeOfNaN = rowInfinity
      return
    }
    if hasInfiniteResult && isResult { return }
    note(birth)
    if stage == .output && causeOfInfinity == nil { causeOfInfinity = rowInfinity }
  }

  /// Notes an infinity; only the first of a row is born, the others come of it.
  private mutating func note(_ birth: Birth) {
    let isHarmless = birth.isNegative && birth.stage.isExponent
    if !isHarmless && !birth.isLogarithmOfZero {
      wentWrong = true
      firstHarm = firstHarm ?? birth
    }
    guard rowInfinity == nil else { return }
    rowInfinity = birth
    if birth.isLogarithmOfZero {
      firstLogarithmOfZero = firstLogarithmOfZero ?? birth
    } else {
      firstOverflow = firstOverflow ?? birth
    }
  }

  /// Adds what another trace saw of other rows.
  public mutating func merge(_ other: StageTrace) {
    if Self.isEarlier(other.firstNaN, than: firstNaN) { causeOfNaN = other.causeOfNaN }
    firstNaN = Self.earlier(firstNaN, other.firstNaN)
    firstOverflow = Self.earlier(firstOverflow, other.firstOverflow)
    firstLogarithmOfZero = Self.earlier(firstLogarithmOfZero, other.firstLogarithmOfZero)
    causeOfInfinity = Self.earlier(causeOfInfinity, other.causeOfInfinity)
    firstHarm = Self.earlier(firstHarm, other.firstHarm)
    firstNegativeVariance = Self.earlier(firstNegativeVariance, other.firstNegativeVariance)
    for i in load.indices { load[i] = Swift.max(load[i], other.load[i]) }
  }

  private static func isEarlier(_ a: Birth?, than b: Birth?) -> Bool {
    guard let a else { return false }
    return b.map { a.row < $0.row } ?? true
  }

  private static func earlier(_ a: Birth?, _ b: Birth?) -> Birth? { isEarlier(b, than: a) ? b : a }
}

extension StageTrace.Birth: Portable {
  fileprivate static let blank = Self(row: 0, stage: .input, index: 0, isNegative: false)

  package mutating func carry(_ c: inout Carrier) throws {
    var (row, stage, index, isNegative) = (row, stage, index, isNegative)
    try c.carry(count: &row)
    try c.carry(&stage, of: Array(Stage.allCases))
    try c.carry(count: &index)
    try c.carry(&isNegative)
    self = Self(row: row, stage: stage, index: index, isNegative: isNegative)
  }
}

extension StageTrace: Portable {
  /// What it saw of all rows; what it knows of the row that it watches is not carried.
  package mutating func carry(_ c: inout Carrier) throws {
    for birth in [
      \Self.firstNaN, \.firstOverflow, \.firstLogarithmOfZero, \.causeOfNaN, \.causeOfInfinity, \.firstHarm,
      \.firstNegativeVariance,
    ] as [WritableKeyPath<Self, Birth?>] {
      try c.carry(&self[keyPath: birth], blank: .blank) { try $0.carry(&$1) }
    }
    try c.carry(fixed: &load) { try $0.carry(&$1) }
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
    case .mask: return 15
    case .angle: return 16
    }
  }

  /// Whether its numbers are on their way to an exponential, where −∞ is as good as a very negative number.
  var isExponent: Bool {
    switch self {
    case .scores, .scale, .mask, .shift: true
    default: false
    }
  }
}
