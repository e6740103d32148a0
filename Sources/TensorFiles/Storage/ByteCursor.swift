/// Reads little-endian fields of a file's bytes one after another; every read is checked against the end.
struct ByteCursor {
  let file: FileBytes
  /// Where the next field begins, from the start of the file.
  private(set) var offset: Int
  /// Where reading must stop.
  let end: Int

  /// `range` must lie in the file.
  init(_ file: FileBytes, _ range: Range<Int>) {
    self.file = file
    offset = range.lowerBound
    end = range.upperBound
  }

  /// Bytes left.
  var remaining: Int { end - offset }

  /// The next integer; `what` names it in the error when the file ends before.
  mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ what: StaticString) throws -> T {
    let field = try take(MemoryLayout<T>.size, what)
    return T(littleEndian: field.loadUnaligned(as: T.self))
  }

  /// The next `count` bytes.
  mutating func take(_ count: Int, _ what: StaticString) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw TensorFileError(
        file.path, "truncated: \(what) needs \(count) bytes at byte \(offset), \(remaining) are left")
    }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: file.bytes[offset..<offset + count])
  }

  /// Passes over `count` items of `size` bytes.
  mutating func skip(_ count: UInt64, of size: Int, _ what: StaticString) throws {
    guard count <= UInt64(remaining / size) else {
      throw TensorFileError(
        file.path,
        "truncated: \(what) needs \(count) × \(size) bytes at byte \(offset), \(remaining) are left")
    }
    offset += Int(count) * size
  }
}

/// `bytes` as text, or nil where they are not valid UTF-8.
func validatedText(_ bytes: UnsafeRawBufferPointer) -> String? {
  bytes.isEmpty ? "" : String(validating: bytes, as: UTF8.self)
}
