import CFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A folder of our own for a while, which nobody else may read; gone with all that is in it, also where a signal ends the process. What
/// SIGKILL leaves the next one removes: a folder is held by a lock for as long as its process lives.
package final class PrivateFolder {
  package let path: String

  private static let prefix = "numcheck-exec-"
  private static let lockName = ".lock"
  /// Seconds after which a folder without a holder is one that was left, not one that is being made.
  private static let age = 60

  private let lock: Int32

  /// Below TMPDIR, or where the system has its temporary files.
  package init() throws(GuestFault) {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    let base = named.isEmpty ? P_tmpdir : named
    Self.sweep(base)
    var template = Array((base + "/" + Self.prefix + "XXXXXX").utf8CString)
    var mask = sigset_t()
    nc_files_begin(&mask)
    defer { nc_files_end(&mask) }
    guard mkdtemp(&template) != nil else {
      throw GuestFault(.start, "no folder can be made below \(base)")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    lock = open(path + "/" + Self.lockName, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if lock >= 0 { flock(lock, LOCK_EX | LOCK_NB) }
    _ = nc_folder_add(path)
  }

  deinit { remove() }

  private var isRemoved = false

  package func remove() {
    if isRemoved { return }
    isRemoved = true
    nc_folder_remove(path)
    if lock >= 0 { close(lock) }
  }

  /// A folder in it; there already or new.
  func folder(_ name: String) -> String {
    let inner = path + "/" + name
    mkdir(inner, 0o700)
    return inner
  }

  /// Removes what processes of ours left that were killed.
  private static func sweep(_ base: String) {
    guard let folder = opendir(base) else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
          String(cString: $0)
        }
      }
      if name.hasPrefix(prefix) { removeIfLeft(base + "/" + name) }
    }
  }

  private static func removeIfLeft(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
      return
    }
    #if canImport(Darwin)
      let changed = status.st_mtimespec.tv_sec
    #else
      let changed = status.st_mtim.tv_sec
    #endif
    guard time(nil) - changed > age else { return }
    let lock = open(path + "/" + lockName, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
    guard lock >= 0 else { return }
    defer { close(lock) }
    if flock(lock, LOCK_EX | LOCK_NB) == 0 { nc_folder_remove(path) }
  }
}
