import Quant
import TensorFiles

/// A tensor as rows × columns of f32, held in memory.
final class Matrix {
  let name: String
  let rows: Int
  let columns: Int
  private let buffer: UnsafeMutableBufferPointer<Float>

  /// The elements, row by row.
  var values: UnsafeBufferPointer<Float> { UnsafeBufferPointer(buffer) }

  init(_ source: MatrixSource) throws {
    (name, rows, columns) = (source.name, source.rows, source.columns)
    guard rows.multipliedReportingOverflow(by: columns).partialValue <= 1 << 31, rows <= 1 << 31 else {
      throw UsageError("\(name): \(rows) x \(columns) elements are more than are held in memory")
    }
    buffer = .allocate(capacity: rows * columns)
    try source.read(0..<rows, into: buffer)
  }

  deinit { buffer.deallocate() }
}
