import NumKit
import Synchronization

/// A tensor that a checkpoint stores in parts, read with them as the numbers it means.
///
/// Its parts are looked at when the first element is asked for.
final class PackedTensor: ScatteredBytes {
  let type: PackedType
  let shape: [Int]
  let order: ElementOrder
  /// The parts, codes first.
  let parts: [TensorView]
  private let make: @Sendable () throws -> PackedElements
  private let made = Mutex<PackedElements?>(nil)

  init(
    _ type: PackedType, shape: [Int], order: ElementOrder = .rowMajor, parts: [TensorView],
    _ make: @escaping @Sendable () throws -> PackedElements
  ) {
    self.type = type
    self.shape = shape
    self.order = order
    self.parts = parts
    self.make = make
  }

  var path: String { parts[0].source.path }

  func first() throws -> FileBytes { try parts[0].file() }

  /// The bytes of all parts.
  var byteCount: Int { parts.reduce(0) { $0 + $1.info.byteCount } }

  /// What decodes its elements; throws where the parts contradict each other.
  func elements() throws -> PackedElements {
    try made.withLock { held in
      if let held { return held }
      let elements = try make()
      elements.files = try parts.map { try $0.file() }
      held = elements
      return elements
    }
  }
}

extension TensorView {
  /// The file in which its bytes lie.
  func file() throws -> FileBytes { try source.open() }

  /// Where its bytes begin; kept alive by its file.
  func start() throws -> UnsafeRawPointer {
    guard let base = try file().bytes.baseAddress else { throw error("has no bytes") }
    return base + info.byteOffset
  }

  /// Its scales; throws for elements that are none.
  func scales(factor: Float = 1, divisor: Float = 1) throws -> StoredScales {
    guard let kind = StoredScales.kind(of: elementType) else { throw error("\(elementType) are no scales") }
    return StoredScales(base: try start(), kind: kind, factor: factor, divisor: divisor)
  }

  /// Its one number.
  func scalar() throws -> Float {
    guard count == 1 else { throw error("\(count) elements where one scale belongs") }
    return try withFloats { $0[0] }
  }
}
