import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// How many times the sum of exponentials is what stands in its place.
public enum SumRatio: Sendable {
  /// For all results.
  case one(Double)
  /// For each its own.
  case each([Double])

  subscript(i: Int) -> Double {
    switch self {
    case .one(let g): g
    case .each(let g): g[i]
    }
  }
}

/// A row's exponentials and their sum, in Double with a compensated sum.
public struct RowSum: Sendable {
  /// x/τ.
  public let z: [Double]
  /// The largest.
  public let maximum: Double
  /// e^(zᵢ − max).
  public let terms: [Double]
  /// Their sum.
  public let sum: Double

  init(_ item: RowQuestion.Item) {
    let tau = item.parameters.temperature
    let z = item.values.map { $0 / tau }
    let m = z.reduce(-.infinity) { Swift.max($0, $1) }
    self.z = z
    maximum = m
    terms = z.map { Double.exp($0 - m) }
    sum = Self.sum(terms[...])
  }

  /// A sum whose rounding errors are added as well.
  static func sum(_ x: ArraySlice<Double>) -> Double {
    var s = 0.0
    var lost = 0.0
    for v in x {
      let t = s + v
      let back = t - s
      lost += (s - (t - back)) + (v - back)
      s = t
    }
    return s + lost
  }
}

/// The answers of kernels that divide by another number than the sum of exponentials, or take its logarithm.
struct OtherSumProver: Prover {
  typealias Q = RowQuestion

  private let inner: RowProver
  private let operation: RowOperation
  private let format: NumberFormat
  private let ratio: @Sendable (RowSum) -> SumRatio
  private var asked = [Truth()]

  init(
    _ operation: RowOperation, format: NumberFormat, ratio: @escaping @Sendable (RowSum) -> SumRatio
  ) {
    inner = RowProver(operation, format: format)
    self.operation = operation
    self.format = format
    self.ratio = ratio
  }

  mutating func answer(_ item: RowQuestion.Item, into truths: inout [Truth]) {
    inner.answer(item, into: &asked)
    let flat = FlatTruth(asked[0])
    let g = ratio(RowSum(item))
    truths[0].begin(count: flat.value.count)
    for i in flat.value.indices {
      let isTarget = operation == .crossEntropyGradient && i == item.parameters.target
      let y = operation.result(flat.value[i], flat.remainder[i], sumTimes: g[i], isTarget: isTarget)
      guard y.high.isFinite else {
        truths[0].know(y.high, at: i, in: format)
        continue
      }
      let error = y.high.magnitude * 0x1p-46 + (operation.isLogarithm ? 0x1p-48 : 0)
      if y.high == 0 {
        truths[0].know(0, at: i, in: format)
      } else if !truths[0].prove(y.high, y.low, error: error, at: i, in: format) {
        truths[0].leaveOpen(y.high, at: i, in: format)
      }
    }
  }

  func profile(of item: RowQuestion.Item, into profile: inout RowProfile) {
    inner.profile(of: item, into: &profile)
  }

  func makeProfile() -> RowProfile { inner.makeProfile() }
}

/// Their bounds: those of the right question, as far as results are.
struct OtherSumErrors: ErrorModel {
  typealias Q = RowQuestion

  private var inner: any ErrorModel<RowQuestion>
  private let operation: RowOperation
  private let format: NumberFormat
  private let ratio: @Sendable (RowSum) -> SumRatio
  private var asked: [Double] = []

  init(
    inner: any ErrorModel<RowQuestion>, _ operation: RowOperation, format: NumberFormat,
    ratio: @escaping @Sendable (RowSum) -> SumRatio
  ) {
    self.inner = inner
    self.operation = operation
    self.format = format
    self.ratio = ratio
  }

  mutating func bound(
    _ row: ResultRow, of item: RowQuestion.Item, _ profile: RowProfile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    let g = ratio(RowSum(item))
    guard exact.indices.allSatisfy({ g[$0] > 0 && g[$0].isFinite }) else { return RowBound.none }
    asked.removeAll(keepingCapacity: true)
    for i in exact.indices {
      let isTarget = operation == .crossEntropyGradient && i == item.parameters.target
      asked.append(operation.result(exact[i], 0, sumTimes: 1 / g[i], isTarget: isTarget).high)
    }
    let kind = asked.withUnsafeBufferPointer {
      inner.bound(row, of: item, profile, exact: $0, into: bounds)
    }
    // What is made of another exponential has its error, too.
    let more = if case .each = g { 2.0 } else { 1.0 }
    for i in exact.indices where exact[i].isFinite {
      // And a rounding of what is now of another size.
      bounds[i] = bounds[i] * more * (operation.isLogarithm ? 1 : 1 / g[i]) + format.ulp(of: exact[i])
    }
    return kind
  }
}

extension RowOperation {
  /// Whether results are logarithms of sums, so that a factor of the sum is a term of theirs.
  var isLogarithm: Bool { self == .logSoftmax || self == .logSumExp || self == .crossEntropy }
  /// Whether each result is made of its own logit and one sum.
  var isOfOneSum: Bool { self == .softmax || self == .logSoftmax || self == .logSumExp }

  /// Its results of a row, in Double, where the sum is so many times what it is.
  func results(of row: RowSum, sumTimes g: SumRatio) -> [Double] {
    switch self {
    case .logSoftmax: row.z.indices.map { row.z[$0] - row.maximum - Double.log(row.sum * g[$0]) }
    case .logSumExp: [row.maximum + Double.log(row.sum * g[0])]
    default: row.terms.indices.map { row.terms[$0] / (row.sum * g[$0]) }
    }
  }

  /// Whether results are made of one sum of exponentials, alone.
  var hasOneSum: Bool { isLogarithm || self == .softmax || self == .crossEntropyGradient }

  /// The result that the right one, high + low, becomes when the sum is `g` times what it is.
  func result(_ high: Double, _ low: Double, sumTimes g: Double, isTarget: Bool) -> (
    high: Double, low: Double
  ) {
    func sum(_ a: Double, _ b: Double, _ rest: Double) -> (high: Double, low: Double) {
      let s = a + b
      let back = s - a
      let low = (a - (s - back)) + (b - back) + rest
      let high = s + low
      return (high, low - (high - s))
    }
    switch self {
    case .logSoftmax: return high.isFinite ? sum(high, -Double.log(g), low) : (high, 0)
    case .logSumExp, .crossEntropy: return high.isFinite ? sum(high, Double.log(g), low) : (high, 0)
    default:
      let one = isTarget ? 1.0 : 0
      let (p, rest) = sum(high, one, low)
      let f = 1 / g
      let product = p * f
      let residue = (-product).addingProduct(p, f) + rest * f
      return sum(product, -one, residue)
    }
  }
}
