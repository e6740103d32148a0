import CZlib
import Synchronization

/// Where the bytes of a tensor are: in the file as it is, or deflated in an entry of it.
enum ByteSource: Sendable {
  case file(FileBytes)
  case deflated(DeflatedEntry)
  case scattered(any ScatteredBytes)

  /// The name in messages.
  var path: String {
    switch self {
    case .file(let file): return file.path
    case .deflated(let entry): return entry.path
    case .scattered(let bytes): return bytes.path
    }
  }
}

/// The bytes behind a view: a deflated entry is inflated when they are first asked for, and goes with the view.
final class ViewBytes: Sendable {
  private let source: ByteSource
  private let inflated = Mutex<FileBytes?>(nil)

  init(_ source: ByteSource) { self.source = source }

  var path: String { source.path }

  /// The bytes that the tensor's offset counts in.
  func open() throws -> FileBytes {
    switch source {
    case .file(let file): return file
    case .deflated(let entry):
      return try inflated.withLock { held in
        if let held { return held }
        let made = try entry.inflate()
        held = made
        return made
      }
    case .scattered(let bytes): return try bytes.first()
    }
  }

  /// What reads them together where they lie in several places.
  var scattered: (any ScatteredBytes)? {
    if case .scattered(let bytes) = source { return bytes }
    return nil
  }
}

/// Bytes of a tensor that lie in several places.
protocol ScatteredBytes: Sendable {
  /// The name in messages.
  var path: String { get }
  /// The file that holds the first of them.
  func first() throws -> FileBytes
}

/// A deflated entry of a zip archive (RFC 1951), whose sizes and checksum the archive's directory gives.
struct DeflatedEntry: Sendable {
  let archive: FileBytes
  /// Where it lies in the archive.
  let range: Range<Int>
  /// How many bytes it is when inflated.
  let size: Int
  let checksum: UInt32
  /// The archive and the entry, for messages.
  let path: String

  /// Deflate makes nothing smaller than a 1032nd part: what claims more is no deflated stream.
  static let largestRatio = 1032

  /// All of it; throws where it is not what the directory says.
  func inflate() throws -> FileBytes {
    guard size <= Memory.product(range.count, Self.largestRatio) else {
      throw TensorFileError(path, "\(range.count) deflated bytes cannot be \(size)")
    }
    return try FileBytes.make(size, path: path) { buffer in
      let (count, consumed, ended) = try inflate(into: buffer)
      guard count == size, ended, consumed == range.count else {
        throw TensorFileError(path, "its deflated bytes are not the \(size) that the directory says")
      }
      var sum = crc32(0, nil, 0)
      for start in stride(from: 0, to: size, by: 1 << 30) {
        let part = buffer[start..<min(start + 1 << 30, size)]
        sum = crc32(
          sum, UnsafeRawBufferPointer(rebasing: part).assumingMemoryBound(to: UInt8.self).baseAddress,
          UInt32(part.count))
      }
      guard UInt32(truncatingIfNeeded: sum) == checksum else {
        throw TensorFileError(path, "its checksum is wrong")
      }
    }
  }

  /// Its first `count` bytes, or as many as there are.
  func prefix(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: min(count, size))
    let got = try bytes.withUnsafeMutableBytes { $0.isEmpty ? 0 : try inflate(into: $0).count }
    return Array(bytes[..<got])
  }

  /// Inflates until `buffer` is full or the stream ends.
  private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws -> (
    count: Int, consumed: Int, ended: Bool
  ) {
    var stream = z_stream()
    // Negative: without a header of zlib's.
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw TensorFileError(path, "no memory to inflate it")
    }
    defer { inflateEnd(&stream) }
    let input = UnsafeRawBufferPointer(rebasing: archive.bytes[range])
    var (given, taken) = (0, 0)
    var status = Z_OK
    // zlib counts in 32 bits.
    let piece = 1 << 30
    while status == Z_OK {
      if stream.avail_in == 0 {
        let n = min(piece, input.count - given)
        stream.next_in = UnsafeMutablePointer(
          mutating: input.baseAddress?.advanced(by: given).assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(n)
        given += n
      }
      if stream.avail_out == 0 {
        let n = min(piece, buffer.count - taken)
        stream.next_out = buffer.baseAddress?.advanced(by: taken).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(n)
        taken += n
      }
      status = CZlib.inflate(&stream, Z_NO_FLUSH)
      if status == Z_OK && stream.avail_out == 0 && taken == buffer.count {
        // Full; whether the stream ends here shows when there is room for one byte more.
        var extra: UInt8 = 0
        let count = buffer.count
        let probe = withUnsafeMutablePointer(to: &extra) { place -> Int32 in
          stream.next_out = place
          stream.avail_out = 1
          return CZlib.inflate(&stream, Z_NO_FLUSH)
        }
        let ended = probe == Z_STREAM_END && stream.avail_out == 1
        return (count, given - Int(stream.avail_in), ended)
      }
    }
    archive.noteRead(given)
    guard status == Z_STREAM_END || status == Z_BUF_ERROR else {
      throw TensorFileError(path, "is no deflated stream")
    }
    return (taken - Int(stream.avail_out), given - Int(stream.avail_in), status == Z_STREAM_END)
  }
}
