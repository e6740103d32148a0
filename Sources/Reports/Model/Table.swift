/// Figures in rows, each column with a name for people and a path for machines.
package struct Table: Sendable {
  /// Where its rows stand in JSON: `results` for what the command is about.
  package let key: String
  /// A line above it; empty for none.
  package var title = ""
  package var audience: Audience
  package private(set) var columns: [Column] = []
  package private(set) var rows: [Row]
  /// The order in which people are to read the rows; machines have them as they are.
  package var readingOrder: [Int]

  /// Who is shown it.
  package enum Audience: Sendable {
    case all
    /// Another view of what machines find elsewhere.
    case people
    /// What people are told in words.
    case machines
  }

  package struct Row: Sendable {
    package fileprivate(set) var cells: [Cell] = []
    /// Where its worst figure stands, for the message of a check that fails.
    package var witness: String?
  }

  /// A table of `count` rows, without columns yet.
  package init(_ key: String = "results", rows count: Int, for audience: Audience = .all) {
    self.key = key
    self.audience = audience
    rows = Array(repeating: Row(), count: count)
    readingOrder = Array(0..<count)
  }

  /// Adds a column: a cell for each row.
  package mutating func add(_ column: Column, _ cell: (Int) throws -> Cell) rethrows {
    columns.append(column)
    for i in rows.indices { rows[i].cells.append(try cell(i)) }
  }

  /// Sets where the worst figure of each row stands.
  package mutating func setWitnesses(_ witness: (Int) -> String?) {
    for i in rows.indices { rows[i].witness = witness(i) }
  }

  /// What row `index` is called: its keys, as people read them.
  package func label(ofRow index: Int) -> String {
    keys(ofRow: index).joined(separator: " ")
  }

  /// Each key of row `index`, as people read it.
  package func keys(ofRow index: Int) -> [String] {
    columns.indices.filter { columns[$0].isKey }.map { rows[index].cells[$0].text }.filter { !$0.isEmpty }
  }

  /// Each key of row `index` that machines read otherwise.
  package func otherKeys(ofRow index: Int) -> [String] {
    columns.indices.filter { columns[$0].isKey }.compactMap { c in
      guard case .text(let name) = rows[index].cells[c].value, name != rows[index].cells[c].text else {
        return nil
      }
      return name
    }
  }
}

