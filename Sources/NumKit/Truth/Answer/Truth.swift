import NumKitNumbers

/// The proven answer to a question about one row: each exact result rounded correctly to a format, and its value close
/// enough to measure errors against.
public struct Truth: Sendable {
  /// Each exact result rounded to nearest even in the format asked for, overflow to its special value.
  public internal(set) var rounded: [Double] = []
  /// The exact results, as (high + low)·2^exponent to within `relativeError`. Non-finite and exactly zero results
  /// stand in `high` with low = 0.
  public internal(set) var high: [Double] = []
  /// See `high`.
  public internal(set) var low: [Double] = []
  /// See `high`; 0 but for values that Double would overflow, underflow or hold with fewer bits.
  public internal(set) var exponent: [Int32] = []
  /// A proven bound on |(high + low)·2^exponent − exact| / |exact| over the row. It does not cover non-zero results
  /// below 2^−2^29, which stand as ±2^−2^29, nor ones of which the last precision shows the sign alone, which do so too, nor
  /// undecided ones.
  public internal(set) var relativeError: Double = 0
  /// What proved this row.
  public internal(set) var certificate = Certificate()

  /// An empty answer, whose storage later questions reuse.
  public init() {}
}

/// How results were proven: counts that add up over rows.
public struct Certificate: Sendable, Hashable {
  /// Results decided by plain Double with a proven bound.
  public var double = 0
  /// Results decided by Double with a low word.
  public var doubleLow = 0
  /// Results decided by double-double.
  public var doubleDouble = 0
  /// Results decided by MPFR enclosures.
  public var mpfr = 0
  /// Results that are known exactly (rational or special) without rounding.
  public var exact = 0
  /// Results that no tier decided; their `rounded` is the middle of the last enclosure.
  public var undecided = 0
  /// The highest precision that an enclosure needed, in bits.
  public var maxPrecision = 0

  /// No results.
  public init() {}

  /// All results.
  public var total: Int { double + doubleLow + doubleDouble + mpfr + exact + undecided }

  /// Adds the counts of other rows.
  public mutating func merge(_ other: Certificate) {
    double += other.double
    doubleLow += other.doubleLow
    doubleDouble += other.doubleDouble
    mpfr += other.mpfr
    exact += other.exact
    undecided += other.undecided
    maxPrecision = Swift.max(maxPrecision, other.maxPrecision)
  }
}

extension Certificate: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    for count in [
      \Self.double, \.doubleLow, \.doubleDouble, \.mpfr, \.exact, \.undecided, \.maxPrecision,
    ] as [WritableKeyPath<Self, Int>] {
      try c.carry(count: &self[keyPath: count])
    }
  }
}
