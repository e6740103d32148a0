/// Why a tensor file cannot be read or written, in one line: the path, what is wrong, the numbers.
public struct TensorFileError: Error, Hashable, CustomStringConvertible {
  /// The file, as it was named; `standard input` for `-`.
  public let path: String
  /// What is wrong with it.
  public let reason: String
  /// The name of a tensor that is not there, and those that are: for who knows which one may be meant.
  package let missing: Missing?

  package struct Missing: Hashable, Sendable {
    package let name: String
    package let known: [String]
  }

  /// Makes an error; control characters of either part are escaped, so that it stays one line.
  public init(_ path: String, _ reason: String) { self.init(path, reason, missing: nil) }

  init(_ path: String, _ reason: String, missing: Missing?) {
    self.path = path.printable
    self.reason = reason.printable
    self.missing = missing
  }

  /// `path: reason`.
  public var description: String { "\(path): \(reason)" }
}

extension String {
  /// The text with control characters and line separators escaped.
  var printable: String {
    guard unicodeScalars.contains(where: \.breaksLine) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar.breaksLine {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The text in quotes, cut where a message would no longer be read.
  var quoted: String {
    let limit = 100
    let head = unicodeScalars.prefix(limit + 1)
    if head.count <= limit { return "'\(self)'" }
    var text = ""
    text.unicodeScalars.append(contentsOf: head.prefix(limit))
    return "'\(text)…'"
  }
}

extension Unicode.Scalar {
  fileprivate var breaksLine: Bool {
    value < 0x20 || (0x7f...0x9f).contains(value) || value == 0x2028 || value == 0x2029
  }
}
