/// The one place where text that came from outside (names of tensors, paths, messages of other programs) is made safe to write. It
/// works on Unicode scalars, never on grapheme clusters: a quote with an accent behind it is still a quote.
package enum Escaping {
  /// Whether a scalar must not reach a terminal or a page as it is: controls of both sets, separators of lines, what has no shape
  /// of its own and directs others (bidirectional controls among them), and what is no character.
  package static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    let v = scalar.value
    if v < 0x7f { return v < 0x20 }
    if v < 0xa0 { return true }
    if v & 0xfffe == 0xfffe || (0xfdd0...0xfdef).contains(v) { return true }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }

  /// Text on one line, without what could drive a terminal: an unsafe scalar as `\u{…}`.
  package static func line(_ text: String) -> String {
    mapped(text) { isUnsafe($0) ? "\\u{\(String($0.value, radix: 16))}" : nil }
  }

  /// Between quotes in JSON; what reads it gets `text` back to the last scalar.
  package static func json(_ text: String) -> String {
    mapped(text) { scalar in
      switch scalar {
      case "\"": return "\\\""
      case "\\": return "\\\\"
      case "\n": return "\\n"
      case "\r": return "\\r"
      case "\t": return "\\t"
      default:
        guard isUnsafe(scalar) else { return nil }
        return UTF16.encode(scalar).map { unit in unit.map(hex).joined() } ?? ""
      }
    }
  }

  private static func hex(_ unit: UInt16) -> String {
    let digits = String(unit, radix: 16)
    return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
  }

  /// Text or attribute of XML, HTML and SVG.
  package static func xml(_ text: String) -> String {
    mapped(line(text)) { scalar in
      switch scalar {
      case "&": "&amp;"
      case "<": "&lt;"
      case ">": "&gt;"
      case "\"": "&quot;"
      case "'": "&#39;"
      default: nil
      }
    }
  }

  /// Text within a line or a cell of Markdown: every mark that could mean something says itself.
  package static func markdown(_ text: String) -> String {
    let scalars = Array(line(text).unicodeScalars)
    func isWord(_ i: Int) -> Bool {
      guard scalars.indices.contains(i) else { return false }
      let p = scalars[i].properties
      return p.isAlphabetic || p.numericType != nil
    }
    var out = String.UnicodeScalarView()
    for (i, scalar) in scalars.enumerated() {
      switch scalar {
      case "\\", "|", "`", "*", "[", "]", "<", ">", "&", "~", "$", "{", "}": out.append("\\")
      // Within a word it is a letter; at its edge it may begin emphasis.
      case "_": if !isWord(i - 1) || !isWord(i + 1) { out.append("\\") }
      default: break
      }
      out.append(scalar)
    }
    return String(out)
  }

  /// A line of Markdown of its own: no heading, list or rule, whatever it begins with.
  package static func markdownLine(_ text: String) -> String {
    let inner = markdown(text)
    guard let first = inner.unicodeScalars.first, ["#", "+", "-", "=", " "].contains(first) else {
      return inner
    }
    return first == " " ? "&#32;" + inner.unicodeScalars.dropFirst().map(String.init).joined() : "\\" + inner
  }

  /// A field of CSV (RFC 4180) that holds text. A spreadsheet takes what begins like a formula for one: such text gets an
  /// apostrophe in front.
  package static func csv(_ text: String) -> String {
    var field = line(text)
    if let first = field.unicodeScalars.first, ["=", "+", "-", "@", "\t", "\r"].contains(first) {
      field = "'" + field
    }
    return csvQuoted(field)
  }

  /// A field of CSV, quoted where it must be.
  static func csvQuoted(_ field: String) -> String {
    let needsQuotes = field.unicodeScalars.contains { [",", "\"", "\n", "\r"].contains($0) }
    return needsQuotes ? "\"" + mapped(field) { $0 == "\"" ? "\"\"" : nil } + "\"" : field
  }

  /// The message of a GitHub workflow command.
  package static func workflow(_ text: String) -> String {
    mapped(line(text)) { scalar in
      switch scalar {
      case "%": "%25"
      case "\r": "%0D"
      case "\n": "%0A"
      default: nil
      }
    }
  }

  /// A property of a GitHub workflow command.
  package static func workflowProperty(_ text: String) -> String {
    mapped(workflow(text)) { scalar in
      switch scalar {
      case ":": "%3A"
      case ",": "%2C"
      default: nil
      }
    }
  }

  /// A description in TAP: no directive, no escape of its own.
  package static func tap(_ text: String) -> String {
    mapped(line(text)) { $0 == "#" ? "\\#" : $0 == "\\" ? "\\\\" : nil }
  }

  /// A path as a relative reference of a URI (RFC 3986): bytes of UTF-8, all but plain ones as `%XX`. A part that looks like a
  /// scheme gets `./` in front.
  package static func uri(_ path: String) -> String {
    var out = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        out.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        out += "%" + (byte < 16 ? "0" : "") + digits
      }
    }
    return out
  }

  /// `text` with some scalars replaced.
  private static func mapped(_ text: String, _ replacement: (Unicode.Scalar) -> String?) -> String {
    var out = String.UnicodeScalarView()
    var hasChanged = false
    for scalar in text.unicodeScalars {
      if let other = replacement(scalar) {
        out.append(contentsOf: other.unicodeScalars)
        hasChanged = true
      } else {
        out.append(scalar)
      }
    }
    return hasChanged ? String(out) : text
  }
}
