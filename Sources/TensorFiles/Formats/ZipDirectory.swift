/// The entries of a zip archive, from its central directory (PKWARE APPNOTE 6.3, with ZIP64).
struct ZipDirectory {
  /// One file.
  struct Entry {
    let name: String
    /// Its bytes in the archive.
    let range: Range<Int>
    /// How many bytes it is when inflated; nil where it is stored as it is.
    let inflatedSize: Int?
    let checksum: UInt32
  }

  /// Those whose name ends in `.npy`, without that.
  let entries: [Entry]
  /// Those of them that cannot be read, and why.
  let refused: [UnreadableTensor]

  private static let endSize = 22
  private static let centralSize = 46

  init(_ file: FileBytes) throws {
    let bytes = file.bytes
    func error(_ reason: String) -> TensorFileError { TensorFileError(file.path, reason) }
    func field16(_ offset: Int) -> Int {
      Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
    func field32(_ offset: Int) -> UInt64 {
      UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    func field64(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    // The end record is last but for a comment of at most 65535 bytes, whose length it states.
    let lowest = max(0, bytes.count - Self.endSize - 0xffff)
    var end = bytes.count - Self.endSize
    while end >= lowest, field32(end) != 0x0605_4b50 || end + Self.endSize + field16(end + 20) != bytes.count
    {
      end -= 1
    }
    guard end >= lowest else { throw error("truncated: the zip archive has no end record") }
    var count = UInt64(field16(end + 10))
    var size = field32(end + 12)
    var start = field32(end + 16)
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
      guard end >= 20, field32(end - 20) == 0x0706_4b50 else {
        throw error("zip archive lacks its ZIP64 locator")
      }
      guard let record = Int(exactly: field64(end - 12)), record <= end - 76, field32(record) == 0x0606_4b50
      else {
        throw error("zip archive's ZIP64 end record is not where its locator says")
      }
      (count, size, start) = (field64(record + 32), field64(record + 40), field64(record + 48))
    }
    guard size <= UInt64(end), start <= UInt64(end) - size else {
      throw error(
        "zip directory at byte \(start) of \(size) bytes lies outside the \(bytes.count) of the file")
    }
    guard count <= size / UInt64(Self.centralSize) else {
      throw error("zip directory of \(size) bytes cannot hold \(count) entries")
    }

    var cursor = ByteCursor(file, Int(start)..<Int(start + size))
    var entries: [Entry] = []
    var refused: [UnreadableTensor] = []
    var names: Set<Spelling> = []
    for _ in 0..<count {
      let head = cursor.offset
      let fixed = try cursor.take(Self.centralSize, "zip directory entry")
      guard field32(head) == 0x0201_4b50 else { throw error("no zip directory entry at byte \(head)") }
      let flags = fixed.loadUnaligned(fromByteOffset: 8, as: UInt16.self).littleEndian
      let method = field16(head + 10)
      guard let name = validatedText(try cursor.take(field16(head + 28), "zip entry name")),
        !name.utf8.contains(0)
      else { throw error("zip entry at byte \(head) has a name that is not valid UTF-8") }
      let extra = try cursor.take(field16(head + 30), "zip extra field")
      _ = try cursor.take(field16(head + 32), "zip entry comment")
      guard name.hasSuffix(".npy") else { continue }
      guard names.insert(Spelling(name)).inserted else { throw error("has the entry \(name.quoted) twice") }
      let tensor = String(name.dropLast(4))
      if flags & 1 != 0 {
        refused.append(UnreadableTensor(tensor, "its entry is encrypted"))
        continue
      }
      guard method == 0 || method == 8 else {
        refused.append(
          UnreadableTensor(
            tensor,
            "its entry is compressed by zip method \(method); stored (0) and deflated (8) ones are read"))
        continue
      }

      // Each field that reads as all ones stands in the ZIP64 extra field instead, in this order.
      var wide = [field32(head + 24), field32(head + 20), field32(head + 42)]
      if wide.contains(0xffff_ffff) {
        var values = Self.zip64(extra)[...]
        for i in wide.indices where wide[i] == 0xffff_ffff {
          guard let value = values.popFirst() else {
            throw error("entry \(name.quoted) lacks its ZIP64 sizes")
          }
          wide[i] = value
        }
      }
      let (plain, packed, offset) = (wide[0], wide[1], wide[2])
      guard plain == packed || method != 0, let inflated = Int(exactly: plain) else {
        throw error("stored entry \(name.quoted) has sizes \(plain) and \(packed), which differ")
      }
      guard offset <= start, start - offset >= 30, field32(Int(offset)) == 0x0403_4b50 else {
        throw error("entry \(name.quoted) has no local header at byte \(offset)")
      }
      let local = Int(offset)
      let nameLength = field16(local + 26)
      let data = local + 30 + nameLength + field16(local + 28)
      guard data <= Int(start), packed <= start - UInt64(data) else {
        throw error("truncated: entry \(name.quoted) needs \(packed) bytes at byte \(data), before \(start)")
      }
      guard bytes[(local + 30)..<(local + 30 + nameLength)].elementsEqual(name.utf8) else {
        throw error("entry \(name.quoted) has another name in its local header")
      }
      entries.append(
        Entry(
          name: tensor, range: data..<data + Int(packed), inflatedSize: method == 0 ? nil : inflated,
          checksum: UInt32(field32(head + 16))))
    }
    let sorted = entries.sorted { $0.range.lowerBound < $1.range.lowerBound }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.range.upperBound > b.range.lowerBound {
      throw error("entries \(a.name.quoted) and \(b.name.quoted) overlap")
    }
    self.entries = entries
    self.refused = refused
  }

  /// The 64 bit values of the ZIP64 extra field (id 1), if there is one.
  private static func zip64(_ extra: UnsafeRawBufferPointer) -> [UInt64] {
    var position = 0
    while position + 4 <= extra.count {
      let id = UInt16(littleEndian: extra.loadUnaligned(fromByteOffset: position, as: UInt16.self))
      let size = Int(UInt16(littleEndian: extra.loadUnaligned(fromByteOffset: position + 2, as: UInt16.self)))
      position += 4
      guard position + size <= extra.count else { return [] }
      if id == 1 {
        return stride(from: position, through: position + size - 8, by: 8).map {
          UInt64(littleEndian: extra.loadUnaligned(fromByteOffset: $0, as: UInt64.self))
        }
      }
      position += size
    }
    return []
  }
}

/// The tensors of an .npz file: a zip archive with one .npy file for each, stored or deflated; and those that cannot be read.
func npzContent(_ file: FileBytes) throws -> FileContent {
  let directory = try ZipDirectory(file)
  var content = FileContent(unreadable: directory.refused)
  for entry in directory.entries {
    let path = "\(file.path), entry \((entry.name + ".npy").quoted)"
    do {
      if let size = entry.inflatedSize {
        let deflated = DeflatedEntry(
          archive: file, range: entry.range, size: size, checksum: entry.checksum, path: path)
        content.tensors.append(try npyTensor(deflated, name: entry.name))
        content.sources.append(.deflated(deflated))
      } else {
        content.tensors.append(try npyTensor(file, entry.range, name: entry.name, path: path))
        content.sources.append(.file(file))
      }
    } catch let error as TensorFileError {
      content.unreadable.append(UnreadableTensor(entry.name, error.reason))
    }
  }
  return content
}
