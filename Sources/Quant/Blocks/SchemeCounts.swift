extension SchemeError {
  /// Throws where a matrix has more than 2^48 elements: beyond any memory, and few enough that no product of sizes overflows.
  static func require(rows: Int, columns: Int, for name: String) throws {
    guard rows >= 0, columns >= 0, rows <= 1 << 48, columns <= 1 << 48,
      !rows.multipliedReportingOverflow(by: max(columns, 1)).overflow, rows * max(columns, 1) <= 1 << 48
    else { throw SchemeError.shape("\(name) cannot take \(rows) rows of \(columns) elements") }
  }

  /// Throws where `values` are no rows × columns.
  static func require(values: Int, rows: Int, columns: Int) throws {
    guard values == rows * columns else {
      throw SchemeError.shape("\(rows) rows of \(columns) elements are not \(values) values")
    }
  }
}

extension Scheme {
  /// Throws where a matrix does not fit the scheme, or its values or bytes are not as many as it has.
  func checkCounts(_ rows: Int, _ columns: Int, values: Int, bytes: Int) throws {
    let expected = try byteCount(rows: rows, columns: columns)
    try SchemeError.require(values: values, rows: rows, columns: columns)
    guard bytes == expected else { throw SchemeError.bytes(expected: expected, found: bytes) }
  }
}

/// Calls `body` with each block of `length` numbers of each row, whose last may have fewer: its place among the numbers, how many of them
/// there are, and its place among the bytes, of which a block has `blockBytes`.
func forEachRowBlock(
  rows: Int, columns: Int, length: Int, blockBytes: Int,
  _ body: (_ start: Int, _ count: Int, _ place: Int) -> Void
) {
  var place = 0
  for row in 0..<rows {
    for first in stride(from: 0, to: columns, by: length) {
      body(row * columns + first, min(length, columns - first), place)
      place += blockBytes
    }
  }
}
