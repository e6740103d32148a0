import NumKitNumbers
import NumKitTruth
import RealModule

/// How far computed numbers ŷ are from exact ones y, over a whole tensor: sums that merge and depend neither on order nor on how the
/// tensor was split. All averages are over the pairs of which both are finite; the others are counted apart.
public struct ErrorSums: Sendable, Hashable {
  /// Pairs added.
  public private(set) var count = 0
  /// Pairs of two finite numbers: what all averages are over.
  public private(set) var finiteCount = 0
  /// Finite y whose ŷ is NaN or ±∞.
  public private(set) var lostCount = 0
  /// max |ŷ − y|.
  public private(set) var maxAbsoluteError = 0.0
  private var squaredErrors = ExactSum()
  private var squares = ExactSum()
  private var computedSquares = ExactSum()
  private var products = ExactSum()
  private var absoluteErrors = ExactSum()
  private var absolutes = ExactSum()
  private var sums = ExactSum()

  /// Nothing.
  public init() {}

  /// Adds a pair, its error given apart because it may be known better than ŷ − y.
  package mutating func add(exact y: Double, computed: Double, error: Double) {
    count += 1
    guard y.isFinite else { return }
    guard computed.isFinite, error.isFinite else {
      lostCount += 1
      return
    }
    finiteCount += 1
    let size = error.magnitude
    maxAbsoluteError = Swift.max(maxAbsoluteError, size)
    squaredErrors.add(size * size)
    squares.add(y * y)
    computedSquares.add(computed * computed)
    products.add(y * computed)
    absoluteErrors.add(size)
    absolutes.add(y.magnitude)
    sums.add(y)
  }

  /// Adds a row of results.
  public mutating func add(_ computed: UnsafeBufferPointer<Double>, _ truth: Truth) {
    for i in computed.indices {
      let (error, exact) = truth.error(of: computed[i], at: i)
      add(exact: exact, computed: computed[i], error: error)
    }
  }

  /// What a short stretch of pairs came to in a vector loop: the sums of all its terms, each rounded.
  package struct Stretch {
    package var (count, finiteCount, lostCount) = (0, 0, 0)
    package var (squaredError, square, computedSquare, product) = (0.0, 0.0, 0.0, 0.0)
    package var (absoluteError, absolute, sum, largestError) = (0.0, 0.0, 0.0, 0.0)
    package init() {}
  }

  /// Adds a stretch.
  package mutating func add(_ s: Stretch) {
    count += s.count
    finiteCount += s.finiteCount
    lostCount += s.lostCount
    maxAbsoluteError = Swift.max(maxAbsoluteError, s.largestError)
    squaredErrors.add(s.squaredError)
    squares.add(s.square)
    computedSquares.add(s.computedSquare)
    products.add(s.product)
    absoluteErrors.add(s.absoluteError)
    absolutes.add(s.absolute)
    sums.add(s.sum)
  }

  /// Adds what another part of the tensor came to.
  public mutating func merge(_ other: ErrorSums) {
    count += other.count
    finiteCount += other.finiteCount
    lostCount += other.lostCount
    maxAbsoluteError = Swift.max(maxAbsoluteError, other.maxAbsoluteError)
    squaredErrors.merge(other.squaredErrors)
    squares.merge(other.squares)
    computedSquares.merge(other.computedSquares)
    products.merge(other.products)
    absoluteErrors.merge(other.absoluteErrors)
    absolutes.merge(other.absolutes)
    sums.merge(other.sums)
  }

  /// Forgets all but the rounded sums: nothing can be added any more.
  package mutating func settle() {
    squaredErrors.settle()
    squares.settle()
    computedSquares.settle()
    products.settle()
    absoluteErrors.settle()
    absolutes.settle()
    sums.settle()
  }
}

extension ErrorSums: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    for count in [\Self.count, \.finiteCount, \.lostCount] as [WritableKeyPath<Self, Int>] {
      try c.carry(count: &self[keyPath: count])
    }
    try c.carry(&maxAbsoluteError)
    for sum in [
      \Self.squaredErrors, \.squares, \.computedSquares, \.products, \.absoluteErrors, \.absolutes, \.sums,
    ] as [WritableKeyPath<Self, ExactSum>] {
      try c.carry(&self[keyPath: sum])
    }
  }
}

extension ErrorSums {
  /// Whether there were finite numbers and none is left.
  public var isAllLost: Bool { finiteCount == 0 && lostCount > 0 }
  /// Σ(ŷ − y)².
  public var squaredError: Double { squaredErrors.value }
  /// Σy².
  public var energy: Double { squares.value }
  /// Σ(ŷ − y)²/n; NaN of nothing.
  public var mse: Double { squaredError / Double(finiteCount) }
  /// √(Σ(ŷ − y)²/n); NaN of nothing.
  public var rmse: Double { mse.squareRoot() }
  /// 10·log10(Σy²/Σ(ŷ − y)²), in dB; ∞ without error, NaN where all was lost.
  public var sqnr: Double {
    isAllLost ? .nan : squaredError == 0 ? .infinity : 10 * Double.log10(energy / squaredError)
  }
  /// ‖ŷ − y‖₂/‖y‖₂; 0 without error, NaN where all was lost.
  public var relativeL2: Double {
    isAllLost ? .nan : squaredError == 0 ? 0 : (squaredError / energy).squareRoot()
  }
  /// Σ|ŷ − y|/Σ|y|; 0 without error, NaN where all was lost.
  public var relativeL1: Double {
    isAllLost ? .nan : absoluteErrors.value == 0 ? 0 : absoluteErrors.value / absolutes.value
  }
  /// y·ŷ/(‖y‖‖ŷ‖); 1 where both are zero or nothing differs, 0 where one is zero, NaN where all was lost.
  public var cosine: Double {
    if isAllLost { return .nan }
    if squaredError == 0 { return 1 }
    if energy == 0 || computedSquares.value == 0 { return 0 }
    return Swift.min(1, products.value / (energy.squareRoot() * computedSquares.value.squareRoot()))
  }
  /// The mean of y.
  public var mean: Double { sums.value / Double(finiteCount) }
  /// The variance of y about its mean.
  public var variance: Double { Swift.max(energy / Double(finiteCount) - mean * mean, 0) }
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
