import NumKit

/// Rows rounded to a format, where there is one.
struct RoundedRows<Source: RowSource>: RowSource {
  let source: Source
  let format: NumberFormat?

  var rowCount: Int { source.rowCount }
  var length: Int { source.length }
  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.read(row, into: buffer)
    guard let format else { return }
    for i in buffer.indices { buffer[i] = format.round(buffer[i]) }
  }
}
