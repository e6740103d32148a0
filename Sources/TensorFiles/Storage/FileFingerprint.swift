#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What tells a file's content from another's without reading all of it: its size, and FNV-1a of 64 bits over that and 64 pages, evenly
/// spread, the first and the last among them. Files of up to 256 KiB are read whole.
package struct FileFingerprint: Sendable, Hashable {
  /// Its path in messages.
  package let path: String
  package let bytes: Int
  /// 16 hexadecimal digits.
  package let fingerprint: String

  private static let page = 4096
  private static let pages = 64

  /// Of what is open as `descriptor`; nil where it cannot be read from any place.
  init?(descriptor: Int32, _ path: String) {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size >= 0 else { return nil }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for k in 0..<8 { add(UInt8(truncatingIfNeeded: size >> (8 * k))) }
    var buffer = [UInt8](repeating: 0, count: Self.page)
    let count = min(Self.pages, (size + Self.page - 1) / Self.page)
    let last = max(size - Self.page, 0)
    for k in 0..<count {
      // Small files page by page; of larger ones some, from the beginning to the end.
      let place =
        size <= Self.pages * Self.page ? k * Self.page : k == count - 1 ? last : last / (count - 1) * k
      let read = pread(descriptor, &buffer, buffer.count, off_t(place))
      guard read >= 0 else { return nil }
      for byte in buffer[..<read] { add(byte) }
    }
    let digits = String(hash, radix: 16)
    (self.path, bytes) = (path, size)
    fingerprint = String(repeating: "0", count: 16 - digits.count) + digits
  }
}
