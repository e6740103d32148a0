import NumKit

/// What errors in weights and activations do to their product Y = XWᵀ: exact products of what was decoded against exact products of
/// what was given (`SumReference`). No error of a kernel is in it.
public struct ThroughProduct: Sendable {
  /// The weights' error alone.
  public private(set) var weights = ResultErrors()
  /// The activations' error alone.
  public private(set) var activations = ResultErrors()
  /// Both together: what accumulates.
  public private(set) var both = ResultErrors()
  /// What proved the four products.
  public private(set) var certificate = Certificate()

  init() {}

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

  mutating func merge(_ other: ThroughProduct) {
    weights.merge(other.weights)
    activations.merge(other.activations)
    both.merge(other.both)
    certificate.merge(other.certificate)
  }

  /// Adds a token's results with the bounds on their differences.
  fileprivate mutating func add(
    _ truths: (exact: Truth, weights: Truth, activations: Truth, both: Truth),
    bounds: [(weights: Double, activations: Double, both: Double)]
  ) {
    for truth in [truths.exact, truths.weights, truths.activations, truths.both] {
      certificate.merge(truth.certificate)
    }
    for (i, bound) in bounds.enumerated() {
      weights.add(truths.weights, from: truths.exact, at: i, bound: bound.weights)
      activations.add(truths.activations, from: truths.exact, at: i, bound: bound.activations)
      both.add(truths.both, from: truths.exact, at: i, bound: bound.both)
    }
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
  private var truths = (exact: Truth(), weights: Truth(), activations: Truth(), both: Truth())

  init(_ matrices: ProductMatrices) { self.matrices = matrices }

  func add(_ x: [Double], _ u: [Double]) {
    let (w, v, n) = (matrices.w, matrices.v, matrices.columns)
    dots(x, w, &truths.exact)
    dots(x, v, &truths.weights)
    dots(u, w, &truths.activations)
    dots(u, v, &truths.both)
    // Differences of Floats, their products and sums: 2n + 4 roundings at most, all upwards.
    let up = 1 + Double(2 * n + 8) * 0x1p-52
    let bounds = truths.exact.high.indices.map { i in
      var (bw, bx, b) = (0.0, 0.0, 0.0)
      for j in 0..<n {
        let (dw, dx) = ((v[i * n + j] - w[i * n + j]).magnitude, (u[j] - x[j]).magnitude)
        bw += dw * x[j].magnitude
        bx += w[i * n + j].magnitude * dx
        b += dw * u[j].magnitude + w[i * n + j].magnitude * dx
      }
      let slack = truths.exact.high[i].magnitude * 0x1p-70 + 0x1p-1000
      return (weights: bw * up + slack, activations: bx * up + slack, both: b * up + slack)
    }
    found.add(truths, bounds: bounds)
  }

  private func dots(_ a: [Double], _ b: [Double], _ truth: inout Truth) {
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { reference.dots(a, $0, into: &truth) }
    }
  }
}
