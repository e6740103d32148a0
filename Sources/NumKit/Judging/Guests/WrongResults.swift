import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A result that is not what a right kernel may give.
public struct WrongResult: Sendable, Hashable {
  /// Its row.
  public let row: Int
  /// Its place in the row.
  public let index: Int
  /// What was computed.
  public let computed: Double
  /// The exact result, rounded to Double.
  public let exact: Double
  /// Its error in ulps; NaN for a wrong special value.
  public let ulp: Double
  /// What it may err by, in ulps; NaN where there is no bound.
  public let bound: Double

  package init(row: Int, index: Int, computed: Double, exact: Double, ulp: Double, bound: Double) {
    self.row = row
    self.index = index
    self.computed = computed
    self.exact = exact
    self.ulp = ulp
    self.bound = bound
  }

  /// Whether it is the one to show of two: wrong special values, then the larger error, then the earlier.
  func precedes(_ other: WrongResult) -> Bool {
    if ulp.isNaN != other.ulp.isNaN { return ulp.isNaN }
    if !ulp.isNaN && ulp != other.ulp { return ulp > other.ulp }
    return (row, index) < (other.row, other.index)
  }
}

/// Which results of a part are wrong: how many, the worst of them, and, of the first rows that have any, exactly which. What is kept
/// does not depend on the order in which rows come.
public struct WrongResults: Sendable {
  /// Wrong results.
  public private(set) var count = 0
  /// Rows that have any.
  public private(set) var rowCount = 0
  /// The first and the last of them.
  public private(set) var span: ClosedRange<Int>?
  /// The worst, at most `shown`.
  public private(set) var worst: [WrongResult] = []
  /// Of the first rows that have any, a bit for each result, 64 in a word.
  private var bits: [Int: [UInt64]] = [:]

  /// How many are shown.
  public static let shown = 8
  /// Bits that are kept, of all rows together.
  private static let capacity = 1 << 25

  /// None.
  public init() {}

  /// Enters a row; `wrong` are its wrong results, in order.
  package mutating func add(row: Int, length: Int, wrong: [WrongResult]) {
    guard !wrong.isEmpty else { return }
    var words = [UInt64](repeating: 0, count: (length + 63) / 64)
    for result in wrong { words[result.index / 64] |= 1 << UInt64(result.index % 64) }
    count += wrong.count
    rowCount += 1
    span = Swift.min(span?.lowerBound ?? row, row)...Swift.max(span?.upperBound ?? row, row)
    bits[row] = words
    prune(2)
    offer(wrong)
  }

  private mutating func offer(_ others: [WrongResult]) {
    for other in others {
      if worst.count == Self.shown, let last = worst.last, !other.precedes(last) { continue }
      worst.insert(other, at: worst.firstIndex { other.precedes($0) } ?? worst.endIndex)
      if worst.count > Self.shown { worst.removeLast() }
    }
  }

  /// Forgets rows behind the first ones that there is room for, once there are `slack` times as many.
  private mutating func prune(_ slack: Int) {
    guard let width = bits.first?.value.count else { return }
    let room = Swift.max(64, Self.capacity / (64 * Swift.max(1, width)))
    guard bits.count > slack * room else { return }
    let kept = bits.keys.sorted().prefix(room)
    bits = Dictionary(uniqueKeysWithValues: kept.map { ($0, bits[$0] ?? []) })
  }

  package mutating func merge(_ other: WrongResults) {
    count += other.count
    rowCount += other.rowCount
    if let theirs = other.span {
      span =
        Swift.min(
          span?.lowerBound ?? theirs.lowerBound, theirs.lowerBound)...Swift.max(
          span?.upperBound ?? theirs.upperBound, theirs.upperBound)
    }
    bits.merge(other.bits) { mine, _ in mine }
    prune(1)
    offer(other.worst)
  }

  /// The rows of which it is known exactly what is wrong, in order: the first that have any.
  public var knownRows: [Int] { bits.keys.sorted() }

  /// Whether result `index` of a known row is wrong.
  public func isWrong(row: Int, _ index: Int) -> Bool {
    guard let words = bits[row], words.indices.contains(index / 64) else { return false }
    return words[index / 64] >> UInt64(index % 64) & 1 == 1
  }

  /// The places of a known row's wrong results.
  public func wrongIndices(inRow row: Int) -> [Int] {
    (bits[row] ?? []).enumerated().flatMap { k, word -> [Int] in
      word == 0 ? [] : (0..<64).filter { word >> UInt64($0) & 1 == 1 }.map { k * 64 + $0 }
    }
  }
}

