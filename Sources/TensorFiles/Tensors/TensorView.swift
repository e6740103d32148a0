/// A tensor of an open file: its description, and its elements as numbers or bytes.
///
/// Nothing is read before it is asked for. Element indices count in row-major order whatever the order in the file.
/// Values are exact, but that f64 and integers beyond 2^24 read as Float are rounded to nearest even. A 64 bit integer that no
/// Double holds is an error when it is read as one. A view may be used from several threads at once, and keeps its file open.
public struct TensorView: Sendable {
  /// What the file says about the tensor.
  public let info: TensorInfo
  private let bytes: ViewBytes
  /// The bytes behind it.
  var source: ViewBytes { bytes }

  init(info: TensorInfo, _ source: ByteSource) {
    self.info = info
    bytes = ViewBytes(source)
  }

  /// The tensor's name.
  public var name: String { info.name }
  /// What the elements are.
  public var elementType: ElementType { info.elementType }
  /// The dimensions, outermost first; empty for a scalar.
  public var shape: [Int] { info.shape }
  /// The number of elements.
  public var count: Int { info.count }

  /// The elements of `range`, exactly, as Double. `buffer` must have room for them.
  public func copyDoubles(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try copy(range, into: buffer)
  }

  /// The elements of `range` as Float. `buffer` must have room for them.
  public func copyFloats(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    // A call to the system costs as much as copying some 2000 elements.
    guard elementType == .f32, !info.isByteSwapped, info.order == .rowMajor || shape.count < 2,
      range.count >= 2048
    else { return try copy(range, into: buffer) }
    // As they are in the file.
    try check(range, room: buffer.count)
    try bytes.open().copy(
      from: info.byteOffset + 4 * range.lowerBound,
      into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<range.count])))
  }

  /// Calls `body` with the elements of `range` (of all, if nil) as Double, held only while it runs.
  public func withDoubles<R>(
    _ range: Range<Int>? = nil, _ body: (UnsafeBufferPointer<Double>) throws -> R
  ) throws -> R {
    try withCopy(range, body)
  }

  /// Calls `body` with the elements of `range` (of all, if nil) as Float, held only while it runs.
  public func withFloats<R>(
    _ range: Range<Int>? = nil, _ body: (UnsafeBufferPointer<Float>) throws -> R
  ) throws -> R {
    try withCopy(range, body)
  }

  /// Calls `body` with the tensor's bytes as they are in the file, or with those of `range` of them.
  ///
  /// The bytes need not be aligned, and may be in the other byte order or in column-major order.
  public func withRawBytes<R>(
    _ range: Range<Int>? = nil, _ body: (UnsafeRawBufferPointer) throws -> R
  ) throws -> R {
    let range = range ?? 0..<info.byteCount
    guard range.lowerBound >= 0, range.upperBound <= info.byteCount else {
      throw error("bytes \(range) are outside its \(info.byteCount)")
    }
    guard bytes.scattered == nil else { throw error("its bytes lie in several parts") }
    let start = info.byteOffset + range.lowerBound
    let file = try bytes.open()
    defer { file.noteRead(range.count) }
    return try body(UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + range.count]))
  }

  /// The tensor as rows along `axis`: the last, if nil; from the end, if negative. `decoder` is for elements that come in
  /// blocks. Throws for an axis that the tensor does not have, for an empty tensor, and for elements that are not numeric.
  public func rows(axis: Int? = nil, decoder: (any BlockDecoder)? = nil) throws -> TensorSource {
    try TensorSource(self, axis: axis, decoder: decoder)
  }

  /// The error that this tensor is `reason`.
  func error(_ reason: String) -> TensorFileError {
    TensorFileError(bytes.path, "tensor \(name.quoted): \(reason)")
  }

  /// Throws where elements are not numbers.
  func requireNumeric() throws {
    guard elementType.isNumeric else { throw error("its \(elementType) elements are not plain numbers") }
  }
}

extension TensorView {
  private func withCopy<T: DecodedValue, R>(
    _ range: Range<Int>?, _ body: (UnsafeBufferPointer<T>) throws -> R
  ) throws -> R {
    let range = range ?? 0..<count
    try check(range)
    let buffer = UnsafeMutableBufferPointer<T>.allocate(capacity: range.count)
    defer { buffer.deallocate() }
    try copy(range, into: buffer)
    return try body(UnsafeBufferPointer(buffer))
  }

