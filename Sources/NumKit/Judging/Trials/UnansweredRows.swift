import NumKitNumbers
import NumKitQuestions

/// Rows that have no answer in the reals, by why: a policy says what they are given, and kernels are right to give it.
public struct UnansweredRows: Sendable, Hashable {
  /// Rows of nothing but −∞: everything is masked.
  public package(set) var masked = 0
  /// Rows with +∞ and no NaN.
  public package(set) var infinite = 0
  /// Rows with a NaN.
  public package(set) var nan = 0

  /// None.
  public init() {}

  /// All of them.
  public var count: Int { masked + infinite + nan }

  /// Counts a row of logits. A sigmoid has an answer for each element; a log-sum-exp of infinities is one.
  package mutating func add(_ row: some Collection<Double>, _ operation: RowOperation) {
    guard operation != .sigmoid else { return }
    var (highest, hasNaN) = (-Double.infinity, false)
    for x in row {
      hasNaN = hasNaN || x.isNaN
      if x > highest { highest = x }
    }
    if hasNaN {
      nan += 1
    } else if highest.isInfinite, operation != .logSumExp {
      if highest > 0 { infinite += 1 } else { masked += 1 }
    }
  }

  /// Adds other rows.
  package mutating func merge(_ other: UnansweredRows) {
    masked += other.masked
    infinite += other.infinite
    nan += other.nan
  }
}

extension UnansweredRows: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    for count in [\Self.masked, \.infinite, \.nan] as [WritableKeyPath<Self, Int>] {
      try c.carry(count: &self[keyPath: count])
    }
  }
}