extension WrongResult: Portable {
  /// To read into.
  static let blank = WrongResult(row: 0, index: 0, computed: 0, exact: 0, ulp: 0, bound: 0)

  package mutating func carry(_ c: inout Carrier) throws {
    var places = [row, index]
    var figures = [computed, exact, ulp, bound]
    try c.carry(fixed: &places) { try $0.carry(count: &$1) }
    try c.carry(fixed: &figures) { try $0.carry(&$1) }
    self = WrongResult(
      row: places[0], index: places[1], computed: figures[0], exact: figures[1], ulp: figures[2],
      bound: figures[3])
  }
}

extension WrongResults: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &count)
    try c.carry(count: &rowCount)
    var ends = span.map { [$0.lowerBound, $0.upperBound] } ?? []
    try c.carry(&ends, blank: 0) { try $0.carry(count: &$1) }
    guard ends.isEmpty || ends.count == 2 && ends[0] <= ends[1] else { throw CarrierError() }
    span = ends.isEmpty ? nil : ends[0]...ends[1]
    try c.carry(&worst, blank: .blank) { try $0.carry(&$1) }
    guard worst.count <= Self.shown else { throw CarrierError() }
    var rows = bits.keys.sorted().map { (row: $0, words: bits[$0] ?? []) }
    try c.carry(&rows, blank: (row: 0, words: [])) { c, one in
      try c.carry(count: &one.row)
      try c.carry(&one.words, blank: 0) { try $0.carry(&$1) }
    }
    bits = Dictionary(rows.map { ($0.row, $0.words) }) { first, _ in first }
  }
}

/// Notes which results are wrong, part by part, of the one candidate there is.
struct WrongSights<Q: Question>: Observer {
  private(set) var parts: [WrongResults]

  init(_ question: Q) { parts = question.parts.map { _ in WrongResults() } }

  mutating func see(_ row: JudgedRow) {
    let wrong = row.results.indices.compactMap { row.wrongResult($0) }
    parts[row.row.part].add(row: row.row.row, length: row.row.count, wrong: wrong)
  }

  mutating func merge(_ other: WrongSights) {
    for p in parts.indices { parts[p].merge(other.parts[p]) }
  }
}

extension WrongSights: Portable {
  mutating func carry(_ c: inout Carrier) throws { try c.carry(fixed: &parts) { try $0.carry(&$1) } }
}

/// Two observers at once.
struct BothObservers<A: Observer, B: Observer>: Observer where A.Q == B.Q {
  typealias Q = A.Q
  var first: A
  var second: B

  var wantsGivenProfiles: Bool { first.wantsGivenProfiles || second.wantsGivenProfiles }

  mutating func see(stored: Answered<Q>, given: Answered<Q>) {
    first.see(stored: stored, given: given)
    second.see(stored: stored, given: given)
  }

  mutating func see(
    candidate: Int, _ item: Q.Item, results: UnsafeBufferPointer<Double>, truths: [Truth], flat: [FlatTruth]
  ) {
    first.see(candidate: candidate, item, results: results, truths: truths, flat: flat)
    second.see(candidate: candidate, item, results: results, truths: truths, flat: flat)
  }

  mutating func see(_ row: JudgedRow) {
    first.see(row)
    second.see(row)
  }

  mutating func merge(_ other: Self) {
    first.merge(other.first)
    second.merge(other.second)
  }
}

extension BothObservers: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try Self.carry(&first, &c)
    try Self.carry(&second, &c)
  }

  private static func carry<O: Observer>(_ observer: inout O, _ c: inout Carrier) throws {
    guard var seen = observer as? any Portable else { throw CarrierError() }
    try seen.carry(&c)
    if let seen = seen as? O { observer = seen }
  }
}

extension JudgedRow {
  /// Result `i`, if it is wrong: above its bound and not what the truth is rounded to, or special where no bound explains it.
  func wrongResult(_ i: Int) -> WrongResult? {
    guard statistics.isWrong(i, results[i], truth, flat, unit, bounds?[i]) else { return nil }
    let size = unit.size(at: flat.value[i])
    let isSized = results[i].isFinite && flat.value[i].isFinite
    return WrongResult(
      row: row.row, index: i, computed: results[i], exact: flat.value[i],
      ulp: isSized ? flat.error(of: results[i], at: i) / size : .nan,
      bound: bounds.map { $0[i] / size } ?? .nan)
  }
}
