/// All that a command says, once, for people and machines alike: what was asked, what was found, what was checked, what to make of
/// it. Emitters turn it into bytes and compute nothing.
///
/// Text in it is raw: names as files have them. Each emitter escapes what it writes (`Escaping`).
package struct Report: Sendable {
  /// The command, as JSON names it: `softmax`, `attention backward`.
  package var command: String
  /// The program's version.
  package var version: String
  /// What was asked or found, in one line.
  package var title: String
  /// What was asked and what holds of the whole run, for machines.
  package var facts: [Fact] = []
  /// What people are told of the run beside its title, a line each.
  package var notes: [String] = []
  /// What is to be known of the inputs or of the run.
  package var findings: [Finding] = []
  /// One for each thing that the run was about; most have one without a title.
  package var sections: [Section] = []
  /// Limits and whether they held.
  package var checks: [Check] = []
  /// What the checks could not reach, a reason each: with any, checks that all passed are no success.
  package var gaps: [String] = []
  /// Why there are no results that a limit could be held against; empty where there are.
  package var absence = ""
  /// What a person should do, in one line; that of the sections where it is empty.
  package var conclusion = ""
  /// Results of fixed inputs, on which a later run counts the bits that moved.
  package var answers: Answers?
  /// The line that makes it again, as a shell reads it; empty where nobody knows.
  package var commandLine = ""

  package init(command: String, version: String, title: String = "") {
    self.command = command
    self.version = version
    self.title = title
  }
}

/// Results of inputs that are the same in every run.
package struct Answers: Sendable, Equatable, Codable {
  /// Of a code; the highest bit is the sign.
  package let bitWidth: Int
  package let codes: [UInt64]
  /// How many of them are beyond a proven bound; nil where there is none.
  package let beyondBound: Int?

  package init(bitWidth: Int, codes: [UInt64], beyondBound: Int?) {
    (self.bitWidth, self.codes, self.beyondBound) = (bitWidth, codes, beyondBound)
  }

  /// The most bits by which a result of `other` is another, and how many are.
  package func moved(from other: [UInt64]) -> (bits: Int, count: Int) {
    let sign: UInt64 = 1 << UInt64(bitWidth - 1)
    func place(_ code: UInt64) -> Int64 {
      let magnitude = Int64(bitPattern: code & (sign - 1))
      return code & sign == 0 ? magnitude : -magnitude
    }
    var (bits, count) = (0, 0)
    for (a, b) in zip(codes, other) where a != b {
      count += 1
      bits = max(bits, 64 - max((place(a) &- place(b)).magnitude, 1).leadingZeroBitCount)
    }
    return (bits, count)
  }
}

/// A fact of the whole run, for machines.
package struct Fact: Sendable {
  /// Where it stands in JSON: `dtype`, `input.overflowed`.
  package let path: String
  package let value: JSONValue
  /// Whether tables for machines (CSV) repeat it in each row.
  package let isInRows: Bool

  package init(_ path: String, _ value: JSONValue, inRows: Bool = false) {
    self.path = path
    self.value = value
    isInRows = inRows
  }
}

/// A part of a report: a tensor of several, a scheme of several.
package struct Section: Sendable {
  /// A heading; empty for none.
  package var title: String
  package var notes: [String] = []
  package var findings: [Finding] = []
  package var blocks: [Block] = []
  /// Pictures of its figures, for pages.
  package var charts: [Chart] = []
  package var conclusion = ""

  package init(title: String = "") { self.title = title }
}

/// A piece of a section.
package enum Block: Sendable {
  /// Lines of prose; one that begins with two spaces belongs to the one above.
  case lines([String])
  /// Lines whose spaces matter.
  case verbatim([String])
  case table(Table)
}

/// Something to be known of the input or of the run.
package struct Finding: Sendable {
  /// What kind it is, words joined by hyphens: `left-out`.
  package let kind: String
  /// What it is about: a tensor, a scheme, an algorithm; empty for the run.
  package let place: String
  /// What there is to say, in one line.
  package let message: String
  /// Whether people must know it before the tables.
  package let leads: Bool
  /// Whether it bears on what the figures are worth: it is then told beside a format that has no place for it.
  package let isWarning: Bool

  package init(
    _ kind: String, _ place: String = "", _ message: String, leads: Bool = true, warns isWarning: Bool = false
  ) {
    self.kind = kind
    self.place = place
    self.message = message
    self.leads = leads
    self.isWarning = isWarning
  }

  /// `left out: FILE:TENSOR: holds no numbers`.
  package var line: String {
    kind.replacing("-", with: " ") + ": " + (place.isEmpty ? "" : place + ": ") + message
  }
}

extension Report {
  /// How the run ended.
  package enum Status: String, Sendable, CaseIterable {
    /// Nothing was to be checked, or all that was held.
    case ok
    /// A check failed.
    case failed
    /// There were checks, and nothing, or not everything, that they could look at.
    case unchecked
  }

  package var status: Status {
    if checks.isEmpty { return .ok }
    if checks.allSatisfy({ $0.outcome == .withoutValue }) { return .unchecked }
    if checks.contains(where: { !$0.passed }) { return .failed }
    return gaps.isEmpty ? .ok : .unchecked
  }

  /// Why nothing, or not all, was checked; nil where that is not so.
  package var uncheckedReason: String? {
    guard status == .unchecked else { return nil }
    if checks.allSatisfy({ $0.outcome == .withoutValue }), let first = checks.first {
      return "nothing was checked: " + first.message
    }
    return gaps.first
  }

  /// Every table, in order.
  package var tables: [Table] {
    sections.flatMap { section in
      section.blocks.compactMap {
        if case .table(let table) = $0 { return table }
        return nil
      }
    }
  }

  /// Every finding: of the run, then of each section.
  package var allFindings: [Finding] { findings + sections.flatMap(\.findings) }

  /// What to make of it all, on one line.
  package var wholeConclusion: String {
    conclusion.isEmpty
      ? sections.filter { !$0.conclusion.isEmpty }.map {
        sections.count > 1 && !$0.title.isEmpty ? "\($0.title): \($0.conclusion)" : $0.conclusion
      }.joined(separator: "; ")
      : conclusion
  }

  /// Adds a section that is one table, and pictures of it.
  package mutating func add(_ table: Table, _ charts: [Chart] = []) {
    var section = Section()
    section.blocks = [.table(table)]
    section.charts = charts
    sections.append(section)
  }
}
