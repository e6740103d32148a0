import NumKit
import NumKitNumbers

/// What there is in a matrix that is no number, and where the first of each stands.
public struct NonFinite: Sendable, Hashable {
  /// Row and column.
  public struct Position: Sendable, Hashable, Comparable {
    public let row: Int
    public let column: Int

    public init(row: Int, column: Int) {
      self.row = row
      self.column = column
    }

    public static func < (a: Self, b: Self) -> Bool { (a.row, a.column) < (b.row, b.column) }
  }

  public private(set) var nan = 0
  public private(set) var infinite = 0
  public private(set) var firstNaN: Position?
  public private(set) var firstInfinity: Position?

  /// Nothing.
  public init() {}

  /// Adds whole rows of so many columns, the first of which has this number.
  public mutating func add(_ values: UnsafeBufferPointer<Float>, columns: Int, firstRow: Int = 0) {
    guard columns > 0 else { return }
    // Integers, which a vector loop may add up in any order.
    let exponent = Float.infinity.bitPattern
    for row in 0..<values.count / columns {
      var found = 0
      for column in 0..<columns {
        found &+= values[row * columns + column].bitPattern & exponent == exponent ? 1 : 0
      }
      if found == 0 { continue }
      for column in 0..<columns {
        let x = values[row * columns + column]
        if x.isFinite { continue }
        let position = Position(row: firstRow + row, column: column)
        if x.isNaN {
          nan += 1
          firstNaN = Swift.min(firstNaN ?? position, position)
        } else {
          infinite += 1
          firstInfinity = Swift.min(firstInfinity ?? position, position)
        }
      }
    }
  }
}

extension NonFinite: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
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
}
