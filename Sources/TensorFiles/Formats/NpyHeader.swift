/// The header of an .npy file: a Python dictionary literal with the keys descr, fortran_order and shape.
///
/// Layout: magic `\x93NUMPY`, major and minor version, header length (2 bytes in version 1, else 4), the literal,
/// padding (NumPy, "numpy.lib.format").
struct NpyHeader {
  var elementType: ElementType
  var isBigEndian: Bool
  var isColumnMajor: Bool
  var shape: [Int]
  /// Bytes from the magic to the data.
  var byteCount: Int

  static let magic: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
  /// Far above any header that numbers need.
  private static let maximumLength = 1 << 20

  /// How many bytes the header at the start of `bytes` takes, magic and length and all; nil where they are too few to say.
  static func byteCount(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= 12 else { return nil }
    return bytes[6] == 1
      ? 10 + Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : 12 + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
  }

  /// The largest that is read.
  static let maximumByteCount = 12 + maximumLength

  /// Parses the header at the start of `bytes`; `path` is named in errors.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
    let available = bytes.count
    guard available >= 10 else {
      throw TensorFileError(path, "truncated: \(available) bytes are no .npy header")
    }
    guard bytes.starts(with: Self.magic) else { throw TensorFileError(path, "has no .npy magic") }
    let (major, minor) = (bytes[6], bytes[7])
    guard (1...3).contains(major), minor == 0 else {
      throw TensorFileError(path, ".npy version \(major).\(minor) is not 1.0, 2.0 or 3.0")
    }
    let prefix = major == 1 ? 10 : 12
    guard available >= prefix else {
      throw TensorFileError(path, "truncated: \(available) bytes are no .npy header")
    }
    let length =
      major == 1
      ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    guard length <= available - prefix else {
      throw TensorFileError(path, "header of \(length) bytes in \(available - prefix) that follow its length")
    }
    guard length <= Self.maximumLength else {
      throw TensorFileError(path, "header of \(length) bytes is above \(Self.maximumLength)")
    }
    var parser = PythonLiteral(UnsafeRawBufferPointer(rebasing: bytes[prefix..<prefix + length]), path: path)
    var descr: String?
    var order: Bool?
    var dimensions: [Int]?
    try parser.dictionary { parser, key in
      switch key {
      case "descr" where descr == nil: descr = try parser.descr()
      case "fortran_order" where order == nil: order = try parser.boolean()
      case "shape" where dimensions == nil: dimensions = try parser.tuple()
      case "descr", "fortran_order", "shape": throw parser.error("has \(key.quoted) twice")
      default: throw parser.error("has the unknown key \(key.quoted)")
      }
    }
    guard let descr else { throw parser.error("lacks 'descr'") }
    guard let order else { throw parser.error("lacks 'fortran_order'") }
    guard let dimensions else { throw parser.error("lacks 'shape'") }
    (elementType, isBigEndian) = try Self.type(descr, path: path)
    isColumnMajor = order
    shape = dimensions
    byteCount = prefix + length
  }

  /// The element type and byte order of a `descr`: a byte order, a kind, a size.
  private static func type(_ descr: String, path: String) throws -> (ElementType, isBigEndian: Bool) {
    var text = descr[...]
    var isBigEndian = false
    switch text.first {
    case "<", "|": text.removeFirst()
    case ">":
      isBigEndian = true
      text.removeFirst()
    case "=":
      isBigEndian = 1.bigEndian == 1
      text.removeFirst()
    default: isBigEndian = 1.bigEndian == 1
    }
    guard let type = types[String(text)] else {
      throw TensorFileError(
        path, "dtype \(descr.quoted) is not a float of 2, 4, 8 bytes, an integer or bool\(hint(text))")
    }
    return (type, isBigEndian)
  }

  /// What to do about a type without its byte order. NumPy keeps no name of types that are not its own: bfloat16 comes as V2,
  /// most of 8 bits and less as V1.
  private static func hint(_ text: Substring) -> String {
    let safetensors = "save it as .safetensors, which can say so"
    switch text {
    case "V2": return "; .npy cannot say bfloat16, if it is that: \(safetensors)"
    case "V1": return "; .npy cannot say which fp8, fp6 or fp4 it is: \(safetensors)"
    case "g2", "bfloat16", "bf16": return "; .npy cannot say bfloat16: \(safetensors)"
    case "float8_e4m3fn", "float8_e5m2", "float8_e4m3", "e4m3", "e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz":
      return "; .npy cannot say \(text): \(safetensors)"
    default: break
    }
    switch text.first {
    case "O": return "; Python objects cannot be read"
    case "V": return "; raw bytes have no numbers: say what they are, as .safetensors can"
    case "c": return "; split complex numbers into real and imaginary parts"
    case "f": return "; convert it with .astype('<f8')"
    case "M", "m": return "; times are no numbers"
    case "S", "U", "a": return "; text is no numbers"
    default: return ""
    }
  }

  private static let types: [String: ElementType] = [
    "f2": .f16, "f4": .f32, "f8": .f64, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64, "b1": .bool, "?": .bool,
    // Of the 8 bit floats that NumPy can be taught only this one is of kind 'f' (ml_dtypes).
    "f1": .small(.f8e5m2),
  ]

  /// The `descr` that little-endian elements of `type` are written with; nil where .npy has none.
  static func descr(_ type: ElementType) -> String? {
    guard type != .bool else { return "|b1" }
    // NumPy alone does not read it.
    guard type != .small(.f8e5m2) else { return nil }
    guard let code = types.first(where: { $0.value == type })?.key else { return nil }
    return (type.unit.bytes == 1 ? "|" : "<") + code
  }
}

