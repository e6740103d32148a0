#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What `errno` says, in the platform's words.
func systemMessage(_ code: Int32 = errno) -> String {
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}

/// The kind and size of what a path names; nil where `stat` fails.
func status(ofPath path: String) -> stat? {
  var information = stat()
  return stat(path, &information) == 0 ? information : nil
}

extension stat {
  /// Whether this is a regular file.
  var isRegular: Bool { st_mode & S_IFMT == S_IFREG }

  /// What this is, for a message.
  var kind: String {
    switch st_mode & S_IFMT {
    case S_IFREG: return "a regular file"
    case S_IFDIR: return "a directory"
    case S_IFIFO: return "a pipe"
    case S_IFSOCK: return "a socket"
    case S_IFCHR, S_IFBLK: return "a device"
    default: return "not a regular file"
    }
  }
}
