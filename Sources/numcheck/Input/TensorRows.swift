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
  /// What its elements are.
  let type: ElementType
  private let source: TensorSource

  init(_ specifier: String, axis: Int, limit: Int?) throws {
    let tensor = try TensorSpecifier(argument: specifier).open()
    source = try tensor.source(axis: axis)
    shape = tensor.shape
    type = tensor.elementType
    self.axis = source.axis
    rowCount = Swift.min(limit ?? source.count, source.count)
    length = source.length
  }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.copyDoubles(row..<row + 1, into: buffer)
  }
}

/// A tensor that is held in memory, each number exactly.
struct WholeTensor {
  let shape: [Int]
  let type: ElementType
  let values: [Double]

  init(_ specifier: String) throws {
    let tensor = try TensorSpecifier(argument: specifier).open()
    let name = ArgumentText.shown(specifier)
    guard tensor.count <= 1 << 26 else {
      throw UsageError("\(name): \(tensor.count) elements are more than the \(1 << 26) allowed here")
    }
    try Memory.require(tensor.count * 8, for: "\(name): its \(tensor.count) elements")
    shape = tensor.shape
    type = tensor.elementType
    guard tensor.count > 0 else {
      values = []
      return
    }
    let source = try tensor.source()
    var values = [Double](repeating: 0, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { try source.copyDoubles(elements: 0..<tensor.count, into: $0) }
    self.values = values
  }
}

extension WholeTensor {
  /// The rows of a matrix in a file.
  static func matrix(_ file: String) throws -> [[Double]] {
    let tensor = try WholeTensor(file)
    guard tensor.shape.count == 2, let columns = tensor.shape.last, columns > 0 else {
      throw UsageError(
        "\(ArgumentText.shown(file)): a matrix is wanted, not a tensor of shape \(tensor.shape)")
    }
    return stride(from: 0, to: tensor.values.count, by: columns).map {
      Array(tensor.values[$0..<$0 + columns])
    }
  }
}
