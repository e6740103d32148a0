import Foundation
import NumKit
import Quant
import TensorFiles

/// A tensor as rows × columns of f32, held in memory.
final class Matrix {
  let name: String
  let rows: Int
  let columns: Int
  private let shape: [Int]
  private let buffer: UnsafeMutableBufferPointer<Float>

  /// The elements, row by row.
  var values: UnsafeBufferPointer<Float> { UnsafeBufferPointer(buffer) }

  init(_ options: InputOptions) throws {
    let source = try RowInput(options, operation: .softmax)
    rows = source.rows.rowCount
    columns = source.rows.length
    switch source.origin {
    case .file(let file, _): name = file
    case .generated(let distribution, let range, let seed):
      name = "\(distribution.rawValue), R = \(Figures.number(range)), seed \(seed)"
    case .exhaustive: name = "all"
    }
    shape = source.otherShape + [columns]
    buffer = .allocate(capacity: rows * columns)
    for row in 0..<rows {
      let values = try source.row(row)
      for i in values.indices { buffer[row * columns + i] = Float(values[i]) }
    }
  }

  deinit { buffer.deallocate() }

  /// Writes what a scheme makes of the matrix: decoded, and as bytes.
  func write(_ scheme: any Scheme, output: String?, raw: String?) throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try scheme.byteCount(rows: rows, columns: columns), alignment: 64)
    defer { bytes.deallocate() }
    try scheme.encode(values, rows: rows, columns: columns, into: bytes)
    let encoded = UnsafeRawBufferPointer(bytes)
    if let raw {
      let count = try scheme.storedByteCount(encoded, rows: rows, columns: columns)
      do {
        try Data(encoded[..<count]).write(to: URL(fileURLWithPath: raw), options: .atomic)
      } catch {
        throw UsageError("\(raw): cannot be written")
      }
    }
    if let output {
      let decoded = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
      defer { decoded.deallocate() }
      try scheme.decode(encoded, rows: rows, columns: columns, into: decoded)
      let writer = try TensorWriter(output, [TensorWriter.Declaration("dequantized", .f32, shape)])
      try writer.append(UnsafeBufferPointer(decoded))
      try writer.finish()
    }
  }
}
