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
  private static let identities = Mutex<Set<FileIdentity>>([])

  static func insert(descriptor: Int32) {
    guard let identity = FileIdentity(descriptor: descriptor) else { return }
    identities.withLock { _ = $0.insert(identity) }
  }

  /// Whether `identity` was read.
  package static func contains(_ identity: FileIdentity) -> Bool {
    identities.withLock { $0.contains(identity) }
  }
}
