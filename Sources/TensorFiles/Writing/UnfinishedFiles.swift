import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The temporary files that are being written, for a program that must end in between.
public enum UnfinishedFiles {
  private static let paths = Mutex<Set<String>>([])

  static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }
  static func forget(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Removes them all, and none is made or renamed any more while `body` runs: for a program's last act.
  public static func remove(_ body: () -> Void) {
    paths.withLock {
      for path in $0 { unlink(path) }
      body()
    }
  }
}
