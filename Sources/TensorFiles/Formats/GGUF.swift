/// The .gguf layout, versions 2 and 3: counts, metadata, the tensors' descriptions, their bytes.
///
/// Metadata is checked and passed over, but for the alignment and the architecture. Source: ggml, docs/gguf.md.
enum GGUF {
  static let magic: [UInt8] = [0x47, 0x47, 0x55, 0x46]
  /// ggml's own limit on dimensions.
  private static let maximumRank = 4
  /// Arrays of arrays are legal; nobody nests them deeper than this.
  private static let maximumDepth = 8
  private static let maximumAlignment = 1 << 20

  /// The tensors in the order of their descriptions, and those of a type that is not known here.
  static func content(of file: FileBytes) throws -> FileContent {
    func error(_ reason: String) -> TensorFileError { TensorFileError(file.path, reason) }
    var cursor = ByteCursor(file, 0..<file.bytes.count)
    _ = try cursor.take(4, "magic")
    let version = try cursor.integer(UInt32.self, "version")
    guard version == 2 || version == 3 else {
      let swapped = version.byteSwapped
      throw error(
        swapped == 2 || swapped == 3
          ? "GGUF version \(swapped) in big-endian order cannot be read"
          : "GGUF version \(version) is not 2 or 3")
    }
    let tensorCount = try cursor.integer(UInt64.self, "tensor count")
    let pairCount = try cursor.integer(UInt64.self, "metadata count")
    // A description takes at least 24 bytes, a pair 13.
    guard tensorCount <= UInt64(cursor.remaining / 24) else {
      throw error("truncated: \(tensorCount) tensors in a file of \(file.bytes.count) bytes")
    }
    guard pairCount <= UInt64(cursor.remaining / 13) else {
      throw error("truncated: \(pairCount) metadata pairs in a file of \(file.bytes.count) bytes")
    }
    let (alignment, architecture) = try readMetadata(&cursor, pairs: pairCount)

    var descriptions: [Description] = []
    var names: Set<Spelling> = []
    for _ in 0..<tensorCount {
      let description = try readDescription(&cursor)
      guard names.insert(Spelling(description.name)).inserted else {
        throw error("has the tensor \(description.name.quoted) twice")
      }
      descriptions.append(description)
    }
    // Nothing overflows: the cursor is inside the file, and the alignment is small.
    let start = (cursor.offset + alignment - 1) / alignment * alignment
    let dataSize = max(0, file.bytes.count - start)
    var tensors: [TensorInfo] = []
    var unreadable: [UnreadableTensor] = []
    for description in descriptions {
      if let type = type(description.typeID) {
        tensors.append(
          try description.tensor(type, file, start: start, size: dataSize, alignment: alignment))
      } else {
        unreadable.append(UnreadableTensor(description.name, "unknown ggml type \(description.typeID)"))
      }
    }
    let sorted = tensors.filter { $0.byteCount > 0 }.sorted { $0.byteOffset < $1.byteOffset }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.byteRange.upperBound > b.byteOffset {
      throw error("tensors \(a.name.quoted) and \(b.name.quoted) overlap")
    }
    return FileContent(
      tensors: tensors, sources: [.file(file)], unreadable: unreadable,
      metadata: architecture.map { [architectureKey: $0] } ?? [:])
  }

  private struct Description {
    let name: String
    let dimensions: [UInt64]
    let typeID: UInt32
    let offset: UInt64

    func tensor(
      _ type: ElementType, _ file: FileBytes, start: Int, size: Int, alignment: Int
    ) throws -> TensorInfo {
      func error(_ reason: String) -> TensorFileError {
        TensorFileError(file.path, "tensor \(name.quoted): \(reason)")
      }
      let shape = try dimensions.reversed().map { dimension in
        guard let value = Int(exactly: dimension) else {
          throw error("dimension \(dimension) is beyond 63 bits")
        }
        return value
      }
      let extent = try TensorExtent(shape, type, reason: error)
      guard offset % UInt64(alignment) == 0 else {
        throw error("offset \(offset) is not a multiple of \(alignment)")
      }
      guard offset <= UInt64(size), extent.byteCount <= size - Int(offset) else {
        throw error(
          "truncated: shape \(shape) of \(type) needs \(extent.byteCount) bytes at offset \(offset), the data has \(size)"
        )
      }
      return TensorInfo(
        name: name, elementType: type, shape: shape, extent: extent,
        // An empty tensor may come after a header that is not padded.
        byteOffset: min(start + Int(offset), file.bytes.count), isByteSwapped: 1.bigEndian == 1)
    }
  }

