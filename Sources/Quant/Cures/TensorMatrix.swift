/// A matrix of Float in memory, row-major: weights (outputs × inputs) or activations (tokens × channels).
public struct TensorMatrix: Sendable {
  /// The number of rows.
  public let rows: Int
  /// The number of columns.
  public let columns: Int
  /// The elements, row by row.
  public var values: [Float]

  /// - Precondition: `values.count` is rows × columns.
  public init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns, "as many values as rows × columns")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// max |a| of each column, over finite elements.
  package var columnMaxima: [Float] {
    var maxima = [Float](repeating: 0, count: columns)
    for i in values.indices where values[i].isFinite {
      maxima[i % columns] = max(maxima[i % columns], values[i].magnitude)
    }
    return maxima
  }

  /// Σ a² of each column, over finite elements.
  var columnEnergies: [Double] {
    var sums = [Double](repeating: 0, count: columns)
    for i in values.indices where values[i].isFinite {
      sums[i % columns] += Double(values[i]) * Double(values[i])
    }
    return sums
  }

  /// What a scheme makes of the matrix, and the bits it stores.
  func coded(by scheme: any Scheme) throws -> (decoded: TensorMatrix, bits: Int) {
    try coded(by: scheme) { try scheme.encode($0, rows: rows, columns: columns, into: $1) }
  }

  /// The same where `encode` has another way to choose the codes.
  func coded(
    by scheme: any Scheme,
    encode: (UnsafeBufferPointer<Float>, UnsafeMutableRawBufferPointer) throws -> Void
  ) throws -> (decoded: TensorMatrix, bits: Int) {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try scheme.byteCount(rows: rows, columns: columns), alignment: 64)
    defer { bytes.deallocate() }
    try values.withUnsafeBufferPointer { try encode($0, bytes) }
    let encoded = UnsafeRawBufferPointer(bytes)
    let stored = try scheme.storedByteCount(encoded, rows: rows, columns: columns)
    var decoded = self
    try decoded.values.withUnsafeMutableBufferPointer {
      try scheme.decode(encoded, rows: rows, columns: columns, into: $0)
    }
    return (decoded, 8 * stored)
  }
}
