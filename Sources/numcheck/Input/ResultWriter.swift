import NumKit
import TensorFiles

/// Writes the results of a run, row by row, in the shape that the input had: along the same axis, without it where a row has
/// one result, with two more at the end for a Jacobian.
final class ResultWriter {
  private let writer: TensorWriter
  private let overflow: Overflow
  /// Where results do not lie in the order of rows: all of them, and where each row's go.
  private var scattered: [Double]?
  private let length: Int
  private let inner: Int
  private var row = 0

  /// Prepares the file; `type` is its element type, the dtype of the results unless asked otherwise.
  init(
    _ path: String, dtype: DType, as type: DType?, operation: RowOperation, input: RowInput,
    overflow: Overflow
  ) throws {
    let wanted = type ?? dtype
    guard let element = ElementType(wanted), wanted.numberFormat != nil else {
      throw UsageError("--output cannot hold \(wanted); write the exact values with --as f32 (or f64)")
    }
    if type != nil, !Self.holds(wanted, dtype) {
      throw UsageError("--as \(wanted) cannot hold every value of \(dtype)")
    }
    let n = input.rows.length
    let perRow = operation.resultCount(length: n)
    var shape = input.otherShape
    let isScattered = perRow == n && operation != .softmaxJacobian && input.axis < shape.count
    inner = isScattered ? shape[input.axis...].reduce(1, *) : 1
    switch operation {
    case .softmaxJacobian: shape += [n, n]
    case _ where perRow == 1 && operation.hasOneResult: break
    default: shape.insert(n, at: input.axis)
    }
    length = perRow
    self.overflow = overflow
    writer = try TensorWriter(
      path, [TensorWriter.Declaration(operation.rawValue, element, shape)], overflow: overflow)
    if isScattered {
      let count = shape.reduce(1, *)
      guard count <= 1 << 30 else {
        throw UsageError("--output along axis \(input.axis) of \(count) elements is too large")
      }
      scattered = [Double](repeating: 0, count: count)
    }
  }

  /// Appends the results of the next row.
  func append(_ results: UnsafeBufferPointer<Double>) throws {
    if scattered != nil {
      let base = row / inner * inner * length + row % inner
      for i in results.indices { scattered?[base + i * inner] = results[i] }
    } else {
      try writer.append(results)
    }
    row += 1
  }

  /// Puts the file in its place.
  func finish() throws {
    if let scattered { try writer.append(scattered) }
    try writer.finish()
  }

  /// Whether every value of `dtype` is one of `wider`.
  private static func holds(_ wider: DType, _ dtype: DType) -> Bool {
    guard let w = wider.numberFormat else { return false }
    guard let f = dtype.numberFormat else { return w == .f64 || w == .f32 }
    return w.precision >= f.precision && w.largestFinite >= f.largestFinite
      && w.smallestPositive <= f.smallestPositive && (w.hasInfinity || !f.hasInfinity)
      && (w.hasNaN || !f.hasNaN)
  }
}

extension RowOperation {
  /// Whether a row has one result, however long it is.
  var hasOneResult: Bool { self == .logSumExp || self == .crossEntropy }
}
