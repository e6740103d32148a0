import NumKit
import NumKitNumbers
import Quant
import Reports
import Synchronization

/// What there is among inputs that is no number.
struct InputCount: Sendable {
  private(set) var nan = 0
  private(set) var infinite = 0
  /// Where the first of each stands: row and column.
  private(set) var firstNaN: Position?
  private(set) var firstInfinity: Position?

  struct Position: Sendable, Comparable {
    let row: Int
    let column: Int
    static func < (a: Self, b: Self) -> Bool { (a.row, a.column) < (b.row, b.column) }
    var text: String { "\(row),\(column)" }
  }

  /// Counts what stands in `row`; rows may come in any order.
  mutating func add(row: Int, _ values: UnsafeBufferPointer<Double>) {
    // Integers, which a vector loop may add up in any order.
    let exponent = Double.infinity.bitPattern
    var found = 0
    for x in values { found &+= x.bitPattern & exponent == exponent ? 1 : 0 }
    if found == 0 { return }
    for (column, x) in values.enumerated() where !x.isFinite {
      let position = Position(row: row, column: column)
      if x.isNaN {
        nan += 1
        firstNaN = min(firstNaN ?? position, position)
      } else {
        infinite += 1
        firstInfinity = min(firstInfinity ?? position, position)
      }
    }
  }

  init() {}

  /// Of a matrix that was read as f32.
  init(_ found: NonFinite) {
    (nan, infinite) = (found.nan, found.infinite)
    firstNaN = found.firstNaN.map { Position(row: $0.row, column: $0.column) }
    firstInfinity = found.firstInfinity.map { Position(row: $0.row, column: $0.column) }
  }

  /// Of a tensor whose profile was taken.
  init(_ profile: TensorProfile) {
    (nan, infinite) = (profile.nanCount, profile.infiniteCount)
    firstNaN = profile.firstNaN.map { Position(row: $0.row, column: $0.column) }
    firstInfinity = profile.firstInfinity.map { Position(row: $0.row, column: $0.column) }
  }

  /// Of a matrix in memory.
  init(_ values: UnsafeBufferPointer<Float>, columns: Int) {
    var found = NonFinite()
    found.add(values, columns: columns)
    self.init(found)
  }

  var facts: [Fact] { [Fact("input.nan", .integer(nan)), Fact("input.inf", .integer(infinite))] }

  /// What people must know first. Infinities are no news where they mask.
  var findings: [Finding] { findings("") }

  /// The same of what is at `place`, with more to say.
  func findings(_ place: String, _ more: String = "") -> [Finding] {
    var parts: [String] = []
    if let firstNaN { parts.append("\(Figures.count(nan)) NaN (first at \(firstNaN.text))") }
    if let firstInfinity {
      parts.append("\(Figures.count(infinite)) infinite (first at \(firstInfinity.text))")
    }
    return parts.isEmpty
      ? [] : [Finding("input", place, parts.joined(separator: ", ") + more, warns: nan > 0)]
  }
}

/// Rows that are counted as they are read, each once however often that is.
final class CountedRows<Source: RowSource>: RowSource {
  private let source: Source
  private let state = Mutex(Counted())
  /// What is asked of the rows, where some have no answer to it.
  private let operation: RowOperation?

  private struct Counted {
    var count = InputCount()
    var unanswered = UnansweredRows()
    /// A bit for each row that has been counted; empty as long as there is none.
    var rows: [UInt64] = []
  }

  init(_ source: Source, _ operation: RowOperation? = nil) {
    self.source = source
    self.operation = operation
  }

  var rowCount: Int { source.rowCount }
  var length: Int { source.length }
  var count: InputCount { state.withLock { $0.count } }
  var unanswered: UnansweredRows { state.withLock { $0.unanswered } }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.read(row, into: buffer)
    var own = InputCount()
    own.add(row: row, UnsafeBufferPointer(buffer))
    guard own.nan + own.infinite > 0 else { return }
    var unanswered = UnansweredRows()
    if let operation { unanswered.add(UnsafeBufferPointer(buffer), operation) }
    let (found, others, words) = (own, unanswered, (rowCount + 63) / 64)
    state.withLock { state in
      if state.rows.isEmpty { state.rows = Array(repeating: 0, count: words) }
      let bit: UInt64 = 1 << UInt64(row % 64)
      if state.rows[row / 64] & bit != 0 { return }
      state.rows[row / 64] |= bit
      state.count.merge(found)
      state.unanswered.merge(others)
    }
  }
}

extension InputCount {
  mutating func merge(_ other: InputCount) {
    nan += other.nan
    infinite += other.infinite
    firstNaN = [firstNaN, other.firstNaN].compactMap { $0 }.min()
    firstInfinity = [firstInfinity, other.firstInfinity].compactMap { $0 }.min()
  }
}

extension InputCount: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    func position(_ c: inout Carrier, _ p: inout Position) throws {
      var (row, column) = (p.row, p.column)
      try c.carry(count: &row)
      try c.carry(count: &column)
      p = Position(row: row, column: column)
    }
    try c.carry(count: &nan)
    try c.carry(count: &infinite)
    try c.carry(&firstNaN, blank: Position(row: 0, column: 0), position)
    try c.carry(&firstInfinity, blank: Position(row: 0, column: 0), position)
  }

  /// What was counted on the way of work that several processes may have shared.
  static func gathered(_ found: InputCount) throws -> InputCount {
    try Sharing.gather("input", found, blank: InputCount()) { $0.merge($1) }
  }
}

extension UnansweredRows {
  /// The same.
  static func gathered(_ found: UnansweredRows) throws -> UnansweredRows {
    try Sharing.gather("unanswered", found, blank: UnansweredRows()) { $0.merge($1) }
  }
}
