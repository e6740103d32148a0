import Reports

/// Figures that later runs are held to: text, a figure a line, in the gate file's order, so that a review shows what moved.
///
///     check "softmax in f16"
///       "shifted" ulp.max 0.6867980900901256 first 0.6867980900901256 lower
///       "shifted" worst "row 3, index 5: computed …"
///       "order" value is "lanes:16, then folded"
///       answers 32 "3f800000 3f7ffffe …"
package struct Lockfile: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package let label: String
    package let path: String
    package var value: Double
    /// What it was when it was first pinned: many small steps are seen against it.
    package var first: Double
    package let sense: Column.Sense
    package let unit: String
  }

  package struct Pinned: Sendable, Equatable {
    package let name: String
    package var entries: [Entry] = []
    /// Where the worst of each result stands.
    package var witnesses: [Witness] = []
    /// What results are.
    package var words: [PinnedWord] = []
    /// Results of fixed inputs.
    package var answers: Answers?

    package init(name: String) { self.name = name }
  }

  package struct Witness: Sendable, Equatable {
    package let label: String
    package let text: String
  }

  package var checks: [Pinned] = []

  package init() {}

  package subscript(name: String) -> Pinned? { checks.first { $0.name == name } }

  private static let head = [
    "# Figures that 'numcheck gate' holds later runs to. Written by 'numcheck gate --update'; read what changes.",
    "numcheck-lock 1",
  ]

  package var text: String {
    var lines = Self.head
    for check in checks {
      lines += ["", "check \(Self.quoted(check.name))"]
      for e in check.entries {
        let unit = e.unit.isEmpty ? "" : " \(Self.quoted(e.unit))"
        lines.append(
          "  \(Self.quoted(e.label)) \(e.path) \(Figures.number(e.value)) first \(Figures.number(e.first)) "
            + Self.word(e.sense) + unit)
      }
      lines += check.witnesses.map { "  \(Self.quoted($0.label)) worst \(Self.quoted($0.text))" }
      lines += check.words.map { "  \(Self.quoted($0.label)) \($0.path) is \(Self.quoted($0.text))" }
      if let answers = check.answers {
        let codes = answers.codes.map { String($0, radix: 16) }.joined(separator: " ")
        lines.append("  answers \(answers.bitWidth) \(Self.quoted(codes))")
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func word(_ sense: Column.Sense) -> String {
    switch sense {
    case .lowerIsBetter: "lower"
    case .higherIsBetter: "higher"
    case .bound: "bound"
    }
  }

  private static func quoted(_ text: String) -> String { "\"" + Escaping.json(text) + "\"" }
}

extension Lockfile {
  /// Reads what `text` wrote; anything else is an error at its line.
  package init(parsing text: String, file: String) throws {
    self.init()
    var hasHead = false
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      func wrong(_ message: String) -> GateError {
        GateError(message, at: Location(file: file, line: index + 1))
      }
      guard let words = Self.words(line) else { throw wrong("no line of a lockfile") }
      guard let first = words.first, !first.text.hasPrefix("#") || first.isQuoted else { continue }
      if !hasHead {
        guard words.map(\.text) == ["numcheck-lock", "1"] else {
          throw wrong("no lockfile of this version: it begins with 'numcheck-lock 1'")
        }
        hasHead = true
      } else if !first.isQuoted && first.text == "check" {
        guard words.count == 2, words[1].isQuoted else { throw wrong("must be: check \"NAME\"") }
        guard self[words[1].text] == nil else { throw wrong("'\(words[1].text)' stands here twice") }
        checks.append(Pinned(name: words[1].text))
      } else if !first.isQuoted && first.text == "answers" {
        let codes =
          words.count == 3 ? words[2].text.split(separator: " ").map { UInt64($0, radix: 16) } : [nil]
        guard !checks.isEmpty, let width = Int(words.count == 3 ? words[1].text : ""),
          (1...64).contains(width),
          codes.allSatisfy({ $0 != nil })
        else { throw wrong("must be: answers BITS \"CODE CODE …\"") }
        checks[checks.count - 1].answers = Answers(
          bitWidth: width, codes: codes.compactMap { $0 }, beyondBound: nil)
      } else {
        guard !checks.isEmpty, first.isQuoted, words.count >= 3 else {
          throw wrong("must be: \"RESULT\" FIGURE VALUE first VALUE lower|higher|bound")
        }
        if words[1].text == "worst" && words[2].isQuoted && words.count == 3 {
          checks[checks.count - 1].witnesses.append(Witness(label: first.text, text: words[2].text))
          continue
        }
        if words.count == 4, words[2].text == "is", !words[2].isQuoted, words[3].isQuoted {
          checks[checks.count - 1].words.append(
            PinnedWord(label: first.text, path: words[1].text, text: words[3].text))
          continue
        }
        let senses: [String: Column.Sense] = [
          "lower": .lowerIsBetter, "higher": .higherIsBetter, "bound": .bound,
        ]
        guard words.count == 6 || words.count == 7, words[3].text == "first",
          let value = Double(words[2].text), let initial = Double(words[4].text), !value.isNaN,
          !initial.isNaN,
          let sense = senses[words[5].text]
        else { throw wrong("must be: \"RESULT\" FIGURE VALUE first VALUE lower|higher|bound") }
        checks[checks.count - 1].entries.append(
          Entry(
            label: first.text, path: words[1].text, value: value, first: initial, sense: sense,
            unit: words.count == 7 ? words[6].text : ""))
      }
    }
    if !hasHead { throw GateError("no lockfile: it is empty", at: Location(file: file, line: 1)) }
  }

  private struct Word {
    var text = ""
    var isQuoted = false
  }

  /// Words between spaces; one in quotes may have any. Nil where a quote does not end.
  private static func words(_ line: Substring) -> [Word]? {
    var words: [Word] = []
    var rest = Array(line.unicodeScalars)[...]
    while let first = rest.first {
      if first == " " || first == "\t" || first == "\r" {
        rest = rest.dropFirst()
      } else if first == "\"" {
        guard let (text, after) = unquoted(rest.dropFirst()) else { return nil }
        words.append(Word(text: text, isQuoted: true))
        rest = after
      } else {
        let end = rest.firstIndex { $0 == " " || $0 == "\r" } ?? rest.endIndex
        var text = String.UnicodeScalarView()
        text.append(contentsOf: rest[..<end])
        words.append(Word(text: String(text)))
        rest = rest[end...]
      }
    }
    return words
  }

  /// What a JSON string says, behind its first quote, and what follows it.
  private static func unquoted(
    _ scalars: ArraySlice<Unicode.Scalar>
  ) -> (String, ArraySlice<Unicode.Scalar>)? {
    var units: [UInt16] = []
    var rest = scalars
    while let scalar = rest.first {
      rest = rest.dropFirst()
      if scalar == "\"" { return (String(decoding: units, as: UTF16.self), rest) }
      guard scalar == "\\" else {
        units += Array(String(scalar).utf16)
        continue
      }
      guard let escape = rest.first else { return nil }
      rest = rest.dropFirst()
      switch escape {
      case "n": units.append(10)
      case "r": units.append(13)
      case "t": units.append(9)
      case "\"", "\\", "/": units += Array(String(escape).utf16)
      case "u":
        let digits = rest.prefix(4).map(String.init).joined()
        guard digits.utf8.count == 4, let unit = UInt16(digits, radix: 16) else { return nil }
        units.append(unit)
        rest = rest.dropFirst(4)
      default: return nil
      }
    }
    return nil
  }
}
