import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file that appears under its name whole or not at all: written without a name where the system has that, beside it otherwise; then
/// renamed.
final class AtomicFile {
  /// The name in messages.
  let path: String
  /// Where it will be.
  let place: OutputPlace
  private let temporary: FilePath
  /// What was at the target, while files are put in their places together.
  private var backup: FilePath?
  private var descriptor: Int32
  /// Whether `temporary` is there.
  private var isNamed = false
  private var state = State.open

  private enum State {
    case open, closed, inPlace, gone
  }

  /// Opens a new file in the folder of `path`. What is at `path` must be a regular file that may be written, or nothing.
  init(_ path: FilePath) throws {
    self.path = path.label
    place = try OutputPlace(path)
    temporary = Self.beside(place.target, "tmp")
    let mode = place.mode ?? 0o666
    descriptor = UnfinishedFiles.openNameless(in: OutputPlace.folder(of: place.target), mode: mode)
    if descriptor < 0 {
      descriptor = UnfinishedFiles.open(temporary, mode: mode)
      isNamed = true
    }
    guard descriptor >= 0 else { throw TensorFileError(path.label, "cannot write: \(systemMessage())") }
    // What was there keeps its permissions, whatever the process's mask.
    if let mode = place.mode { fchmod(descriptor, mode) }
  }

  deinit { discard() }

  /// A hidden name in the same folder that nobody has.
  private static func beside(_ target: FilePath, _ suffix: String) -> FilePath {
    let random = String(UInt64.random(in: 0 ... .max), radix: 36)
    // A file name may have 255 bytes; the base is there for people only.
    let base = (target.lastComponent.map { FilePath(root: nil, [$0]).bytes } ?? []).prefix(100)
    let name = Array(".".utf8) + base + Array(".\(random).\(suffix)".utf8)
    return FilePath(bytes: OutputPlace.folder(of: target).bytes + Array("/".utf8) + name)
  }

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

  /// Ends writing, with all of it on its disk: from here on only its name is missing.
  func close() throws {
    guard state == .open else { return }
    // Without this a crash could leave the new name with old, empty blocks.
    let isSynced = fsync(descriptor) == 0
    let code = errno
    // What has no name lives by its descriptor.
    let isClosed = isNamed ? release() : true
    state = .closed
    guard isSynced, isClosed else {
      throw TensorFileError(path, "cannot write: \(systemMessage(isSynced ? errno : code))")
    }
  }

  /// Closes the descriptor; false, and `errno`, where that fails.
  private func release() -> Bool {
    defer { descriptor = -1 }
    #if canImport(Darwin)
      return Darwin.close(descriptor) == 0
    #elseif canImport(Glibc)
      return Glibc.close(descriptor) == 0
    #elseif canImport(Musl)
      return Musl.close(descriptor) == 0
    #endif
  }

  /// Puts the file under its name, and keeps what was there for `restore`.
  func rename(keepingBackup: Bool) throws {
    try UnfinishedFiles.changing {
      if keepingBackup && place.mode != nil { keep() }
      if !isNamed {
        isNamed = UnfinishedFiles.name(descriptor, temporary)
        guard isNamed, release() else { throw TensorFileError(path, "cannot write: \(systemMessage())") }
      }
      let failed = temporary.withPlatformString { from in
        place.target.withPlatformString { to in
          #if canImport(Darwin)
            Darwin.rename(from, to)
          #elseif canImport(Glibc)
            Glibc.rename(from, to)
          #elseif canImport(Musl)
            Musl.rename(from, to)
          #endif
        }
      }
      if failed != 0 {
        let message = systemMessage()
        throw TensorFileError(path, "cannot write: \(message)")
      }
      UnfinishedFiles.forget(temporary)
      state = .inPlace
    }
  }

  /// A second name for what is at the target; without one, where the file system has none, there is nothing to restore.
  private func keep() {
    let backup = Self.beside(place.target, "old")
    guard UnfinishedFiles.add(backup) else { return }
    let failed = place.target.withPlatformString { from in backup.withPlatformString { link(from, $0) } }
    if failed == 0 { self.backup = backup } else { UnfinishedFiles.forget(backup) }
  }

  /// Takes back what `rename` did.
  func restore() {
    guard state == .inPlace else { return }
    state = .gone
    UnfinishedFiles.changing {
      if let backup {
        _ = backup.withPlatformString { from in
          place.target.withPlatformString { to in
            #if canImport(Darwin)
              Darwin.rename(from, to)
            #elseif canImport(Glibc)
              Glibc.rename(from, to)
            #elseif canImport(Musl)
              Musl.rename(from, to)
            #endif
          }
        }
        UnfinishedFiles.forget(backup)
        self.backup = nil
      } else if place.mode == nil {
        _ = place.target.withPlatformString { unlink($0) }
      }
    }
  }

  /// Ends it: removes what was written but is not in its place, and the backup of what was there.
  func discard() {
    if let backup { UnfinishedFiles.remove(backup) }
    backup = nil
    guard state == .open || state == .closed else { return }
    if descriptor >= 0 { _ = release() }
    state = .gone
    if isNamed { UnfinishedFiles.remove(temporary) }
  }
}

/// A file that is being written and is not under its name yet.
public protocol UnfinishedFile: AnyObject {
  /// Where it will be.
  var path: String { get }
  /// Writes what is left, so that only the name is missing; throws where something is.
  func prepare() throws
  /// Removes it; nothing once it is in its place.
  func discard()
}

/// What there is to put in place.
protocol UnfinishedContent: UnfinishedFile {
  var file: AtomicFile { get }
}

extension UnfinishedContent {
  public func discard() { file.discard() }
}

extension UnfinishedFile {
  /// Where it will be.
  package var place: OutputPlace? { (self as? any UnfinishedContent)?.file.place }

  /// Puts the file under its name. Throws, and leaves no file, where that cannot be.
  public func finish() throws { try UnfinishedFiles.finish([self]) }
}

extension UnfinishedFiles {
  /// Puts all of `files` under their names, or none.
  public static func finish(_ files: [any UnfinishedFile]) throws {
    let all = files.compactMap { $0 as? any UnfinishedContent }
    var placed: [AtomicFile] = []
    do {
      for file in all { try file.prepare() }
      for content in all {
        try content.file.rename(keepingBackup: all.count > 1)
        placed.append(content.file)
      }
    } catch {
      for file in placed.reversed() { file.restore() }
      for file in all { file.discard() }
      throw error
    }
    for file in all { file.discard() }
  }
}
