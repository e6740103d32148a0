/// Decodes a block type's numbers: what a tensor of blocks is read through.
public protocol BlockDecoder: Sendable {
  /// Decodes whole blocks, `bytes`, into all of `values`.
  func decode(_ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>) throws
}

/// A tensor as rows along one of its axes: the one way to its numbers, by rows, by bands of rows and by elements, whatever
/// the type, the order in the file and the axis; in bounded memory, any of them in any order, from any thread.
///
/// A tensor of shape [a, b, c] has a·c rows of length b along axis 1. Rows count in row-major order of the other
/// axes; a scalar is one row of one. Elements count row by row. What lies across the order in the file (column-major along the
/// last axis, row-major along another) is gathered in tiles, of which a few are kept, so that reading in order costs one pass.
public struct TensorSource: Sendable {
  /// The tensor.
  public let tensor: TensorView
  /// The number of rows.
  public let count: Int
  /// The length of a row.
  public let length: Int
  /// The axis that rows run along, from 0.
  public var axis: Int { geometry.axis }
  /// The dimensions beside the rows' axis.
  public var rowShape: [Int] { geometry.rowShape }
  private let geometry: RowGeometry
  private let floats: TileCache<Float>?
  private let doubles: TileCache<Double>?
  private let decoder: (any BlockDecoder)?

  init(_ tensor: TensorView, axis: Int?, decoder: (any BlockDecoder)?) throws {
    if case .block = tensor.elementType, decoder != nil {
    } else {
      try tensor.requireNumeric()
    }
    guard tensor.count > 0 else { throw tensor.error("shape \(tensor.shape) has no elements") }
    self.tensor = tensor
    geometry = try RowGeometry(tensor, axis: axis)
    length = geometry.length
    count = tensor.count / length
    self.decoder = decoder
    if geometry.isInOrder {
      (floats, doubles) = (nil, nil)
    } else {
      floats = TileCache(rows: count, columns: length)
      doubles = TileCache(rows: count, columns: length)
    }
  }

  /// The number of elements.
  public var elementCount: Int { tensor.count }

  /// The rows of `range`, one after another, as Double.
  public func copyDoubles(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try copyDoubles(elements: elements(ofRows: range), into: buffer)
  }

  /// The rows of `range`, one after another, as Float; see `TensorView` for what that rounds.
  public func copyFloats(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try copyFloats(elements: elements(ofRows: range), into: buffer)
  }

