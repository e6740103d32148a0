/// Where the elements of rows along an axis lie in a file.
struct RowGeometry: Sendable {
  /// The axis, from 0.
  let axis: Int
  /// The length of a row.
  let length: Int
  /// The other dimensions.
  let rowShape: [Int]
  /// How far apart in the file neighbours in a row are.
  let elementStride: Int
  private let rowStride: [Int]
  /// Whether elements, row by row, are in the file's order.
  let isInOrder: Bool

  /// Throws for an axis that the tensor does not have.
  init(_ tensor: TensorView, axis: Int?) throws {
    let shape = tensor.shape
    guard !shape.isEmpty else {
      guard axis == nil else { throw tensor.error("a scalar has no axis") }
      (self.axis, length, rowStride, rowShape, elementStride, isInOrder) = (0, 1, [], [], 1, true)
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
    self.axis = chosen
    // The order of the file, or no order that matters.
    isInOrder =
      shape.count == 1 || shape[(chosen + 1)...].allSatisfy { $0 == 1 } && tensor.info.order == .rowMajor
  }

  /// Neighbouring rows whose first elements lie evenly.
  struct Run {
    let rows: Range<Int>
    /// The first element of the first, in the file's order.
    let first: Int
    /// How far the next row's is.
    let stride: Int
  }

  /// Calls `body` with `rows` in runs.
  func forEachRun(_ rows: Range<Int>, _ body: (Run) throws -> Void) rethrows {
    // Neighbouring rows lie `stride` apart as long as the last of the other axes does not start over.
    let run = rowShape.last ?? 1
    let stride = rowStride.last ?? 1
    var row = rows.lowerBound
    while row < rows.upperBound {
      let n = min(run - row % run, rows.upperBound - row)
      try body(Run(rows: row..<row + n, first: firstElement(of: row), stride: stride))
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

  /// `count` elements of each of `rows` rows, `stride` apart. The inner loop runs along whichever of the two directions is
  /// denser in the file.
  func gather<T: DecodedValue>(
    _ elements: StoredElements, first: Int, rows: Int, count: Int, stride: Int,
    into out: UnsafeMutablePointer<T>
  ) throws {
    if elementStride <= stride || rows == 1 {
      for row in 0..<rows {
        try elements.decode(
          first: first + row * stride, stride: elementStride, count: count, spacing: stride,
          into: out + row * count, outStride: 1)
      }
    } else {
      for element in 0..<count {
        try elements.decode(
          first: first + element * elementStride, stride: stride, count: rows, spacing: elementStride,
          into: out + element, outStride: count)
      }
    }
  }
}
