/// How many columns of a terminal text takes, counted on scalars.
package enum TextWidth {
  package static func of(_ text: String) -> Int {
    var width = 0
    for scalar in text.unicodeScalars { width += of(scalar) }
    return width
  }

  /// 0 for marks on the letter before and what has no shape, 2 for wide letters and pictures, else 1.
  static func of(_ scalar: Unicode.Scalar) -> Int {
    let v = scalar.value
    if v < 0x300 { return v == 0xad ? 0 : 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    return wide.contains { $0.contains(v) } || scalar.properties.isEmojiPresentation ? 2 : 1
  }

  /// Blocks whose letters take two columns (East Asian Width W and F, UAX #11).
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf,
    0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff00...0xff60,
    0xffe0...0xffe6, 0x16fe0...0x18cff, 0x1aff0...0x1b2ff, 0x1f200...0x1f2ff, 0x1f300...0x1f64f,
    0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x1fa70...0x1faff, 0x20000...0x3fffd,
  ]

  /// `text` with its middle replaced by `…` where it is wider than `width`; both ends of a name tell it from others. No mark loses
  /// its letter.
  package static func shortened(_ text: String, to width: Int) -> String {
    if of(text) <= width { return text }
    guard width > 0 else { return "" }
    let room = width - 1
    let scalars = Array(text.unicodeScalars)
    var out = String.UnicodeScalarView()
    var (used, head) = (0, 0)
    while head < scalars.count, used + of(scalars[head]) <= (room + 1) / 2 {
      used += of(scalars[head])
      out.append(scalars[head])
      head += 1
    }
    var tail = scalars.count
    while tail > head, used + of(scalars[tail - 1]) <= room {
      tail -= 1
      used += of(scalars[tail])
    }
    while tail < scalars.count, of(scalars[tail]) == 0 { tail += 1 }
    out.append("…")
    out.append(contentsOf: scalars[tail...])
    return String(out)
  }

  /// Lines of at most `width`, broken at spaces; a word that is wider has a line of its own. Lines after the first begin with the
  /// spaces that the text begins with, and two more.
  package static func wrapped(_ text: String, to width: Int) -> [String] {
    let indent = String(text.prefix { $0 == " " })
    return broken(text, to: width, first: indent, others: indent + "  ")
  }

  /// The same without any indent, for a cell.
  static func folded(_ text: String, to width: Int) -> [String] {
    broken(text, to: width, first: "", others: "")
  }

  private static func broken(_ text: String, to width: Int, first: String, others: String) -> [String] {
    if of(text) <= width { return [text] }
    var lines: [String] = []
    var line = first
    var isFresh = true
    for word in text.dropFirst(first.count).split(separator: " ", omittingEmptySubsequences: false) {
      if !isFresh && of(line) + 1 + of(String(word)) > width {
        lines.append(line)
        line = others + word
      } else {
        line += (isFresh ? "" : " ") + word
      }
      isFresh = false
    }
    return lines + [line]
  }

  /// `text` with spaces behind it, or before, up to `width`.
  static func padded(_ text: String, to width: Int, _ alignment: Column.Alignment) -> String {
    let fill = String(repeating: " ", count: max(0, width - of(text)))
    return alignment == .left ? text + fill : fill + text
  }
}
