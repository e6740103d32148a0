import NumKit

/// The .safetensors layout: the header's length (8 bytes), the header (JSON), the tensors' bytes without a hole.
///
/// Source: huggingface/safetensors, "Format" of its README, and the checks its reader makes.
enum SafeTensors {
  /// The format's own limit on the header.
  static let maximumHeaderLength: UInt64 = 100_000_000
  static let metadataKey = "__metadata__"

  private static let types: [String: ElementType] = {
    var types: [String: ElementType] = [
      "F64": .f64, "F32": .f32, "F16": .f16, "BF16": .bf16,
      "I8": .int8, "I16": .int16, "I32": .int32, "I64": .int64,
      "U8": .uint8, "U16": .uint16, "U32": .uint32, "U64": .uint64, "BOOL": .bool,
      "C64": .opaque(name: "C64", bitWidth: 64),
    ]
    for format in ElementType.smallFormats { types[name(format)] = .small(format) }
    return types
  }()

  /// `F8_E5M2` for f8e5m2; some have names of their own.
  private static func name(_ format: NumberFormat) -> String {
    switch format {
    case .f8e4m3fn: return "F8_E4M3"
    case .e8m0: return "F8_E8M0"
    case .f4e2m1: return "F4"
    default: return "F\(format.bitWidth)_\(format.name.dropFirst(2).uppercased())"
    }
  }

  /// The name that `type` has in a header; nil where the format has none.
  static func typeName(_ type: ElementType) -> String? { types.first { $0.value == type }?.key }

  /// Whether `file` begins as a file of this format does: a length, then `{`.
  static func isLikely(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 9 && bytes[8] == UInt8(ascii: "{")
  }

  /// What a header says.
  struct Header {
    /// In the order of their bytes.
    var tensors: [TensorInfo] = []
    var metadata: [String: String] = [:]
    /// Those of a dtype that is not known here.
    var unreadable: [UnreadableTensor] = []
    /// Those whose bytes reach beyond the file's.
    var truncated: [String] = []
    /// How many bytes the file must have.
    var fileSize = 0
  }

  /// Where the header that `bytes` begin with ends; nil where they are too few to say, or no header of this format.
  static func headerEnd(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= 8 else { return nil }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    return length <= maximumHeaderLength ? 8 + Int(length) : nil
  }

  /// The header at the start of `bytes`, in a file of `size` bytes, which lacks some of the tensors' where it is shorter than
  /// `Header.fileSize`.
  static func read(_ bytes: UnsafeRawBufferPointer, size: Int, path: String) throws -> Header {
    func error(_ reason: String) -> TensorFileError { TensorFileError(path, reason) }
    guard size >= 8 else { throw error("truncated: \(size) bytes have no room for the header's length") }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= maximumHeaderLength else {
      throw error("header of \(length) bytes is above the format's \(maximumHeaderLength)")
    }
    guard length <= UInt64(size - 8) else {
      throw error("truncated: header of \(length) bytes in a file of \(size)")
    }
    let start = 8 + Int(length)
    let text = UnsafeRawBufferPointer(rebasing: bytes[8..<start])
    guard text.first == UInt8(ascii: "{") else { throw error("header does not begin with '{'") }

    var header = Header()
    var spans: [Span] = []
    var reader = JSONReader(text, path: path)
    try reader.object { reader, name in
      if name == metadataKey {
        // What the format's own reader takes for none.
        if reader.null() { return }
        try reader.object { reader, key in header.metadata[key] = try reader.string() }
      } else {
        let span = try Self.span(&reader, name: name, path: path, start: start)
        spans.append(span)
        if span.info == nil {
          header.unreadable.append(UnreadableTensor(name, "unknown dtype \(span.typeName.quoted)"))
        }
      }
    }
    try reader.end()

    spans.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var position = 0
    for span in spans {
      let offset = span.range.lowerBound
      guard offset >= position else {
        throw error(
          "tensor \(span.name.quoted) at offset \(offset) overlaps the one before, up to \(position)")
      }
      guard offset == position else {
        throw error("\(offset - position) bytes before tensor \(span.name.quoted) belong to no tensor")
      }
      position = span.range.upperBound
      if position > size - start {
        header.truncated.append(span.name)
      } else if let info = span.info {
        header.tensors.append(info)
      }
    }
    let (end, overflow) = start.addingReportingOverflow(position)
    guard !overflow else { throw error("the tensors have more bytes than fit 64 bits") }
    guard end >= size else { throw error("the last \(size - end) bytes belong to no tensor") }
    header.fileSize = end
    return header
  }

  /// The tensors and the metadata of a whole file.
  static func content(of file: FileBytes) throws -> FileContent {
    let size = file.bytes.count
    let header = try read(file.bytes, size: size, path: file.path)
    if let reason = header.lack(size) { throw TensorFileError(file.path, reason) }
    return FileContent(
      tensors: header.tensors, sources: [.file(file)], unreadable: header.unreadable,
      metadata: header.metadata)
  }

  /// One tensor's place in the data, and what is there; nil where its dtype is not known.
  private struct Span {
    let name: String
    let typeName: String
    let range: Range<Int>
    let info: TensorInfo?
  }

  private static func span(_ reader: inout JSONReader, name: String, path: String, start: Int) throws -> Span
  {
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
    guard offsets.count == 2 else { throw error("data_offsets \(offsets) are not two numbers") }
    guard offsets[0] <= offsets[1] else { throw error("data_offsets \(offsets) run backwards") }
    let range = offsets[0]..<offsets[1]
    guard let type = types[typeName] else {
      return Span(name: name, typeName: typeName, range: range, info: nil)
    }
    let extent = try TensorExtent(shape, type, reason: error)
    guard extent.byteCount == range.count else {
      throw error(
        "shape \(shape) of \(type) needs \(extent.byteCount) bytes, data_offsets \(offsets) give \(range.count)"
      )
    }
    let (place, overflow) = start.addingReportingOverflow(range.lowerBound)
    guard !overflow else { throw error("data_offsets \(offsets) are beyond 64 bits") }
    let info = TensorInfo(
      name: name, elementType: type, shape: shape, extent: extent, byteOffset: place,
      isByteSwapped: 1.bigEndian == 1)
    return Span(name: name, typeName: typeName, range: range, info: info)
  }
}

extension SafeTensors.Header {
  /// What a file of `size` bytes lacks; nil for nothing.
  func lack(_ size: Int) -> String? {
    if size >= fileSize { return nil }
    return
      "truncated: \(fileSize - size) of its \(fileSize) bytes lack, and with them \(truncated.listed("tensor"))"
  }
}

extension [String] {
  /// `tensor 'a'`, or `12 tensors, 'a', 'b', …`.
  func listed(_ what: String) -> String {
    if count == 1 { return "\(what) \(self[0].quoted)" }
    let shown = 5
    let names = prefix(shown).map(\.quoted).joined(separator: ", ")
    return "\(count) \(what)s: \(names)\(count > shown ? ", and \(count - shown) more" : "")"
  }
}
