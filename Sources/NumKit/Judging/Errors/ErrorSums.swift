import NumKitNumbers
import NumKitTruth

/// The error of a whole tensor in single figures: sums that merge and do not depend on order. Results that are not finite, or whose
/// truth is not, are counted and left out.
public struct ErrorSums: Sendable {
  private var squares = ExactSum()
  private var magnitudes = ExactSum()
  private var truthMagnitudes = ExactSum()
  private var truthSquares = ExactSum()
  private var computedSquares = ExactSum()
  private var products = ExactSum()
  /// Results that count.
  public private(set) var count = 0
  /// Results that do not.
  public private(set) var lost = 0
  /// The largest absolute error.
  public private(set) var largest = 0.0

  /// Nothing.
  public init() {}

  /// Adds a row.
  public mutating func add(_ computed: UnsafeBufferPointer<Double>, _ truth: Truth) {
    for i in computed.indices {
      let y = computed[i]
      let (e, t) = truth.error(of: y, at: i)
      guard y.isFinite, t.isFinite else {
        lost += 1
        continue
      }
      count += 1
      largest = Swift.max(largest, e)
      squares.add(e * e)
      magnitudes.add(e)
      truthMagnitudes.add(t.magnitude)
      truthSquares.add(t * t)
      computedSquares.add(y * y)
      products.add(t * y)
    }
  }

  /// Adds other rows' sums.
  public mutating func merge(_ other: ErrorSums) {
    squares.merge(other.squares)
    magnitudes.merge(other.magnitudes)
    truthMagnitudes.merge(other.truthMagnitudes)
    truthSquares.merge(other.truthSquares)
    computedSquares.merge(other.computedSquares)
    products.merge(other.products)
    count += other.count
    lost += other.lost
    largest = Swift.max(largest, other.largest)
  }

  /// √(Σ e²/n); NaN of nothing.
  public var rmse: Double { count == 0 ? .nan : (squares.value / Double(count)).squareRoot() }
  /// Σ |e| / Σ |t|; NaN where the truth is 0 everywhere.
  public var relativeL1: Double { magnitudes.value / truthMagnitudes.value }
  /// Σ ty / √(Σ t² Σ y²); NaN where one side is 0 everywhere.
  public var cosine: Double {
    let c = products.value / (truthSquares.value.squareRoot() * computedSquares.value.squareRoot())
    return c > 1 ? 1 : c
  }
}

extension Truth {
  /// |y − exact| for the result `i`, and the exact value rounded to Double.
  func error(of y: Double, at i: Int) -> (absolute: Double, exact: Double) {
    let e = Int(exponent[i])
    if e == 0 { return (((y - high[i]) - low[i]).magnitude, high[i]) }
    // Outside Double's comfort: scaled by the exponent, which rounds only what underflows.
    let h = Double(sign: .plus, exponent: e, significand: high[i])
    let l = Double(sign: .plus, exponent: e, significand: low[i])
    return (((y - h) - l).magnitude, h)
  }
}
