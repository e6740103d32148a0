import Synchronization
import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a file: mapped, or (for standard input) held.
///
/// Mapped pages count as resident memory as soon as they are read. Readers therefore report what they read, and
/// after every `window` of it the mapping gives its pages back; reading them again only faults them in from the
/// page cache. A file that another process cuts short while it is mapped ends this one with SIGBUS, as any mapping does;
/// the command says so in a line.
final class FileBytes: @unchecked Sendable {
  /// The file's name in messages.
  let path: String
  /// All of the file.
  let bytes: UnsafeRawBufferPointer
  /// Whether it is a file's own bytes, which can also be read.
  let isMapped: Bool
  /// Of a mapped file; else -1.
  private let descriptor: Int32
  private let readSinceRelease = Atomic<Int>(0)

  /// How much may be read before pages are given back.
  static let window = 8 << 20

  private init(path: String, bytes: UnsafeRawBufferPointer, descriptor: Int32 = -1) {
    self.path = path
    self.bytes = bytes
    self.descriptor = descriptor
    isMapped = descriptor >= 0
  }

  deinit {
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
      close(descriptor)
    } else {
      free(UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
  }

  /// Maps the regular, non-empty file at `path`.
  static func map(_ path: FilePath) throws -> FileBytes {
    if path.isEmpty { throw TensorFileError("''", "names no file") }
    // Without O_NONBLOCK opening a pipe would wait for its writer.
    let descriptor = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { throw TensorFileError(path.label, "cannot open: \(systemMessage())") }
    return try map(owned: descriptor, path.label)
  }

  /// Maps what `descriptor` has open, and closes it in the end.
  static func map(owned descriptor: Int32, _ path: String) throws -> FileBytes {
    do {
      let bytes = try mapping(of: descriptor, path)
      OpenedFiles.insert(descriptor: descriptor, path)
      return FileBytes(path: path, bytes: bytes, descriptor: descriptor)
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func mapping(of descriptor: Int32, _ path: String) throws -> UnsafeRawBufferPointer {
    var information = stat()
    guard fstat(descriptor, &information) == 0 else {
      throw TensorFileError(path, "cannot open: \(systemMessage())")
    }
    guard information.isRegular else {
      throw TensorFileError(path, "is \(information.kind), not a regular file")
    }
    guard let size = Int(exactly: information.st_size), size > 0 else {
      throw TensorFileError(path, "is empty")
    }
    let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw TensorFileError(path, "cannot map \(size) bytes: \(systemMessage())")
    }
    return UnsafeRawBufferPointer(start: address, count: size)
  }

  /// Memory for `count` bytes, at least 1, that `fill` writes all of.
  static func make(_ count: Int, path: String, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) throws
    -> FileBytes
  {
    do { try Memory.require(count, for: "it") } catch { throw TensorFileError(path, "\(error)") }
    guard let memory = malloc(count) else { throw TensorFileError(path, "no memory for \(count) bytes") }
    do { try fill(UnsafeMutableRawBufferPointer(start: memory, count: count)) } catch {
      free(memory)
      throw error
    }
    return FileBytes(path: path, bytes: UnsafeRawBufferPointer(start: memory, count: count))
  }

  /// The same in memory that is the caller's until now, from `malloc`.
  static func take(_ memory: UnsafeMutableRawPointer, _ count: Int, path: String) -> FileBytes {
    FileBytes(path: path, bytes: UnsafeRawBufferPointer(start: memory, count: count))
  }

  /// Copies `bytes`, for files that are already in memory.
  static func copy(_ bytes: UnsafeRawBufferPointer, path: String) throws -> FileBytes {
    guard bytes.count > 0 else { throw TensorFileError(path, "is empty") }
    return try make(bytes.count, path: path) { $0.copyMemory(from: bytes) }
  }

  /// The bytes from `offset` on, copied into all of `buffer`: from a file by reading it, which costs half of faulting its
  /// pages in and leaves none behind. Both ends must lie in the file as it was opened.
  func copy(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    var done = 0
    while isMapped, done < buffer.count {
      let got = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(offset + done))
      if got > 0 {
        done += got
      } else if got == 0 {
        throw TensorFileError(path, "was cut short while it was read")
      } else if errno != EINTR {
        throw TensorFileError(path, "cannot read: \(systemMessage())")
      }
    }
    if !isMapped {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + buffer.count]))
    }
  }

  /// Says that about `byteCount` bytes of the mapping were read, and gives its pages back when due.
  func noteRead(_ byteCount: Int) {
    // Only a file's own pages may go: anonymous memory would come back as zeros.
    guard isMapped, bytes.count > 2 * Self.window else { return }
    if readSinceRelease.add(byteCount, ordering: .relaxed).newValue >= Self.window {
      readSinceRelease.store(0, ordering: .relaxed)
      madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED)
    }
  }
}
