/// One decision on the way to a value. A generated value is the list of choices that led to it: whatever makes the list simpler makes
/// the value simpler, through every `map` and `flatMap`, and the list is what is kept of a failure.
public enum Choice: Sendable, Hashable {
  /// A whole number; truth values are 0 and 1.
  case integer(Int)
  /// A number, special ones included.
  case float(Double)
  /// A list begins, and ends.
  case open, close

  /// Bit by bit: a NaN is itself, and −0 is not 0.
  public static func == (a: Choice, b: Choice) -> Bool {
    switch (a, b) {
    case (.integer(let x), .integer(let y)): x == y
    case (.float(let x), .float(let y)): x.bitPattern == y.bitPattern
    case (.open, .open), (.close, .close): true
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .integer(let n): hasher.combine(n)
    case .float(let x): hasher.combine(x.bitPattern)
    case .open: hasher.combine(1 as UInt8)
    case .close: hasher.combine(2 as UInt8)
    }
  }

  /// Whether it is a number, not the beginning or end of a list.
  var isLeaf: Bool {
    switch self {
    case .integer, .float: true
    case .open, .close: false
    }
  }

  /// How far from simple it is: 0 first, then small whole numbers, then short significands, then long ones; what is not finite last.
  var complexity: UInt64 {
    switch self {
    case .open, .close: return 0
    case .integer(let n): return 2 * UInt64(n.magnitude) + (n < 0 ? 1 : 0)
    case .float(let x):
      let negative: UInt64 = x.sign == .minus ? 1 : 0
      if x.isNaN { return 1 << 21 }
      if x.isInfinite { return 1 << 20 + negative }
      if x == 0 { return negative }
      if x.magnitude < 1024, x == x.rounded() { return 2 * UInt64(x.magnitude) + negative }
      return 4096 * UInt64(1 + x.significandWidth) + 2 * UInt64(Int(x.exponent).magnitude) + negative
    }
  }

  /// A number for telling lists apart, the same in every run.
  var mixed: UInt64 {
    switch self {
    case .integer(let n): UInt64(bitPattern: Int64(n)) ^ 0x51
    case .float(let x): x.bitPattern ^ 0xa2
    case .open: 3
    case .close: 5
    }
  }
}

/// How simple a list is, of which smaller is simpler: fewer numbers first.
struct ChoiceSize: Comparable {
  let count: Int
  let complexity: UInt64

  init(_ choices: [Choice]) {
    count = choices.count
    complexity = choices.reduce(0) { $0 &+ $1.complexity }
  }

  static func < (a: ChoiceSize, b: ChoiceSize) -> Bool { (a.count, a.complexity) < (b.count, b.complexity) }
}