/// What a figure is called, what it means, and how much it matters.
package struct Column: Sendable {
  /// As people read it: `max ulp`.
  package let name: String
  /// Where it stands in a row of JSON, and what checks call it: `ulp.max`.
  package let path: String
  /// `ulp`, `dB`, `bits`; empty for counts, shares and text.
  package let unit: String
  /// What it says, in a sentence.
  package let meaning: String
  package let importance: Importance
  package let alignment: Alignment
  /// Whether it names its row: an algorithm, a tensor.
  package let isKey: Bool
  /// Whether machines get it as an exact hexadecimal float as well, at the path with `Hex` behind it.
  package let hasHex: Bool
  /// Whether people are not shown it where it is 0, or nothing, in every row.
  package let hidesZeros: Bool
  /// Whether its cells are sentences that may take several lines.
  package let isProse: Bool

  /// Which way it is better; nil where no way is, or nobody is to hold a later run to it.
  package let sense: Sense?
  /// Whether its words say what the result is, so that a later run is told where they are others.
  package let isPinned: Bool
  /// The words that its cells may say; empty where they may say any. A limit on another word is a slip of the pen.
  package let words: [String]

  package enum Alignment: Sendable { case left, right }

  /// What a later run is held to.
  package enum Sense: String, Sendable, Codable {
    case lowerIsBetter, higherIsBetter
    /// A bound on the others: neither is better.
    case bound
  }

  /// From what must be seen to what only machines read.
  package enum Importance: Int, Sendable, Comparable, CaseIterable {
    /// What decides: shown unless the terminal is very narrow.
    case decides
    /// Shown where there is room.
    case useful
    /// Shown when asked for.
    case detail
    /// For machines.
    case machine

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  package init(
    _ name: String, _ path: String, _ importance: Importance, _ meaning: String, unit: String = "",
    align alignment: Alignment = .right, key isKey: Bool = false, hex: Bool = false, hidesZeros: Bool = false,
    prose: Bool = false, sense: Sense? = nil, pinned isPinned: Bool = false,
    words: [String] = []
  ) {
    self.name = name
    self.path = path
    self.unit = unit
    self.meaning = meaning
    self.importance = importance
    self.alignment = alignment
    self.isKey = isKey
    hasHex = hex
    self.hidesZeros = hidesZeros
    isProse = prose
    self.sense = sense
    self.isPinned = isPinned
    self.words = words
  }
}

extension Column {
  /// The same as one that decides.
  package var deciding: Column {
    Column(
      name, path, .decides, meaning, unit: unit, align: alignment, key: isKey, hex: hasHex,
      hidesZeros: hidesZeros, prose: isProse, words: words)
  }
}

/// What stands in a table: what people read, and what machines do.
package struct Cell: Sendable {
  package var text: String
  package var value: JSONValue
  /// Why it has no value, or why no limit on its value can hold: `NaN in 4 of 4 rows`.
  package var caveat: String?
  /// Whether the caveat is a fault of what was measured, so that a limit on it has failed, rather than nothing to look at.
  package var isSpoiled = false
  package var tone = Tone.plain

  /// How it is meant, for colours.
  package enum Tone: Sendable { case plain, good, doubtful, bad }

  package init(text: String, value: JSONValue, caveat: String? = nil, tone: Tone = .plain) {
    self.text = text
    self.value = value
    self.caveat = caveat
    self.tone = tone
  }
}

extension Cell {
  /// What stands where a figure has no value.
  package static let dash = "-"

  /// Up to four significant digits for people, all for machines. NaN is no value: `reason` says why there is none.
  package static func number(_ x: Double, unless reason: String, caveat: String? = nil) -> Cell {
    x.isNaN ? .none(reason) : Cell(text: Figures.short(x), value: .number(x), caveat: caveat)
  }

  /// A number that there is always.
  package static func number(_ x: Double) -> Cell { number(x, unless: "it is not a number") }

  /// A number in full for both.
  package static func exact(_ x: Double) -> Cell { Cell(text: Figures.number(x), value: .number(x)) }

  package static func count(_ n: Int, caveat: String? = nil) -> Cell {
    Cell(text: Figures.count(n), value: .integer(n), caveat: caveat)
  }

  package static func text(_ s: String, tone: Tone = .plain) -> Cell {
    Cell(text: s, value: .text(s), tone: tone)
  }

  package static func flag(_ b: Bool, yes: String = "yes", no: String = "no") -> Cell {
    Cell(text: b ? yes : no, value: .flag(b))
  }

  /// A part of a whole as percent for people, as a count for machines.
  package static func share(_ part: Int, of total: Int, unless reason: String) -> Cell {
    total == 0 ? .none(reason) : Cell(text: Figures.percent(part, of: total), value: .integer(part))
  }

  /// A share of 1 as percent for people.
  package static func percent(_ share: Double, unless reason: String) -> Cell {
    share.isNaN
      ? .none(reason) : Cell(text: "\(Figures.short(100 * share)) %", value: .number(share))
  }

  /// No value, and why.
  package static func none(_ reason: String, text: String = dash) -> Cell {
    Cell(text: text, value: .none, caveat: reason)
  }

  /// No value, by a fault of what was measured.
  package static func spoiled(_ reason: String) -> Cell {
    var cell = Cell.none(reason)
    cell.isSpoiled = true
    return cell
  }

  /// What machines alone are told.
  package static func data(_ value: JSONValue) -> Cell { Cell(text: "", value: value) }
}
