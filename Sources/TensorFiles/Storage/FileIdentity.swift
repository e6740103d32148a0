import Synchronization
import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which file it is, whatever the names it goes by: links, mounts and descriptors of one file have one identity.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64

  private init(_ information: stat) {
    device = UInt64(truncatingIfNeeded: information.st_dev)
    inode = UInt64(truncatingIfNeeded: information.st_ino)
  }

  /// Of what `path` leads to; nil where that is nothing.
  package init?(_ path: FilePath) {
    guard let information = status(ofPath: path) else { return nil }
    self.init(information)
  }

  /// Of what is open as `descriptor`; nil where nothing is, or no regular file.
  package init?(descriptor: Int32) {
    var information = stat()
    guard fstat(descriptor, &information) == 0, information.isRegular else { return nil }
    self.init(information)
  }
}

/// Which files were opened for reading since the process began: what a program must not write over.
package enum OpenedFiles {
  private struct State {
    var identities: Set<FileIdentity> = []
    /// Of each file by its path; nil where nobody asks for them.
    var fingerprints: [String: FileFingerprint]?
  }
  private static let state = Mutex(State())

  static func insert(descriptor: Int32, _ path: String) {
    guard let identity = FileIdentity(descriptor: descriptor) else { return }
    let asked = state.withLock {
      $0.identities.insert(identity)
      return $0.fingerprints.map { $0[path] == nil } ?? false
    }
    guard asked, let made = FileFingerprint(descriptor: descriptor, path) else { return }
    state.withLock { $0.fingerprints?[path] = made }
  }

  /// Notes what somebody else reads: a library that is loaded, a script that is run.
  package static func insert(_ identity: FileIdentity) {
    _ = state.withLock { $0.identities.insert(identity) }
  }

  /// Whether `identity` was read.
  package static func contains(_ identity: FileIdentity) -> Bool {
    state.withLock { $0.identities.contains(identity) }
  }

  /// Takes fingerprints of all files that are opened from here on.
  package static func keepFingerprints() { state.withLock { $0.fingerprints = $0.fingerprints ?? [:] } }

  /// Those taken, by path.
  package static var fingerprints: [FileFingerprint] {
    state.withLock { $0.fingerprints ?? [:] }.values.sorted { $0.path < $1.path }
  }
}
