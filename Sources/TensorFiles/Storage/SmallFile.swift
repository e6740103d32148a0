import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file of settings, read whole.
package enum SmallFile {
  /// All bytes of the regular file at `path`, of at most `limit`; what is `kept` no output may replace.
  package static func bytes(_ path: FilePath, limit: Int = 16 << 20, kept: Bool = true) throws -> [UInt8] {
    if path.isEmpty { throw TensorFileError("''", "names no file") }
    // Without O_NONBLOCK opening a pipe would wait for its writer.
    let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { throw TensorFileError(path.label, "cannot open: \(systemMessage())") }
    defer { close(descriptor) }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else {
      throw TensorFileError(path.label, "cannot read: \(systemMessage())")
    }
    guard information.isRegular else {
      throw TensorFileError(path.label, "is \(information.kind), not a file")
    }
    if kept { OpenedFiles.insert(descriptor: descriptor, path.label) }
    var out: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let n = read(descriptor, &buffer, buffer.count)
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw TensorFileError(path.label, "cannot read: \(systemMessage())") }
      if n == 0 { return out }
      out += buffer[..<n]
      if out.count > limit { throw TensorFileError(path.label, "is larger than \(limit) bytes") }
    }
  }
}