  private func check(_ range: Range<Int>, room: Int = .max) throws {
    try requireNumeric()
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw error("elements \(range) are outside its \(count)")
    }
    guard room >= range.count else {
      throw error("a buffer of \(room) has no room for \(range.count) elements")
    }
  }

  func copy<T: DecodedValue>(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<T>) throws {
    try check(range, room: buffer.count)
    guard let out = buffer.baseAddress, !range.isEmpty else { return }
    let elements = try elements()
    if info.order == .rowMajor || shape.count < 2 {
      try elements.decode(first: range.lowerBound, stride: 1, count: range.count, into: out, outStride: 1)
      return
    }
    let rowLength = shape[shape.count - 1]
    let strides = info.strides
    let stride = strides[shape.count - 1]
    var position = range.lowerBound
    while position < range.upperBound {
      let column = position % rowLength
      let n = min(rowLength - column, range.upperBound - position)
      var first = column * stride
      var rest = position / rowLength
      for axis in (0..<shape.count - 1).reversed() {
        first += rest % shape[axis] * strides[axis]
        rest /= shape[axis]
      }
      try elements.decode(
        first: first, stride: stride, count: n, into: out + (position - range.lowerBound), outStride: 1)
      position += n
    }
  }

  /// Makes the bytes ready: those of a deflated entry are inflated, and checked.
  package func open() throws { _ = try bytes.open() }

  /// The elements in the file's order, once their bytes are there.
  func elements() throws -> StoredElements {
    let file = try bytes.open()
    guard let start = file.bytes.baseAddress else { throw error("has no bytes") }
    let packed = try (bytes.scattered as? PackedTensor)?.elements()
    return StoredElements(
      info: info, file: file, base: start + info.byteOffset, path: bytes.path, packed: packed)
  }
}

/// A tensor's elements in the order of the file.
struct StoredElements {
  private let info: TensorInfo
  private let file: FileBytes
  private let base: UnsafeRawPointer
  private let path: String
  private let packed: PackedElements?

  init(
    info: TensorInfo, file: FileBytes, base: UnsafeRawPointer, path: String, packed: PackedElements? = nil
  ) {
    (self.info, self.file, self.base, self.path, self.packed) = (info, file, base, path, packed)
  }

  /// Decodes `count` elements from the `first` on, `stride` elements apart. They must exist.
  ///
  /// Where the next call will begin `spacing` elements further on, pages up to there come in with these.
  /// Throws at a 64 bit integer that should be a Double and is none.
  func decode<T: DecodedValue>(
    first: Int, stride: Int, count: Int, spacing: Int = 0, into out: UnsafeMutablePointer<T>,
    outStride: Int
  ) throws {
    if let packed {
      return packed.decode(first: first, stride: stride, count: count, into: out, outStride: outStride)
    }
    let type = info.elementType
    let unit = type.unit
    let size = max(1, unit.bytes / unit.elements)
    let step = stride * size
    // A page fault brings in up to 64 KiB; pieces small enough that pages can be given back in between.
    let cost = min(step, 1 << 16)
    let piece = max(1, (1 << 20) / cost)
    var done = 0
    while done < count {
      var n = min(piece, count - done)
      let target = out + done * outStride
      if case .small(let format) = type, format.bitWidth < 8 {
        PackedRun(base: base, format: format, first: first + done * stride, stride: stride, count: n)
          .decode(into: target, outStride: outStride)
      } else if stride == 1, file.isMapped, n * size >= 1 << 12 {
        // Faulting pages in costs more than reading them, and neighbours that nobody asked for come with them.
        n = min(n, (1 << 16) / size)
        try withUnsafeTemporaryAllocation(byteCount: n * size, alignment: 8) { bytes in
          let start = base + (first + done) * size
          try file.copy(from: start - UnsafeRawPointer(file.bytes.baseAddress ?? base), into: bytes)
          try decode(
            UnsafeRawBufferPointer(bytes).baseAddress ?? start, first + done, 1, n, target, outStride)
        }
        done += n
        continue
      } else {
        try decode(
          base + (first + done * stride) * size, first + done * stride, stride, n, target, outStride)
      }
      file.noteRead(max(n * cost, min(spacing * size, 1 << 16)))
      done += n
    }
  }

  /// Decodes `count` elements whose first, number `first` of the tensor, is at `start`.
  private func decode<T: DecodedValue>(
    _ start: UnsafeRawPointer, _ first: Int, _ stride: Int, _ count: Int, _ out: UnsafeMutablePointer<T>,
    _ outStride: Int
  ) throws {
    let unit = info.elementType.unit
    let run = StoredRun(
      base: start, type: info.elementType, isByteSwapped: info.isByteSwapped,
      stride: stride * max(1, unit.bytes / unit.elements), count: count)
    run.decode(into: out, outStride: outStride)
    if T.self == Double.self, let (i, integer) = run.firstInexact {
      let place = info.coordinates(of: first + i * stride)
      throw TensorFileError(
        path, "tensor \(info.name.quoted): element \(place) is \(integer), which no f64 holds")
    }
  }
}
