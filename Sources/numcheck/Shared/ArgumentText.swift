import Foundation
import SystemPackage
import TensorFiles

/// Arguments as text that keeps every byte: file names need not be UTF-8, and Swift's strings are. A byte that is no part of a
/// character becomes a scalar of its own from the last 128 that there are, for private use; and so do the bytes of those.
enum ArgumentText {
  private static let first: UInt32 = 0x10_ff80

  /// The arguments after the command's name.
  static var given: [String] {
    (1..<max(1, Int(CommandLine.argc))).compactMap { k in
      CommandLine.unsafeArgv[k].map { text(of: UnsafeBufferPointer(start: $0, count: strlen($0))) }
    }
  }

  static func text(of bytes: some Collection<CChar>) -> String {
    let bytes = bytes.map { UInt8(bitPattern: $0) }
    var text = String.UnicodeScalarView()
    var rest = bytes[...]
    while let byte = rest.first {
      let length =
        byte < 0x80
        ? 1
        : (2...4).first { count in
          count <= rest.count
            && String(validating: rest.prefix(count), as: UTF8.self)?.unicodeScalars.count == 1
        }
      let scalar = length.flatMap { String(decoding: rest.prefix($0), as: UTF8.self).unicodeScalars.first }
      if let length, let scalar, scalar.value < first {
        text.append(scalar)
        rest = rest.dropFirst(length)
      } else {
        if let own = Unicode.Scalar(first + UInt32(byte & 0x7f)) { text.append(own) }
        rest = rest.dropFirst()
      }
    }
    return String(text)
  }

  /// The bytes that `text` stands for.
  static func bytes(of text: String) -> [UInt8] {
    text.unicodeScalars.flatMap { scalar -> [UInt8] in
      scalar.value >= first ? [UInt8(0x80 + scalar.value - first)] : Array(String(scalar).utf8)
    }
  }

  /// `text` for people: bytes that are no characters as `\xff`.
  static func shown(_ text: String) -> String {
    text.unicodeScalars.contains { $0.value >= first } ? FilePath.label(bytes(of: text)) : text
  }
}

extension FilePath {
  /// The path that an argument names.
  init(argument: String) { self.init(bytes: ArgumentText.bytes(of: argument)) }
}

extension TensorSpecifier {
  /// The tensor that an argument names.
  init(argument: String) { self.init(bytes: ArgumentText.bytes(of: argument)) }
}
