import NumKit
import SystemPackage

/// Writes an .npy or a .safetensors file, piece by piece, in bounded memory.
///
/// Tensors are declared first and then filled, each from its first element on, in any order among them. The file
/// appears under its name only with `finish()`: until then it is a hidden file beside it, which goes when the
/// writer does. Elements are little-endian and in row-major order.
public final class TensorWriter: UnfinishedContent {
  /// A tensor to be written.
  public struct Declaration: Sendable, Hashable {
    /// The name; .npy has none.
    public var name: String
    /// What its elements are.
    public var elementType: ElementType
    /// Its dimensions, outermost first; empty for a scalar.
    public var shape: [Int]

    /// Makes a declaration.
    public init(_ name: String, _ elementType: ElementType, _ shape: [Int]) {
      self.name = name
      self.elementType = elementType
      self.shape = shape
    }
  }

  /// The file's path.
  public let path: String
  let file: AtomicFile
  private var tensors: [PendingTensor]
  private let overflow: Overflow

  /// Begins the file at `path`, an .npy or .safetensors file by its extension.
  ///
  /// - Parameters:
  ///   - place: Where it will be.
  ///   - tensors: What it will hold; one for .npy.
  ///   - metadata: Texts for `__metadata__` of .safetensors; .npy has no room for any.
  ///   - overflow: What values too large for a floating-point element type become.
  /// - Throws: `TensorFileError` where the folder cannot be written, the kind of file cannot hold an element type,
  ///   or a declaration is no tensor.
  public init(
    _ place: FilePath, _ tensors: [Declaration], metadata: [String: String] = [:],
    overflow: Overflow = .special
  ) throws {
    let path = place.label
    self.path = path
    self.overflow = overflow
    let extents = try tensors.map { tensor in
      try TensorExtent(tensor.shape, tensor.elementType) {
        TensorFileError(path, "tensor \(tensor.name.quoted): \($0)")
      }
    }
    let layout: FileLayout
    switch TensorFile.kind(ofExtension: place.extension) {
    case .npy:
      guard metadata.isEmpty else { throw TensorFileError(path, "an .npy file has no room for metadata") }
      layout = try .npy(tensors, path: path)
    case .safetensors: layout = try .safetensors(tensors, extents, metadata: metadata, path: path)
    default: throw TensorFileError(path, "can only write .npy and .safetensors, by the file's extension")
    }
    let file = try AtomicFile(place)
    try layout.header.withUnsafeBytes { try file.write($0, at: 0) }
    self.file = file
    self.tensors = tensors.indices.map {
      PendingTensor(
        declaration: tensors[$0], start: layout.header.count + layout.offsets[$0], size: extents[$0].byteCount
      )
    }
  }

  /// The same for a path as text.
  public convenience init(
    _ path: String, _ tensors: [Declaration], metadata: [String: String] = [:], overflow: Overflow = .special
  ) throws {
    try self.init(FilePath(checked: path), tensors, metadata: metadata, overflow: overflow)
  }

  /// Whether a file of that name can hold more than one tensor, each with its name.
  public static func hasNames(_ path: FilePath) -> Bool {
    TensorFile.kind(ofExtension: path.extension) == .safetensors
  }

  /// Appends `values`, rounded to the element type, to a tensor (the only one, if nil).
  ///
  /// Floating-point types round to nearest even. Integer types and bool take only values that they hold exactly.
  public func append(_ values: UnsafeBufferPointer<Double>, to name: String? = nil) throws {
    try append(values, name)
  }

  /// Appends `values`, rounded to the element type, to a tensor (the only one, if nil).
  public func append(_ values: UnsafeBufferPointer<Float>, to name: String? = nil) throws {
    try append(values, name)
  }

  /// Appends `values`, rounded to the element type, to a tensor (the only one, if nil).
  public func append(_ values: [Double], to name: String? = nil) throws {
    try values.withUnsafeBufferPointer { try append($0, name) }
  }

  /// Appends little-endian codes of the element type, as they are, to a tensor (the only one, if nil).
  public func appendCodes(_ bytes: UnsafeRawBufferPointer, to name: String? = nil) throws {
    try tensors[index(name)].append(bytes, to: file)
  }

  /// Writes what is left; throws where a tensor is not filled.
  public func prepare() throws {
    for i in tensors.indices { try tensors[i].close(in: file) }
    try file.close()
  }

