/// The order of a tensor's elements in its file.
public enum ElementOrder: String, Sendable, Hashable {
  /// The last axis varies fastest (C).
  case rowMajor
  /// The first axis varies fastest (Fortran).
  case columnMajor
}

/// What a file says about one of its tensors.
public struct TensorInfo: Sendable, Hashable {
  /// The tensor's name; for an .npy file, which has none, the file's own without folder and extension.
  public var name: String { spelling.text }
  /// The same; two that differ in bytes are two.
  private let spelling: Spelling
  /// What the elements are.
  public let elementType: ElementType
  /// The dimensions, outermost first; empty for a scalar. (GGUF's, which run the other way, are reversed.)
  public let shape: [Int]
  /// The order of the elements in the file.
  public let order: ElementOrder
  /// The number of elements: the product of the shape.
  public let count: Int
  /// The number of bytes.
  public let byteCount: Int
  /// Where the bytes begin in the file.
  let byteOffset: Int
  /// Whether the elements are in the other byte order than this machine's.
  let isByteSwapped: Bool

  /// The bytes in the file.
  var byteRange: Range<Int> { byteOffset..<byteOffset + byteCount }

  /// How far apart in memory, in elements, neighbours along each axis are.
  var strides: [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var next = 1
    for axis in order == .rowMajor ? Array(shape.indices.reversed()) : Array(shape.indices) {
      strides[axis] = next
      next *= max(shape[axis], 1)
    }
    return strides
  }

  /// The indices of the element at `place` in file order.
  func coordinates(of place: Int) -> [Int] {
    zip(strides, shape).map { place / $0 % max($1, 1) }
  }

  /// The largest rank: what NumPy allows.
  static let maximumRank = 64

  init(
    name: String, elementType: ElementType, shape: [Int], order: ElementOrder = .rowMajor,
    extent: TensorExtent,
    byteOffset: Int, isByteSwapped: Bool
  ) {
    spelling = Spelling(name)
    self.elementType = elementType
    self.shape = shape
    self.order = order
    count = extent.count
    byteCount = extent.byteCount
    self.byteOffset = byteOffset
    self.isByteSwapped = isByteSwapped
  }

  /// A tensor in several parts, whose bytes are theirs.
  init(_ name: String, _ packed: PackedTensor) {
    spelling = Spelling(name)
    elementType = .packed(packed.type)
    shape = packed.shape
    order = packed.order
    count = packed.shape.reduce(1, *)
    byteCount = packed.byteCount
    byteOffset = 0
    isByteSwapped = false
  }
}

/// How many elements and bytes a shape comes to.
struct TensorExtent {
  let count: Int
  let byteCount: Int

  /// Throws `reason(…)` for a shape that overflows, or whose rows are no whole blocks of `type`.
  init(_ shape: [Int], _ type: ElementType, reason: (String) -> TensorFileError) throws {
    let text = "shape \(shape)"
    guard shape.count <= TensorInfo.maximumRank else {
      throw reason("rank \(shape.count) is above \(TensorInfo.maximumRank)")
    }
    let unit = type.unit
    if case .block = type, (shape.last ?? 1) % unit.elements != 0 {
      throw reason("\(text) of \(type) needs rows of whole blocks of \(unit.elements)")
    }
    // Zeros are left out of the product, so that strides of an empty tensor cannot overflow either.
    var product = 1
    for dimension in shape {
      guard dimension >= 0 else { throw reason("\(text) has a negative dimension") }
      let (next, overflow) = product.multipliedReportingOverflow(by: max(dimension, 1))
      guard !overflow else { throw reason("\(text) has more elements than fit 64 bits") }
      product = next
    }
    count = shape.contains(0) ? 0 : product
    guard count % unit.elements == 0 else {
      throw reason("\(text) of \(type) does not fill whole bytes")
    }
    let (bytes, overflow) = (product / unit.elements).multipliedReportingOverflow(by: unit.bytes)
    guard !overflow else { throw reason("\(text) of \(type) has more bytes than fit 64 bits") }
    byteCount = count == 0 ? 0 : bytes
  }
}
