import NumKit
import TensorFiles

/// The rows of a tensor in a file, along one of its axes.
struct TensorRows: RowSource {
  let rowCount: Int
  let length: Int
  /// The tensor's shape.
  let shape: [Int]
  /// The axis that rows run along, from 0.
  let axis: Int
  private let reader: RowReader

  init(_ specifier: String, axis: Int, limit: Int?) throws {
    let tensor = try TensorSpecifier(specifier).open()
    let isScalar = tensor.shape.isEmpty
    reader = try tensor.rows(axis: isScalar && axis == -1 ? nil : axis)
    shape = tensor.shape
    self.axis = reader.axis
    rowCount = Swift.min(limit ?? reader.count, reader.count)
    length = reader.length
  }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try reader.copyDoubles(row..<row + 1, into: buffer)
  }

  /// All elements of a tensor that is small enough to hold.
  static func wholeTensor(_ specifier: String) throws -> [Double] {
    let tensor = try TensorSpecifier(specifier).open()
    guard tensor.count <= 1 << 26 else {
      throw UsageError("\(specifier): \(tensor.count) elements are more than the \(1 << 26) allowed here")
    }
    return try tensor.withDoubles { Array($0) }
  }
}
