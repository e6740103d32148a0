import NumKit
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

  var facts: [Fact] { [Fact("input.nan", .integer(nan)), Fact("input.inf", .integer(infinite))] }

  /// What people must know first. Infinities are no news where they mask.
  var findings: [Finding] {
    var parts: [String] = []
    if let firstNaN { parts.append("\(Figures.count(nan)) NaN (first at \(firstNaN.text))") }
    if let firstInfinity {
      parts.append("\(Figures.count(infinite)) infinite (first at \(firstInfinity.text))")
    }
    return parts.isEmpty ? [] : [Finding("input", "", parts.joined(separator: ", "), warns: nan > 0)]
  }
}

/// Rows that are counted as they are read, each once however often that is.
final class CountedRows<Source: RowSource>: RowSource {
  private let source: Source
  private let state = Mutex(Counted())

  private struct Counted {
    var count = InputCount()
    /// A bit for each row that has been counted; empty as long as there is none.
    var rows: [UInt64] = []
  }

  init(_ source: Source) { self.source = source }

  var rowCount: Int { source.rowCount }
  var length: Int { source.length }
  var count: InputCount { state.withLock { $0.count } }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.read(row, into: buffer)
    var own = InputCount()
    own.add(row: row, UnsafeBufferPointer(buffer))
    guard own.nan + own.infinite > 0 else { return }
    let (found, words) = (own, (rowCount + 63) / 64)
    state.withLock { state in
      if state.rows.isEmpty { state.rows = Array(repeating: 0, count: words) }
      let bit: UInt64 = 1 << UInt64(row % 64)
      if state.rows[row / 64] & bit != 0 { return }
      state.rows[row / 64] |= bit
      state.count.merge(found)
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
