/// The .safetensors layout: the header's length (8 bytes), the header (JSON), the tensors' bytes without a hole.
///
/// Source: huggingface/safetensors, "Format" of its README, and the checks its reader makes.
enum SafeTensors {
  /// The format's own limit on the header.
  static let maximumHeaderLength: UInt64 = 100_000_000
  static let metadataKey = "__metadata__"

  private static let types: [String: ElementType] = [
    "F64": .f64, "F32": .f32, "F16": .f16, "BF16": .bf16, "F8_E4M3": .f8e4m3fn, "F8_E5M2": .f8e5m2,
    "F8_E4M3FNUZ": .f8e4m3fnuz, "F8_E5M2FNUZ": .f8e5m2fnuz, "F8_E8M0": .e8m0,
    "I8": .int8, "I16": .int16, "I32": .int32, "I64": .int64,
    "U8": .uint8, "U16": .uint16, "U32": .uint32, "U64": .uint64, "BOOL": .bool,
    "F4": .opaque(name: "F4", bitWidth: 4), "F6_E2M3": .opaque(name: "F6_E2M3", bitWidth: 6),
    "F6_E3M2": .opaque(name: "F6_E3M2", bitWidth: 6), "C64": .opaque(name: "C64", bitWidth: 64),
  ]

  /// The name that `type` has in a header; nil where the format has none.
  static func typeName(_ type: ElementType) -> String? { types.first { $0.value == type }?.key }

  /// Whether `file` begins as a file of this format does: a length, then `{`.
  static func isLikely(_ file: FileBytes) -> Bool {
    file.bytes.count >= 9 && file.bytes[8] == UInt8(ascii: "{")
  }

  /// The tensors in the order of their bytes, and the metadata.
  static func read(_ file: FileBytes) throws -> (tensors: [TensorInfo], metadata: [String: String]) {
    func error(_ reason: String) -> TensorFileError { TensorFileError(file.path, reason) }
    let size = file.bytes.count
    guard size >= 8 else { throw error("truncated: \(size) bytes have no room for the header's length") }
    let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard length <= maximumHeaderLength else {
      throw error("header of \(length) bytes is above the format's \(maximumHeaderLength)")
    }
    guard length <= UInt64(size - 8) else {
      throw error("truncated: header of \(length) bytes in a file of \(size)")
    }
    let start = 8 + Int(length)
    let header = UnsafeRawBufferPointer(rebasing: file.bytes[8..<start])
    guard header.first == UInt8(ascii: "{") else { throw error("header does not begin with '{'") }

    var tensors: [TensorInfo] = []
    var metadata: [String: String] = [:]
    var reader = JSONReader(header, path: file.path)
    try reader.object { reader, name in
      if name == metadataKey {
        try reader.object { reader, key in metadata[key] = try reader.string() }
      } else {
        tensors.append(
          try tensor(&reader, name: name, path: file.path, dataStart: start, dataSize: size - start))
      }
    }
    try reader.end()

    tensors.sort { ($0.byteOffset, $0.byteCount) < ($1.byteOffset, $1.byteCount) }
    var position = start
    for tensor in tensors {
      let offset = tensor.byteOffset - start
      guard tensor.byteOffset >= position else {
        throw error(
          "tensor \(tensor.name.quoted) at offset \(offset) overlaps the one before, up to \(position - start)"
        )
      }
      guard tensor.byteOffset == position else {
        throw error(
          "\(tensor.byteOffset - position) bytes before tensor \(tensor.name.quoted) belong to no tensor")
      }
      position += tensor.byteCount
    }
    guard position == size else { throw error("the last \(size - position) bytes belong to no tensor") }
    return (tensors, metadata)
  }

  private static func tensor(
    _ reader: inout JSONReader, name: String, path: String, dataStart: Int, dataSize: Int
  ) throws -> TensorInfo {
    func error(_ reason: String) -> TensorFileError {
      TensorFileError(path, "tensor \(name.quoted): \(reason)")
    }
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try reader.object { reader, key in
      switch key {
      case "dtype": typeName = try reader.string()
      case "shape": shape = try reader.integers(limit: TensorInfo.maximumRank, "shape")
      case "data_offsets": offsets = try reader.integers(limit: 2, "data_offsets")
      default: throw error("has the unknown key \(key.quoted)")
      }
    }
    guard let typeName else { throw error("lacks 'dtype'") }
    guard let shape else { throw error("lacks 'shape'") }
    guard let offsets else { throw error("lacks 'data_offsets'") }
    guard let type = types[typeName] else { throw error("unknown dtype \(typeName.quoted)") }
    guard offsets.count == 2 else { throw error("data_offsets \(offsets) are not two numbers") }
    guard offsets[0] <= offsets[1] else { throw error("data_offsets \(offsets) run backwards") }
    guard offsets[1] <= dataSize else {
      throw error("data_offsets \(offsets) reach beyond the \(dataSize) bytes of data")
    }
    let extent = try TensorExtent(shape, type, reason: error)
    guard extent.byteCount == offsets[1] - offsets[0] else {
      throw error(
        "shape \(shape) of \(type) needs \(extent.byteCount) bytes, data_offsets \(offsets) give \(offsets[1] - offsets[0])"
      )
    }
    return TensorInfo(
      name: name, elementType: type, shape: shape, extent: extent, byteOffset: dataStart + offsets[0],
      isByteSwapped: 1.bigEndian == 1)
  }
}
