import CFiles

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A folder of our own for a while, which nobody else may read; gone with all that is in it, also where a signal ends the process.
package final class PrivateFolder {
  package let path: String

  /// Below TMPDIR, or where the system has its temporary files.
  package init() throws(GuestFault) {
    let named = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    let base = named.isEmpty ? P_tmpdir : named
    var template = Array((base + "/numcheck-XXXXXX").utf8CString)
    var mask = sigset_t()
    nc_files_begin(&mask)
    defer { nc_files_end(&mask) }
    guard mkdtemp(&template) != nil else {
      throw GuestFault(.start, "no folder can be made below \(base)")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    _ = nc_folder_add(path)
  }

  deinit { remove() }

  private var isRemoved = false

  package func remove() {
    if isRemoved { return }
    isRemoved = true
    nc_folder_remove(path)
  }

  /// A folder in it; there already or new.
  func folder(_ name: String) -> String {
    let inner = path + "/" + name
    mkdir(inner, 0o700)
    return inner
  }
}
