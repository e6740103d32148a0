#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file that appears under its name whole or not at all: written beside it, then renamed.
final class AtomicFile {
  /// The name in messages.
  let path: String
  private let target: String
  private let temporary: String
  private var descriptor: Int32

  /// Opens a new file in the folder of `path`. What is at `path` must be a regular file or nothing.
  init(_ path: String) throws {
    guard !path.utf8.contains(0) else { throw TensorFileError(path, "a path cannot contain NUL") }
    // A link stays a link: what it leads to is replaced.
    var target = path
    if let resolved = realpath(path, nil) {
      target = String(cString: resolved)
      free(resolved)
    }
    let existing = status(ofPath: target)
    if let existing, !existing.isRegular {
      throw TensorFileError(path, "is \(existing.kind), it cannot be replaced by a file")
    }
    let slash = target.lastIndex(of: "/")
    let folder = slash.map { String(target[...$0]) } ?? ""
    let base = slash.map { String(target[target.index(after: $0)...]) } ?? target
    guard !base.isEmpty else { throw TensorFileError(path, "names no file") }
    self.path = path
    self.target = target
    let random = String(UInt64.random(in: 0 ... .max), radix: 36)
    // A file name may have 255 bytes; the base is there for people only.
    temporary = "\(folder).\(String(base.unicodeScalars.prefix(40))).\(random).tmp"
    let mode = existing.map { $0.st_mode & 0o777 } ?? 0o666
    descriptor = UnfinishedFiles.open(temporary, mode: mode)
    guard descriptor >= 0 else { throw TensorFileError(path, "cannot write: \(systemMessage())") }
    // What was there keeps its permissions, whatever the process's mask.
    if existing != nil { fchmod(descriptor, mode) }
  }

  deinit { discard() }

  /// Writes `bytes` at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if written < 0 {
        if errno == EINTR { continue }
        throw TensorFileError(path, "cannot write at byte \(offset + done): \(systemMessage())")
      }
      done += written
    }
  }

  /// Puts the file under its name.
  func commit() throws {
    // Without this a crash could leave the new name with old, empty blocks.
    guard fsync(descriptor) == 0 else { throw TensorFileError(path, "cannot write: \(systemMessage())") }
    guard close(descriptor) == 0 else {
      descriptor = -1
      let message = systemMessage()
      remove()
      throw TensorFileError(path, "cannot write: \(message)")
    }
    descriptor = -1
    guard rename(temporary, target) == 0 else {
      let message = systemMessage()
      remove()
      throw TensorFileError(path, "cannot write: \(message)")
    }
    UnfinishedFiles.forget(temporary)
  }

  /// Removes what was written; nothing after `commit`.
  func discard() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    remove()
  }

  private func remove() {
    unlink(temporary)
    UnfinishedFiles.forget(temporary)
  }
}
