import SystemPackage

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

/// The kind and size of what a path leads to; nil, and `errno`, where `stat` fails.
func status(ofPath path: FilePath) -> stat? {
  var information = stat()
  return path.withPlatformString { stat($0, &information) } == 0 ? information : nil
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

extension FilePath {
  /// The bytes.
  package var bytes: [UInt8] {
    withPlatformString { UnsafeBufferPointer(start: $0, count: length).map { UInt8(bitPattern: $0) } }
  }

  /// The path of `bytes`, up to a NUL.
  package init(bytes: some Sequence<UInt8>) {
    self.init(platformString: bytes.map { CChar(bitPattern: $0) } + [0])
  }

  /// `text` as a path; throws where it has a NUL, at which a path would end.
  package init(checked text: String) throws {
    if text.utf8.contains(0) { throw TensorFileError(text, "a path cannot contain NUL") }
    self.init(text)
  }

  /// The file's name without its extension, as text.
  var name: String {
    guard let last = lastComponent else { return label }
    let text = FilePath(root: nil, [last]).label
    guard let dot = text.lastIndex(of: "."), dot > text.startIndex else { return text }
    return String(text[..<dot])
  }

  /// The path as text; bytes that are not UTF-8 as `\xff`.
  package var label: String { Self.label(bytes) }

  package static func label(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
      let length = (1...4).first {
        $0 <= rest.count && String(validating: rest.prefix($0), as: UTF8.self) != nil
      }
      if let length {
        text += String(decoding: rest.prefix(length), as: UTF8.self)
        rest = rest.dropFirst(length)
      } else {
        text += "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16)
        rest = rest.dropFirst()
      }
    }
    return text
  }
}
