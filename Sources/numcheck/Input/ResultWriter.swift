import NumKit
import SystemPackage
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

  /// How many results a row has, and how they lie.
  enum Results {
    /// One for the whole row.
    case one
    /// One for each element.
    case each
    /// One for each pair of elements.
    case pairs
    /// So many, along the rows' axis.
    case many(Int)
  }

  /// Prepares the file; `type` is its element type, the dtype of the results unless asked otherwise.
  convenience init(
    _ path: String, dtype: DType, as type: DType?, operation: RowOperation, input: RowInput,
    overflow: Overflow
  ) throws {
    try self.init(
      path, name: operation.rawValue,
      operation == .softmaxJacobian ? .pairs : operation.hasOneResult ? .one : .each, dtype: dtype, as: type,
      input: input, overflow: overflow)
  }

  /// The same for results of any name.
  init(
    _ path: String, name: String, _ results: Results = .each, dtype: DType, as type: DType?, input: RowInput,
    overflow: Overflow
  ) throws {
    let element = try OutputType.element(dtype, as: type)
    let n = input.rows.length
    var shape = input.otherShape
    let perRow: Int? =
      switch results {
      case .each: n
      case .many(let count): count
      case .one, .pairs: nil
      }
    let isScattered = perRow != nil && input.axis < shape.count
    inner = isScattered ? shape[input.axis...].reduce(1, *) : 1
    switch results {
    case .pairs:
      shape += [n, n]
      length = n * n
    case .one: length = 1
    case .each, .many:
      length = perRow ?? n
      shape.insert(length, at: input.axis)
    }
    self.overflow = overflow
    writer = try TensorWriter(
      FilePath(argument: path), [TensorWriter.Declaration(name, element, shape)], overflow: overflow)
    if isScattered {
      let count = shape.reduce(1, *)
      try Memory.require(
        Memory.product(count, 8),
        for: "--output: holding \(count) results, for axis \(input.axis) is not the last,")
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

  /// The file, complete but for its name.
  func finished() throws -> any UnfinishedFile {
    if let scattered { try writer.append(scattered) }
    scattered = nil
    return writer
  }
}

extension RowOperation {
  /// Whether a row has one result, however long it is.
  var hasOneResult: Bool { self == .logSumExp || self == .crossEntropy }
}
