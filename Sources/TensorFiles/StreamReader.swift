#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reads a tensor file from a pipe, into memory. What is none is refused by its first bytes; what says its own size is read
/// no further than one byte beyond; the rest up to what memory there is.
struct StreamReader {
  let descriptor: Int32
  let path: String

  /// Reads to the end.
  func read() throws -> FileBytes {
    var capacity = 1 << 16
    // Room for the copy that growing makes.
    let limit = Memory.available / 3
    guard var memory = malloc(capacity) else {
      throw TensorFileError(path, "no memory for \(capacity) bytes")
    }
    var count = 0
    var expected: Expected = .unknown
    do {
      while true {
        let got = try read(
          into: UnsafeMutableRawBufferPointer(start: memory + count, count: capacity - count))
        if got == 0 { break }
        count += got
        let bytes = UnsafeRawBufferPointer(start: memory, count: count)
        if case .unknown = expected { expected = try TensorFile.expectedSize(of: bytes, path: path) }
        if case .bytes(let size) = expected, count > size {
          throw TensorFileError(path, "bytes follow the \(size) that its header speaks of")
        }
        guard count == capacity else { continue }
        guard capacity <= limit / 2 else {
          throw TensorFileError(
            path, "more than \(OutOfMemory.size(capacity)) come, and what cannot be mapped is held in memory")
        }
        capacity *= 2
        guard let larger = realloc(memory, capacity) else {
          throw TensorFileError(path, "no memory for \(capacity) bytes")
        }
        memory = larger
      }
      if count == 0 { throw TensorFileError(path, "is empty") }
    } catch {
      free(memory)
      throw error
    }
    return FileBytes.take(memory, count, path: path)
  }

  /// What the first bytes say of the whole.
  enum Expected {
    /// Not enough of them yet.
    case unknown
    /// Nothing.
    case open
    /// Its size.
    case bytes(Int)
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      #if canImport(Darwin)
        let got = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
      #elseif canImport(Glibc)
        let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      #elseif canImport(Musl)
        let got = Musl.read(descriptor, buffer.baseAddress, buffer.count)
      #endif
      if got >= 0 { return got }
      if errno == EAGAIN {
        // Somebody else's end made it non-blocking.
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&wait, 1, -1)
      } else if errno != EINTR {
        throw TensorFileError(path, "cannot read: \(systemMessage())")
      }
    }
  }
}
