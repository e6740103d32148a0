import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where a file that is to be written goes, and what is there now. A link stays a link: what it leads to is written, also
/// where that is not there yet.
package struct OutputPlace {
  /// What will be written: no link.
  package let target: FilePath
  /// The permissions of the file that is there; nil where there is none.
  let mode: mode_t?
  /// Which file is there, or in which folder which name will be.
  package let identity: Identity

  package enum Identity: Hashable, Sendable {
    case file(FileIdentity)
    case name([UInt8], folder: FileIdentity)
  }

  /// Throws where no file can be put there.
  package init(_ path: FilePath) throws {
    let label = path.label
    guard !path.isEmpty else { throw TensorFileError(label, "names no file") }
    target = try Self.followed(path)
    guard target.lastComponent?.kind == .regular, let name = target.lastComponent else {
      throw TensorFileError(label, "names no file")
    }
    if let existing = status(ofPath: target) {
      guard existing.isRegular else {
        throw TensorFileError(label, "is \(existing.kind), it cannot be replaced by a file")
      }
      // Renaming over it would not mind.
      guard existing.st_mode & 0o222 != 0, target.withPlatformString({ access($0, W_OK) }) == 0 else {
        throw TensorFileError(label, "is read-only")
      }
      mode = existing.st_mode & 0o777
      guard let identity = FileIdentity(target) else {
        throw TensorFileError(label, "cannot write: it is gone")
      }
      self.identity = .file(identity)
      return
    }
    // What cannot be looked up cannot be made: a name that is too long, a folder that is none.
    guard errno == ENOENT, let folder = FileIdentity(Self.folder(of: target)) else {
      throw TensorFileError(label, "cannot write: \(systemMessage())")
    }
    mode = nil
    identity = .name(FilePath(root: nil, [name]).bytes, folder: folder)
  }

  static func folder(of path: FilePath) -> FilePath {
    let folder = path.removingLastComponent()
    return folder.isEmpty ? "." : folder
  }

  /// `path` with its last component's links followed, as far as they lead.
  private static func followed(_ path: FilePath) throws -> FilePath {
    var place = path
    // As many as the system follows.
    for _ in 0..<40 {
      var information = stat()
      guard place.withPlatformString({ lstat($0, &information) }) == 0,
        information.st_mode & S_IFMT == S_IFLNK
      else { return place }
      var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      let length = place.withPlatformString { readlink($0, &bytes, Int(PATH_MAX)) }
      guard length > 0 else { throw TensorFileError(path.label, "cannot write: \(systemMessage())") }
      let next = FilePath(bytes: bytes[..<length].map { UInt8(bitPattern: $0) })
      place = next.isAbsolute ? next : folder(of: place).appending(next.components)
    }
    throw TensorFileError(path.label, "cannot write: \(systemMessage(ELOOP))")
  }
}
