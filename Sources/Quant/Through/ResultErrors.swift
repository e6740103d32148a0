import NumKit

/// How far results of changed inputs are from those of the given ones, both exact, and from what they provably cannot exceed.
@dynamicMemberLookup
public struct ResultErrors: Sendable {
  /// The errors.
  public private(set) var sums = ErrorSums()
  /// What |ŷ − y| provably cannot exceed, the largest over all; NaN where no bound was asked for.
  public private(set) var bound = Double.nan
  /// Results beyond their own bound: a mistake of this program.
  public private(set) var aboveBound = 0

  /// Nothing.
  public init() {}

  /// A figure of the errors.
  public subscript<T>(dynamicMember figure: KeyPath<ErrorSums, T>) -> T { sums[keyPath: figure] }

  /// Adds result `i` of `changed` against that of `exact`, as exactly as both are known: by both their words.
  mutating func add(_ changed: Truth, from exact: Truth, at i: Int, bound: Double? = nil) {
    func value(_ t: Truth, _ part: Double) -> Double {
      t.exponent[i] == 0 ? part : Double(sign: .plus, exponent: Int(t.exponent[i]), significand: part)
    }
    let (high, low) = (value(exact, exact.high[i]), value(exact, exact.low[i]))
    let difference = (value(changed, changed.high[i]) - high) + (value(changed, changed.low[i]) - low)
    sums.add(exact: high, computed: high + difference, error: difference)
    guard let bound, high.isFinite, difference.isFinite else { return }
    self.bound = self.bound.isNaN ? bound : max(self.bound, bound)
    if difference.magnitude > bound { aboveBound += 1 }
  }

  mutating func merge(_ other: ResultErrors) {
    sums.merge(other.sums)
    aboveBound += other.aboveBound
    if !other.bound.isNaN { bound = bound.isNaN ? other.bound : max(bound, other.bound) }
  }
}