  /// The elements of `range` as Double.
  public func copyDoubles(elements range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Double>) throws
  {
    try check(range, room: buffer.count)
    if let doubles {
      return try doubles.copy(range, into: buffer) { try gather($0, $1, into: $2) }
    }
    guard decoder != nil, case .block = tensor.elementType else {
      return try tensor.copyDoubles(range, into: buffer)
    }
    // Numbers of blocks are f32.
    let piece = 1 << 14
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: min(range.count, piece)) { part in
      for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
        let some = start..<min(start + piece, range.upperBound)
        try decodeBlocks(some, into: UnsafeMutableBufferPointer(rebasing: part[..<some.count]))
        for k in 0..<some.count { buffer[start - range.lowerBound + k] = Double(part[k]) }
      }
    }
  }

  /// The elements of `range` as Float.
  public func copyFloats(elements range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try check(range, room: buffer.count)
    if let floats {
      return try floats.copy(range, into: buffer) { try gather($0, $1, into: $2) }
    }
    guard decoder != nil, case .block = tensor.elementType else {
      return try tensor.copyFloats(range, into: buffer)
    }
    try decodeBlocks(range, into: UnsafeMutableBufferPointer(rebasing: buffer[..<range.count]))
  }

  /// Calls `body` with the rows of `range` (all, if nil) in order, several at once, as Double.
  ///
  /// The buffer passed holds the rows of the range passed, one after another, and about `batchBytes` bytes, but
  /// at least one row.
  public func forEachBatch(
    _ range: Range<Int>? = nil, batchBytes: Int = 4 << 20,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws {
    try batches(range, batchBytes, copyDoubles(_:into:), body)
  }

  /// The same, as Float.
  public func forEachFloatBatch(
    _ range: Range<Int>? = nil, batchBytes: Int = 4 << 20,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws {
    try batches(range, batchBytes, copyFloats(_:into:), body)
  }
}

extension TensorSource {
  private func batches<T: DecodedValue>(
    _ range: Range<Int>?, _ batchBytes: Int,
    _ copy: (Range<Int>, UnsafeMutableBufferPointer<T>) throws -> Void,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<T>) throws -> Void
  ) throws {
    let range = range ?? 0..<count
    _ = try elements(ofRows: range)
    if range.isEmpty { return }
    let fitting = max(1, batchBytes / MemoryLayout<T>.stride / length)
    let batch = min(fitting, range.count)
    let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: batch * length)
    defer { buffer.deallocate() }
    var row = range.lowerBound
    while row < range.upperBound {
      let n = min(batch, range.upperBound - row)
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<(n * length)])
      try copy(row..<row + n, part)
      try body(row..<row + n, part)
      row += n
    }
  }

  private func elements(ofRows range: Range<Int>) throws -> Range<Int> {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw tensor.error("rows \(range) are outside its \(count)")
    }
    return range.lowerBound * length..<range.upperBound * length
  }

  private func check(_ range: Range<Int>, room: Int) throws {
    guard range.lowerBound >= 0, range.upperBound <= tensor.count else {
      throw tensor.error("elements \(range) are outside its \(tensor.count)")
    }
    guard room >= range.count else {
      throw tensor.error("a buffer of \(room) has no room for \(range.count) elements")
    }
  }

  /// The rectangle of `rows` and `columns`, row by row.
  private func gather<T: DecodedValue>(
    _ rows: Range<Int>, _ columns: Range<Int>, into out: UnsafeMutablePointer<T>
  ) throws {
    let isBlocks: Bool
    if case .block = tensor.elementType { isBlocks = true } else { isBlocks = false }
    let elements = isBlocks ? nil : try tensor.elements()
    try geometry.forEachRun(rows) { run in
      let target = out + (run.rows.lowerBound - rows.lowerBound) * columns.count
      let first = run.first + columns.lowerBound * geometry.elementStride
      if let elements {
        try geometry.gather(
          elements, first: first, rows: run.rows.count, count: columns.count, stride: run.stride, into: target
        )
      } else {
        try gatherBlocks(first: first, rows: run.rows.count, count: columns.count, into: target)
      }
    }
  }

  /// Of blocks, whose rows lie beside each other in the file: `rows` elements from each of `count` rows of the file.
  private func gatherBlocks<T: DecodedValue>(
    first: Int, rows: Int, count: Int, into out: UnsafeMutablePointer<T>
  ) throws {
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: rows) { part in
      for column in 0..<count {
        let start = first + column * geometry.elementStride
        try decodeBlocks(start..<start + rows, into: part)
        for row in 0..<rows { out[row * count + column] = T(part[row]) }
      }
    }
  }

  /// The elements of `range` in the file's order, out of the whole blocks around them.
  private func decodeBlocks(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    guard let decoder, case .block(let kind) = tensor.elementType, !range.isEmpty else { return }
    let width = kind.elementCount
    let first = range.lowerBound / width
    let end = (range.upperBound + width - 1) / width
    try tensor.withRawBytes(first * kind.byteCount..<end * kind.byteCount) { bytes in
      if first * width == range.lowerBound && end * width == range.upperBound {
        return try decoder.decode(bytes, into: buffer)
      }
      try withUnsafeTemporaryAllocation(of: Float.self, capacity: (end - first) * width) { whole in
        try decoder.decode(bytes, into: whole)
        let offset = range.lowerBound - first * width
        for k in 0..<range.count { buffer[k] = whole[offset + k] }
      }
    }
  }
}