/// The tensor of the .npy file that fills `range`, under `name`.
func npyTensor(_ file: FileBytes, _ range: Range<Int>, name: String, path: String) throws -> TensorInfo {
  let header = try NpyHeader(UnsafeRawBufferPointer(rebasing: file.bytes[range]), path: path)
  return try npyTensor(header, available: range.count, name: name, path: path, at: range.lowerBound)
}

/// The tensor of an .npy file that is deflated; only its header is inflated.
func npyTensor(_ entry: DeflatedEntry, name: String) throws -> TensorInfo {
  let start = try entry.prefix(12)
  let length = start.withUnsafeBytes(NpyHeader.byteCount) ?? start.count
  let head = try entry.prefix(min(length, NpyHeader.maximumByteCount))
  let header = try head.withUnsafeBytes { try NpyHeader($0, path: entry.path) }
  return try npyTensor(header, available: entry.size, name: name, path: entry.path, at: 0)
}

/// The tensor of `header`, in an .npy file of `available` bytes from `start` on.
private func npyTensor(
  _ header: NpyHeader, available: Int, name: String, path: String, at start: Int
) throws -> TensorInfo {
  let extent = try TensorExtent(header.shape, header.elementType) { TensorFileError(path, $0) }
  let available = available - header.byteCount
  guard extent.byteCount <= available else {
    throw TensorFileError(
      path,
      "truncated: shape \(header.shape) of \(header.elementType) needs \(extent.byteCount) bytes, \(available) are there"
    )
  }
  guard extent.byteCount == available else {
    throw TensorFileError(
      path,
      "\(available - extent.byteCount) bytes follow the \(extent.byteCount) of shape \(header.shape) of \(header.elementType)"
    )
  }
  return TensorInfo(
    name: name, elementType: header.elementType, shape: header.shape,
    order: header.isColumnMajor ? .columnMajor : .rowMajor, extent: extent,
    byteOffset: start + header.byteCount,
    isByteSwapped: header.elementType.unit.bytes > 1 && header.isBigEndian != (1.bigEndian == 1))
}