  private static func readDescription(_ cursor: inout ByteCursor) throws -> Description {
    let name = try readText(&cursor, "tensor name")
    let rank = try cursor.integer(UInt32.self, "tensor rank")
    guard rank <= maximumRank else {
      throw TensorFileError(cursor.file.path, "tensor \(name.quoted): rank \(rank) is above \(maximumRank)")
    }
    var dimensions: [UInt64] = []
    for _ in 0..<rank { dimensions.append(try cursor.integer(UInt64.self, "tensor dimension")) }
    let typeID = try cursor.integer(UInt32.self, "tensor type")
    let offset = try cursor.integer(UInt64.self, "tensor offset")
    return Description(name: name, dimensions: dimensions, typeID: typeID, offset: offset)
  }

  private static func type(_ id: UInt32) -> ElementType? {
    switch id {
    case 0: return .f32
    case 1: return .f16
    case 24: return .int8
    case 25: return .int16
    case 26: return .int32
    case 27: return .int64
    case 28: return .f64
    case 30: return .bf16
    default: return BlockType(rawValue: id).map(ElementType.block)
    }
  }

  /// Where a file says what kind of model it is.
  private static let architectureKey = "general.architecture"

  /// Passes over the metadata and returns `general.alignment`, which is 32 unless stated, and the architecture.
  private static func readMetadata(_ cursor: inout ByteCursor, pairs: UInt64) throws -> (
    alignment: Int, architecture: String?
  ) {
    var alignment = 32
    var architecture: String?
    var keys: Set<Spelling> = []
    for _ in 0..<pairs {
      let key = try readText(&cursor, "metadata key")
      guard keys.insert(Spelling(key)).inserted else {
        throw TensorFileError(cursor.file.path, "has the metadata key \(key.quoted) twice")
      }
      let type = try cursor.integer(UInt32.self, "metadata type")
      if key == "general.alignment" {
        guard type == 4 else {
          throw TensorFileError(cursor.file.path, "general.alignment has type \(type), not 4 (uint32)")
        }
        let value = try cursor.integer(UInt32.self, "general.alignment")
        guard value > 0, value & (value - 1) == 0, value <= maximumAlignment else {
          throw TensorFileError(
            cursor.file.path, "general.alignment \(value) is not a power of two up to \(maximumAlignment)")
        }
        alignment = Int(value)
      } else if key == architectureKey, type == 8 {
        let length = try cursor.integer(UInt64.self, "string length")
        architecture = validatedText(try cursor.take(Int(clamping: length), "string"))
      } else {
        try skipValue(&cursor, type: type, depth: 0)
      }
    }
    return (alignment, architecture)
  }

  private static func skipValue(_ cursor: inout ByteCursor, type: UInt32, depth: Int) throws {
    switch type {
    case 8: try skipText(&cursor)
    case 9:
      guard depth < maximumDepth else {
        throw TensorFileError(cursor.file.path, "metadata arrays nest deeper than \(maximumDepth)")
      }
      let element = try cursor.integer(UInt32.self, "metadata array type")
      let count = try cursor.integer(UInt64.self, "metadata array count")
      if let size = size(ofScalar: element) {
        try cursor.skip(count, of: size, "metadata array")
      } else {
        // Every element takes bytes, so a hostile count ends with the file.
        for _ in 0..<count { try skipValue(&cursor, type: element, depth: depth + 1) }
      }
    default:
      guard let size = size(ofScalar: type) else {
        throw TensorFileError(cursor.file.path, "unknown metadata type \(type) at byte \(cursor.offset - 4)")
      }
      try cursor.skip(1, of: size, "metadata value")
    }
  }

  private static func size(ofScalar type: UInt32) -> Int? {
    switch type {
    case 0, 1, 7: return 1
    case 2, 3: return 2
    case 4, 5, 6: return 4
    case 10, 11, 12: return 8
    default: return nil
    }
  }

  private static func skipText(_ cursor: inout ByteCursor) throws {
    let length = try cursor.integer(UInt64.self, "string length")
    try cursor.skip(length, of: 1, "string")
  }

  private static func readText(_ cursor: inout ByteCursor, _ what: StaticString) throws -> String {
    let length = try cursor.integer(UInt64.self, what)
    let start = cursor.offset
    guard let text = validatedText(try cursor.take(Int(clamping: length), what)), !text.utf8.contains(0)
    else {
      throw TensorFileError(cursor.file.path, "\(what) at byte \(start) is not valid UTF-8 without NUL")
    }
    return text
  }
}
