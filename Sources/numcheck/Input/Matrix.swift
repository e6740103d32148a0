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

  /// `scale` times the matrix is what its use takes in all.
  init(_ source: MatrixSource, scale: Int = 1) throws {
    (name, rows, columns) = (source.name, source.rows, source.columns)
    try source.requireMemory(scale)
    buffer = .allocate(capacity: rows * columns)
    do { try source.read(0..<rows, into: buffer) } catch {
      buffer.deallocate()
      throw error
    }
  }

  deinit { buffer.deallocate() }
}

extension MatrixSource {
  /// Throws where `scale` times all elements cannot be held.
  func requireMemory(_ scale: Int = 1) throws {
    try Memory.require(
      Memory.product(rows, columns, 4, scale), for: "\(name): holding \(rows) x \(columns) elements")
  }
}
