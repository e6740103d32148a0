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
  /// The same as C strings, for a signal handler, which may not wait for a lock; nobody writes more at once.
  nonisolated(unsafe) private static let slots = {
    let slots = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: 16)
    slots.initialize(repeating: nil)
    return slots
  }()

  /// Makes a new file; a negative number, and `errno`, where it cannot.
  static func open(_ path: String, mode: mode_t) -> Int32 {
    paths.withLock {
      #if canImport(Darwin)
        let descriptor = Darwin.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
      #elseif canImport(Glibc)
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
      #elseif canImport(Musl)
        let descriptor = Musl.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
      #endif
      if descriptor >= 0 {
        $0.insert(path)
        if let free = slots.firstIndex(where: { $0 == nil }) { slots[free] = strdup(path) }
      }
      return descriptor
    }
  }

  static func forget(_ path: String) {
    paths.withLock {
      $0.remove(path)
      for k in slots.indices {
        guard let slot = slots[k], strcmp(slot, path) == 0 else { continue }
        slots[k] = nil
        free(slot)
      }
    }
  }

  /// Removes them all, without waiting for anybody: for a signal handler, once this was called outside of one.
  public static func removeAtOnce() {
    for k in slots.indices {
      if let path = slots[k] { unlink(path) }
    }
  }

  /// Removes them all, and none is made or renamed any more while `body` runs: for a program's last act.
  public static func remove(_ body: () -> Void) {
    paths.withLock {
      for path in $0 { unlink(path) }
      body()
    }
  }
}
