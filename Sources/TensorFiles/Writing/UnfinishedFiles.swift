import CFiles
import SystemPackage

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The temporary files that are being written: a program that must end in between leaves none.
public enum UnfinishedFiles {
  /// From now on every signal that ends the process removes them first; one that is ignored stays so. A mapped input that is cut
  /// short ends the process with a line and status 2. For programs; a library's signals are its client's.
  public static func removeOnSignals() { nc_remove_unfinished_on_signals() }

  /// Runs `body`, which makes, renames or removes files and notes which; no signal ends the process meanwhile.
  static func changing<R>(_ body: () throws -> R) rethrows -> R {
    var mask = sigset_t()
    nc_files_begin(&mask)
    defer { nc_files_end(&mask) }
    return try body()
  }

  /// Notes that `path` is temporary; false where there is no room.
  static func add(_ path: FilePath) -> Bool { path.withPlatformString { nc_unfinished_add($0) } != 0 }

  /// `path` is no longer there, or no longer temporary.
  static func forget(_ path: FilePath) { path.withPlatformString { nc_unfinished_forget($0) } }

  /// Makes a new file; a negative number, and `errno`, where it cannot.
  static func open(_ path: FilePath, mode: mode_t) -> Int32 {
    changing {
      guard add(path) else {
        errno = ENOMEM
        return -1
      }
      let descriptor = path.withPlatformString {
        #if canImport(Darwin)
          Darwin.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        #elseif canImport(Glibc)
          Glibc.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        #elseif canImport(Musl)
          Musl.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        #endif
      }
      if descriptor < 0 {
        let code = errno
        forget(path)
        errno = code
      }
      return descriptor
    }
  }

  /// Makes a new file without a name, which nothing leaves behind; negative where there are none.
  static func openNameless(in folder: FilePath, mode: mode_t) -> Int32 {
    folder.withPlatformString { nc_nameless_open($0, mode) }
  }

  /// Gives a file without a name one, within `changing`; false, and `errno`, where it cannot.
  static func name(_ descriptor: Int32, _ path: FilePath) -> Bool {
    guard add(path) else {
      errno = ENOMEM
      return false
    }
    if path.withPlatformString({ nc_nameless_link(descriptor, $0) }) == 0 { return true }
    let code = errno
    forget(path)
    errno = code
    return false
  }

  /// Removes the file and forgets it.
  static func remove(_ path: FilePath) {
    changing {
      _ = path.withPlatformString { unlink($0) }
      forget(path)
    }
  }
}
