import Reports
import TestSupport

/// Reports for tests, and names that break things.
enum Samples {
  static let name = Column("name", "name", .decides, "who", align: .left, key: true)
  static let verdict = Column("verdict", "verdict", .decides, "what to make of it", align: .left)
  static let largest = Column("max ulp", "ulp.max", .decides, "the largest error", unit: "ulp", hex: true)
  static let mean = Column("mean", "ulp.mean", .detail, "the mean error", unit: "ulp")
  static let lost = Column("lost", "lost", .useful, "numbers lost", hidesZeros: true)
  static let bound = Column("bound", "bound.ulp", .useful, "what is allowed", unit: "ulp")
  static let share = Column("|sum-1|", "sumError", .useful, "how far a sum is from 1")
  static let data = Column("data", "data", .machine, "for machines")

  /// A row for each name: errors of 1.5, 2.5, …
  static func table(_ names: [String], lost: [Int] = []) -> Table {
    var table = Table(rows: names.count)
    table.add(name) { .text(names[$0]) }
    table.add(verdict) { .text($0 == 1 ? "bug" : "ok", tone: $0 == 1 ? .bad : .good) }
    table.add(Self.lost) { .count($0 < lost.count ? lost[$0] : 0) }
    table.add(largest) { .number(Double($0) + 1.5) }
    table.add(mean) { .number(Double($0) / 4) }
    table.add(bound) {
      $0 == 2
        ? Cell(text: "vacuous", value: .number(1e9), caveat: "the bound is vacuous")
        : .number(Double($0) + 2)
    }
    table.add(share) { $0 == 0 ? .none("no row is finite") : .number(0.001) }
    table.add(data) { .data(.object(["row": .integer($0), "inner": .object(["x": .number(0.5)])])) }
    return table
  }

  static func report(_ names: [String] = ["naive", "shifted", "online"], lost: [Int] = []) -> Report {
    var report = Report(command: "sample", version: "1.2.3", title: "a sample")
    report.facts = [
      Fact("dtype", .text("f16"), inRows: true), Fact("rows", .integer(3)),
      Fact("input.nan", .integer(2)), Fact("input.origin", .text("file")),
    ]
    report.notes = ["truth: known"]
    report.findings = [Finding("left-out", names.first ?? "", "holds nothing")]
    report.add(table(names, lost: lost))
    report.conclusion = "all is well"
    return report
  }

  /// Names that have broken terminals, tables and parsers.
  static let hostile: [String] = [
    "\u{1b}[31mRED", "a\u{9b}31mb", "x\ry", "x\ny", "x\r\ny", "tab\there", "a\u{2028}b\u{2029}c", "nul\u{0}",
    "\u{202e}drowssap", "a\u{2066}b\u{2069}", "\u{200f}rtl", "\u{feff}bom", "x,\u{301}y", "\"\u{301}quoted\"",
    "a\"b", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "<\u{338}script>", "&\u{301}amp;", "]]>", "<!--", "a|b",
    "a\\|b", "`code`", "*bold*", "_under_", "q4_k", "[link](x)", "<b>", "# head", "a~~b~~", "$x$", "", " ",
    "e\u{301}", "é", "日本語", "👩‍👩‍👧", "a\u{fffe}b", "\u{e0041}tag", "~~~~~~", "```", "#", "1. x", "- x", "ends\\",
  ]

  private static let alphabet: [Unicode.Scalar] =
    hostile.flatMap { Array($0.unicodeScalars) } + Array("abc;:'\u{338}\u{300}\u{0}\u{7f}".unicodeScalars)

  /// Names of up to twelve scalars of those above.
  static func random(_ count: Int, seed: UInt64) -> [String] {
    var random = RandomBits(seed: seed)
    return (0..<count).map { _ in
      var name = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        name.append(alphabet.randomElement(using: &random) ?? "x")
      }
      return String(name)
    }
  }
}
