import CVector
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

  /// Adds a result; `difference` is ŷ − y, as exactly as it is known.
  mutating func add(exact: Double, difference: Double, bound: Double? = nil) {
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

/// What errors in weights and activations do to their product Y = XWᵀ: exact products of what was decoded against exact products of
/// what was given (`SumReference`). No error of a kernel is in it.
public struct ThroughProduct: Sendable {
  /// The weights' error alone.
  public private(set) var weights = ResultErrors()
  /// The activations' error alone.
  public private(set) var activations = ResultErrors()
  /// Both together: what accumulates.
  public private(set) var both = ResultErrors()

  fileprivate init() {}

  /// Compares; w and its decoded values are outputs × inputs, x and its decoded values tokens × inputs.
  ///
  /// Each result's bound is the triangle inequality's: Σ|ŵ − w||x|, Σ|w||x̂ − x|, and Σ(|ŵ − w||x̂| + |w||x̂ − x|).
  public init(
    weights w: TensorMatrix, _ decodedW: TensorMatrix, activations x: TensorMatrix, _ decodedX: TensorMatrix,
    threads: Int = 1
  ) throws {
    guard w.columns == x.columns else { throw CureError.activations(columns: x.columns, needed: w.columns) }
    let matrices = ProductMatrices(
      w: w.values.map(Double.init), v: decodedW.values.map(Double.init), columns: w.columns)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: x.rows, progress: nil, make: { ThroughProductWorker(matrices) },
      body: { worker, token in
        let range = token * x.columns..<(token + 1) * x.columns
        worker.add(x.values[range].map(Double.init), decodedX.values[range].map(Double.init))
      }, merge: { $0.found.merge($1.found) })
    self = worker.found
  }

  fileprivate mutating func merge(_ other: ThroughProduct) {
    weights.merge(other.weights)
    activations.merge(other.activations)
    both.merge(other.both)
  }

  fileprivate mutating func add(
    exact: Double, weights dw: Double, _ bw: Double, activations dx: Double, _ bx: Double, both d: Double,
    _ b: Double
  ) {
    weights.add(exact: exact, difference: dw, bound: bw)
    activations.add(exact: exact, difference: dx, bound: bx)
    both.add(exact: exact, difference: d, bound: b)
  }
}

private struct ProductMatrices: Sendable {
  let w: [Double]
  let v: [Double]
  let columns: Int
}

private final class ThroughProductWorker {
  var found = ThroughProduct()
  private let matrices: ProductMatrices
  private let reference = SumReference(format: .f64)
  private var truths = (Truth(), Truth(), Truth(), Truth())

  init(_ matrices: ProductMatrices) { self.matrices = matrices }

  func add(_ x: [Double], _ u: [Double]) {
    let (w, v, n) = (matrices.w, matrices.v, matrices.columns)
    dots(x, w, &truths.0)
    dots(x, v, &truths.1)
    dots(u, w, &truths.2)
    dots(u, v, &truths.3)
    let (exact, byWeights, byActivations, byBoth) = truths
    for i in exact.high.indices {
      var (bw, bx, b) = (0.0, 0.0, 0.0)
      for j in 0..<n {
        let (dw, dx) = ((v[i * n + j] - w[i * n + j]).magnitude, (u[j] - x[j]).magnitude)
        bw += dw * x[j].magnitude
        bx += w[i * n + j].magnitude * dx
        b += dw * u[j].magnitude + w[i * n + j].magnitude * dx
      }
      // Differences of Floats, their products and sums: 2n + 4 roundings at most, all upwards.
      let up = 1 + Double(2 * n + 8) * 0x1p-52
      let slack = exact.high[i].magnitude * 0x1p-70 + 0x1p-1000
      found.add(
        exact: exact.high[i], weights: difference(byWeights, exact, i), bw * up + slack,
        activations: difference(byActivations, exact, i), bx * up + slack, both: difference(byBoth, exact, i),
        b * up + slack)
    }
  }

  private func dots(_ a: [Double], _ b: [Double], _ truth: inout Truth) {
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { reference.dots(a, $0, into: &truth) }
    }
  }

  /// The difference of two truths, by both their words.
  private func difference(_ a: Truth, _ b: Truth, _ i: Int) -> Double {
    func value(_ t: Truth, _ part: Double) -> Double {
      t.exponent[i] == 0 ? part : Double(sign: .plus, exponent: Int(t.exponent[i]), significand: part)
    }
    return (value(a, a.high[i]) - value(b, b.high[i])) + (value(a, a.low[i]) - value(b, b.low[i]))
  }
}
