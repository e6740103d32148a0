import CSchemes
import NumKit

/// A sum without rounding until it is read (`ExactSum`): neither the order of its terms nor how they were split into parts
/// shows in it.
struct LongSum: Sendable, Hashable {
  private var sum = ExactSum()

  var value: Double { sum.value }

  static func += (sum: inout LongSum, term: Double) { sum.sum.add(term) }
  static func += (sum: inout LongSum, other: LongSum) { sum.sum.merge(other.sum) }

  static func == (a: LongSum, b: LongSum) -> Bool { a.value == b.value }
  func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

/// How far decoded values x̂ are from x: sums that merge, over tensors of any length.
///
/// All is computed in Double over the pairs of which both are finite; the others are counted apart.
public struct ErrorStatistics: Sendable, Hashable {
  /// Pairs added.
  public private(set) var count = 0
  /// Pairs of two finite numbers: what all averages are over.
  public private(set) var finiteCount = 0
  /// Finite x whose x̂ is NaN or ±∞.
  public private(set) var lostCount = 0
  /// max |x̂ − x|.
  public private(set) var maxAbsoluteError = 0.0
  private var squaredErrors = LongSum()
  private var squares = LongSum()
  private var decodedSquares = LongSum()
  private var products = LongSum()
  private var absoluteErrors = LongSum()
  private var absolutes = LongSum()
  private var sums = LongSum()

  public init() {}

  /// Adds pairs; both buffers have the same count (the shorter one counts).
  public mutating func add(_ x: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>) {
    let total = min(x.count, decoded.count)
    guard let a = x.baseAddress, let b = decoded.baseAddress else { return }
    for start in stride(from: 0, to: total, by: 1024) {
      let length = min(1024, total - start)
      let part = nc_sum_errors(a + start, b + start, length)
      count += length
      finiteCount += Int(part.numbers)
      lostCount += Int(part.lostNumbers)
      maxAbsoluteError = max(maxAbsoluteError, part.largestError)
      squaredErrors += part.squaredError
      squares += part.squares
      decodedSquares += part.decodedSquares
      products += part.product
      absoluteErrors += part.absoluteError
      absolutes += part.absolute
      sums += part.sum
    }
  }

  /// Adds what another part of the tensor came to.
  public mutating func merge(_ other: ErrorStatistics) {
    count += other.count
    finiteCount += other.finiteCount
    lostCount += other.lostCount
    maxAbsoluteError = max(maxAbsoluteError, other.maxAbsoluteError)
    squaredErrors += other.squaredErrors
    squares += other.squares
    decodedSquares += other.decodedSquares
    products += other.products
    absoluteErrors += other.absoluteErrors
    absolutes += other.absolutes
    sums += other.sums
  }

  /// Σ(x̂ − x)².
  public var squaredError: Double { squaredErrors.value }
  /// Σx².
  public var energy: Double { squares.value }
  /// Σ(x̂ − x)²/n; NaN where nothing was added.
  public var mse: Double { squaredError / Double(finiteCount) }
  /// 10·log10(Σx²/Σ(x̂ − x)²), in dB; ∞ without error, NaN where all was lost.
  public var sqnr: Double {
    isAllLost ? .nan : squaredError == 0 ? .infinity : 10 * nc_log10(energy / squaredError)
  }
  /// ‖x̂ − x‖₂/‖x‖₂; 0 without error, NaN where all was lost.
  public var relativeL2: Double {
    isAllLost ? .nan : squaredError == 0 ? 0 : (squaredError / energy).squareRoot()
  }
  /// Σ|x̂ − x|/Σ|x|; 0 without error, NaN where all was lost.
  public var relativeL1: Double {
    isAllLost ? .nan : absoluteErrors.value == 0 ? 0 : absoluteErrors.value / absolutes.value
  }
  /// Whether there were finite numbers and none is left.
  public var isAllLost: Bool { finiteCount == 0 && lostCount > 0 }
  /// x·x̂/(‖x‖‖x̂‖); 1 where both are zero, 0 where one is, NaN where all was lost.
  public var cosine: Double {
    if isAllLost { return .nan }
    if energy == 0 && decodedSquares.value == 0 { return 1 }
    if energy == 0 || decodedSquares.value == 0 { return 0 }
    return products.value / (energy.squareRoot() * decodedSquares.value.squareRoot())
  }
  /// The mean of x.
  public var mean: Double { sums.value / Double(finiteCount) }
  /// The variance of x about its mean.
  public var variance: Double { max(energy / Double(finiteCount) - mean * mean, 0) }
}

/// The mean over rows of KL(softmax(x) ‖ softmax(x̂)), in nats: what the error means where rows are logits.
public struct SoftmaxDivergence: Sendable, Hashable {
  /// Rows of finite numbers only, which are those counted.
  public private(set) var rows = 0
  /// The largest of a row.
  public private(set) var largest = 0.0
  private var total = LongSum()

  public init() {}

  /// The mean; 0 without rows.
  public var mean: Double { rows == 0 ? 0 : total.value / Double(rows) }

  /// Adds a row.
  public mutating func add(row x: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>) {
    guard let a = x.baseAddress, let b = decoded.baseAddress, x.count == decoded.count else { return }
    let divergence = nc_softmax_divergence(a, b, x.count)
    guard divergence.isFinite else { return }
    rows += 1
    total += max(divergence, 0)
    largest = max(largest, divergence)
  }

  /// Adds what other rows came to.
  public mutating func merge(_ other: SoftmaxDivergence) {
    rows += other.rows
    total += other.total
    largest = max(largest, other.largest)
  }
}
