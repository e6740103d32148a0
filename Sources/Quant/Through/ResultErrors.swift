import CSchemes
import NumKit

/// How far results are from exact ones: sums that merge.
public struct ResultErrors: Sendable {
  /// Results compared: those that are finite.
  public private(set) var count = 0
  /// Results that are not finite, though the exact ones are.
  public private(set) var lostCount = 0
  /// max |ŷ − y|.
  public private(set) var maxAbsoluteError = 0.0
  /// What |ŷ − y| provably cannot exceed, the largest over all; NaN where no bound was asked for.
  public private(set) var bound = Double.nan
  /// Results beyond their own bound: a mistake of this program.
  public private(set) var aboveBound = 0
  private var squares = ExactSum()
  private var squaredErrors = ExactSum()
  private var absolutes = ExactSum()
  private var absoluteErrors = ExactSum()
  private var products = ExactSum()
  private var computedSquares = ExactSum()

  public init() {}

  /// 10·log10(Σy²/Σ(ŷ − y)²), in dB; like what follows NaN where all was lost.
  public var sqnr: Double {
    isAllLost
      ? .nan : squaredErrors.value == 0 ? .infinity : 10 * nc_log10(squares.value / squaredErrors.value)
  }
  /// Σ|ŷ − y|/Σ|y|.
  public var relativeL1: Double {
    isAllLost ? .nan : absoluteErrors.value == 0 ? 0 : absoluteErrors.value / absolutes.value
  }
  /// √(Σ(ŷ − y)²/n).
  public var rmse: Double { isAllLost ? .nan : (squaredErrors.value / Double(max(count, 1))).squareRoot() }
  /// Whether there were finite results and none is left.
  public var isAllLost: Bool { count == 0 && lostCount > 0 }
  /// y·ŷ/(‖y‖‖ŷ‖).
  public var cosine: Double {
    let norm = squares.value.squareRoot() * computedSquares.value.squareRoot()
    return isAllLost ? .nan : norm == 0 ? (squaredErrors.value == 0 ? 1 : 0) : products.value / norm
  }

  /// Adds result `i` of `changed` against that of `exact`, as exactly as both are known: by both their words.
  mutating func add(_ changed: Truth, from exact: Truth, at i: Int, bound: Double? = nil) {
    func value(_ t: Truth, _ part: Double) -> Double {
      t.exponent[i] == 0 ? part : Double(sign: .plus, exponent: Int(t.exponent[i]), significand: part)
    }
    let (high, low) = (value(exact, exact.high[i]), value(exact, exact.low[i]))
    add(
      exact: high,
      difference: (value(changed, changed.high[i]) - high) + (value(changed, changed.low[i]) - low),
      bound: bound)
  }

  private mutating func add(exact: Double, difference: Double, bound: Double?) {
    guard exact.isFinite else { return }
    guard difference.isFinite else {
      lostCount += 1
      return
    }
    count += 1
    let size = difference.magnitude
    maxAbsoluteError = max(maxAbsoluteError, size)
    squares.add(exact * exact)
    squaredErrors.add(size * size)
    absolutes.add(exact.magnitude)
    absoluteErrors.add(size)
    let computed = exact + difference
    products.add(exact * computed)
    computedSquares.add(computed * computed)
    if let bound {
      self.bound = self.bound.isNaN ? bound : max(self.bound, bound)
      if size > bound { aboveBound += 1 }
    }
  }

  mutating func merge(_ other: ResultErrors) {
    count += other.count
    lostCount += other.lostCount
    aboveBound += other.aboveBound
    maxAbsoluteError = max(maxAbsoluteError, other.maxAbsoluteError)
    if !other.bound.isNaN { bound = bound.isNaN ? other.bound : max(bound, other.bound) }
    squares.merge(other.squares)
    squaredErrors.merge(other.squaredErrors)
    absolutes.merge(other.absolutes)
    absoluteErrors.merge(other.absoluteErrors)
    products.merge(other.products)
    computedSquares.merge(other.computedSquares)
  }
}
