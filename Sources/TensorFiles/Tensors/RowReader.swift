/// The rows of a tensor along one of its axes, read in bounded memory; any rows in any order, from any thread.
///
/// A tensor of shape [a, b, c] has a·c rows of length b along axis 1. Rows count in row-major order of the other
/// axes; a scalar is one row of one. Rows that lie across the order in the file (column-major along the last axis,
/// row-major along another) are gathered several at a time, so ask for as many neighbours at once as memory allows.
public struct RowReader: Sendable {
  /// The tensor.
  public let tensor: TensorView
  /// The number of rows.
  public let count: Int
  /// The length of a row.
  public let length: Int
  /// The axis that rows run along, from 0.
  public let axis: Int
  private let rowStride: [Int]
  private let rowShape: [Int]
  private let elementStride: Int

  init(_ tensor: TensorView, axis: Int?) throws {
    try tensor.requireNumeric()
    let shape = tensor.shape
    guard tensor.count > 0 else { throw tensor.error("shape \(shape) has no elements") }
    self.tensor = tensor
    guard !shape.isEmpty else {
      guard axis == nil else { throw tensor.error("a scalar has no axis") }
      (self.axis, count, length, rowStride, rowShape, elementStride) = (0, 1, 1, [], [], 1)
      return
    }
    let wanted = axis ?? -1
    guard wanted >= -shape.count, wanted < shape.count else {
      throw tensor.error("shape \(shape) has no axis \(wanted)")
    }
    let chosen = wanted < 0 ? wanted + shape.count : wanted
    var strides = tensor.info.strides
    elementStride = strides.remove(at: chosen)
    rowStride = strides
    var others = shape
    length = others.remove(at: chosen)
    rowShape = others
    count = tensor.count / length
    self.axis = chosen
  }

  /// The rows of `range`, one after another, as Double.
  public func copyDoubles(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try copy(range, into: buffer)
  }

  /// The rows of `range`, one after another, as Float; see `TensorView` for what that rounds.
  public func copyFloats(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try copy(range, into: buffer)
  }

  /// Calls `body` with the rows of `range` (all, if nil) in order, several at once, as Double.
  ///
  /// The buffer passed holds the rows of the range passed, one after another, and about `batchBytes` bytes, but
  /// at least one row.
  public func forEachBatch(
    _ range: Range<Int>? = nil, batchBytes: Int = 4 << 20,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws {
    try batches(range, batchBytes, body)
  }

  /// The same, as Float.
  public func forEachFloatBatch(
    _ range: Range<Int>? = nil, batchBytes: Int = 4 << 20,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws {
    try batches(range, batchBytes, body)
  }

  private func batches<T: DecodedValue>(
    _ range: Range<Int>?, _ batchBytes: Int,
    _ body: (Range<Int>, UnsafeMutableBufferPointer<T>) throws -> Void
  ) throws {
    let range = range ?? 0..<count
    try check(range)
    if range.isEmpty { return }
    let fitting = max(1, batchBytes / MemoryLayout<T>.stride / length)
    let batch = min(fitting, range.count)
    let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: batch * length)
    defer { buffer.deallocate() }
    var row = range.lowerBound
    while row < range.upperBound {
      let n = min(batch, range.upperBound - row)
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<(n * length)])
      try copy(row..<row + n, into: part)
      try body(row..<row + n, part)
      row += n
    }
  }

  private func check(_ range: Range<Int>) throws {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw tensor.error("rows \(range) are outside its \(count)")
    }
  }

  private func copy<T: DecodedValue>(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<T>) throws {
    try check(range)
    guard buffer.count >= range.count * length else {
      throw tensor.error("a buffer of \(buffer.count) has no room for \(range.count) rows of \(length)")
    }
    guard var out = buffer.baseAddress, !range.isEmpty else { return }
    if elementStride == 1 && tensor.info.order == .rowMajor {
      tensor.decode(
        first: range.lowerBound * length, stride: 1, count: range.count * length, into: out, outStride: 1)
      return
    }
    // Neighbouring rows lie `stride` apart as long as the last of the other axes does not start over.
    let run = rowShape.last ?? 1
    let stride = rowStride.last ?? 1
    var row = range.lowerBound
    while row < range.upperBound {
      let n = min(run - row % run, range.upperBound - row)
      gather(first: firstElement(of: row), rows: n, stride: stride, into: out)
      out += n * length
      row += n
    }
  }

  private func firstElement(of row: Int) -> Int {
    var first = 0
    var rest = row
    for axis in rowShape.indices.reversed() {
      first += rest % rowShape[axis] * rowStride[axis]
      rest /= rowShape[axis]
    }
    return first
  }

  /// The inner loop runs along whichever of the two directions is denser in the file.
  private func gather<T: DecodedValue>(
    first: Int, rows: Int, stride: Int, into out: UnsafeMutablePointer<T>
  ) {
    if elementStride <= stride || rows == 1 {
      for row in 0..<rows {
        tensor.decode(
          first: first + row * stride, stride: elementStride, count: length, spacing: stride,
          into: out + row * length,
          outStride: 1)
      }
    } else {
      for element in 0..<length {
        tensor.decode(
          first: first + element * elementStride, stride: stride, count: rows, spacing: elementStride,
          into: out + element,
          outStride: length)
      }
    }
  }
}