  /// Writes a file with one tensor. The name is only for .safetensors.
  public static func write(
    _ values: [Double], as elementType: ElementType, shape: [Int], name: String = "tensor", to path: String
  ) throws {
    let writer = try TensorWriter(path, [Declaration(name, elementType, shape)])
    try writer.append(values)
    try writer.finish()
  }

  private func index(_ name: String?) throws -> Int {
    guard let name else {
      guard tensors.count == 1 else {
        throw TensorFileError(path, "\(tensors.count) tensors are being written, name one")
      }
      return 0
    }
    guard let index = tensors.firstIndex(where: { Spelling($0.declaration.name) == Spelling(name) }) else {
      throw TensorFileError(path, "no tensor \(name.quoted) is being written")
    }
    return index
  }

  private func append<T: EncodedValue>(_ values: UnsafeBufferPointer<T>, _ name: String?) throws {
    let index = try self.index(name)
    let type = tensors[index].declaration.elementType
    guard type.isNumeric else {
      throw TensorFileError(
        path, "tensor \(tensors[index].declaration.name.quoted): \(type) takes codes, not values")
    }
    let encoder = ElementEncoder(type: type, overflow: overflow)
    // A code takes a byte until it is packed.
    let size = type.packedWidth == nil ? type.unit.bytes : 1
    let piece = 1 << 13
    try withUnsafeTemporaryAllocation(byteCount: min(piece, max(values.count, 1)) * size, alignment: 8) {
      codes in
      guard let out = codes.baseAddress else { return }
      var done = 0
      while done < values.count {
        let part = UnsafeBufferPointer(rebasing: values[done..<min(done + piece, values.count)])
        do throws(ElementEncoder.Misfit) {
          try encoder.encode(part, into: out)
        } catch {
          let position = tensors[index].given + error.index
          throw TensorFileError(
            path,
            "tensor \(tensors[index].declaration.name.quoted): element \(position), \(error.value), is no \(type)"
          )
        }
        let encoded = UnsafeRawBufferPointer(start: out, count: part.count * size)
        if let width = type.packedWidth {
          try tensors[index].pack(encoded, width: width, to: file)
        } else {
          try tensors[index].append(encoded, to: file)
        }
        done += part.count
      }
    }
  }
}

/// A declared tensor, how much of it was given, and what of that is not in the file yet.
private struct PendingTensor {
  let declaration: TensorWriter.Declaration
  let start: Int
  let size: Int
  /// Bytes given so far.
  private(set) var written = 0
  private var buffer: [UInt8] = []
  /// Codes of less than a byte that do not fill one yet, the first in the lowest bits.
  private var bits: UInt32 = 0
  private var bitCount = 0

  /// Elements given so far.
  var given: Int {
    let unit = declaration.elementType.unit
    return (written * 8 + bitCount) * unit.elements / (unit.bytes * 8)
  }

  init(declaration: TensorWriter.Declaration, start: Int, size: Int) {
    self.declaration = declaration
    self.start = start
    self.size = size
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer, to file: AtomicFile) throws {
    guard bytes.count <= size - written else {
      throw TensorFileError(
        file.path,
        "tensor \(declaration.name.quoted): \(written + bytes.count) bytes were given for the \(size) of shape \(declaration.shape)"
      )
    }
    written += bytes.count
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 16 { try flush(to: file) }
  }

  /// Appends codes, one a byte, of `width` bits each.
  mutating func pack(_ codes: UnsafeRawBufferPointer, width: Int, to file: AtomicFile) throws {
    var packed: [UInt8] = []
    packed.reserveCapacity(codes.count * width / 8 + 1)
    for code in codes {
      bits |= UInt32(code) << UInt32(bitCount)
      bitCount += width
      while bitCount >= 8 {
        packed.append(UInt8(truncatingIfNeeded: bits))
        bits >>= 8
        bitCount -= 8
      }
    }
    try packed.withUnsafeBytes { try append($0, to: file) }
  }

  mutating func close(in file: AtomicFile) throws {
    guard written == size, bitCount == 0 else {
      throw TensorFileError(
        file.path,
        "tensor \(declaration.name.quoted): only \(written) of the \(size) bytes of shape \(declaration.shape) were given"
      )
    }
    try flush(to: file)
  }

  private mutating func flush(to file: AtomicFile) throws {
    try buffer.withUnsafeBytes { try file.write($0, at: start + written - $0.count) }
    buffer.removeAll(keepingCapacity: true)
  }
}
