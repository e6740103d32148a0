import Foundation
import Testing

import Reports

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Names that come from files stand in every format as what they are, and do nothing.
@Suite struct EscapingTests {
  private static let batches: [[String]] =
    [Samples.hostile] + (0..<12).map { Samples.random(200, seed: UInt64($0)) }

  /// Everywhere a name can stand.
  private func report(_ names: [String]) -> Report {
    var report = Samples.report(names)
    report.title = names.joined(separator: " ")
    report.notes = names
    report.findings = names.map { Finding("left-out", $0, $0) }
    report.facts.append(Fact("name", .text(names[0]), inRows: true))
    var section = Section(title: names[0])
    section.notes = names
    section.blocks = [.lines(names), .verbatim(names), .table(Samples.table(names))]
    section.findings = names.map { Finding("near-miss", $0, $0, leads: false) }
    section.conclusion = names[0]
    report.sections.append(section)
    report.conclusion = names[0]
    report.checks = names.map {
      Check("ulp.max<=1", $0, .failed, value: .text($0), limit: .number(1), message: $0)
    }
    return report
  }

  @Test(arguments: batches) func nothingUnsafeIsWritten(_ names: [String]) {
    let report = report(names)
    for emitter in EmitterRegistry.all {
      for style in [Style(), Style(width: 40, wraps: true)] {
        for scalar in emitter.text(report, style).unicodeScalars where scalar != "\n" {
          #expect(!Escaping.isUnsafe(scalar), "\(emitter.name): U+\(String(scalar.value, radix: 16))")
        }
      }
    }
    for name in names { #expect(!Escaping.line(name).unicodeScalars.contains(where: Escaping.isUnsafe)) }
  }

  @Test(arguments: batches) func jsonGivesNamesBack(_ names: [String]) throws {
    let text = JSONEmitter.text(report(names), Style())
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let results = try #require(object["results"] as? [[String: Any]])
    let found = results.prefix(names.count).compactMap { $0["name"] as? String }
    // By scalars: Swift's own equality is of what looks the same.
    #expect(found.map { Array($0.unicodeScalars) } == names.map { Array($0.unicodeScalars) })
  }

  @Test(arguments: batches) func csvHasFieldsOfOneNumberAndNoFormula(_ names: [String]) throws {
    let rows = try CSVReader.rows(CSVEmitter.text(report(names), Style()))
    #expect(rows.allSatisfy { $0.count == rows[0].count })
    #expect(rows.count == 1 + 2 * names.count)
    let column = try #require(rows[0].lastIndex(of: "name"))
    for (row, name) in zip(rows.dropFirst(), names) {
      let field = row[column]
      let first = field.unicodeScalars.first
      #expect(first.map { !["=", "+", "-", "@"].contains($0) } ?? true, "\(field)")
      let plain = Escaping.line(name)
      #expect(
        Array(field.unicodeScalars).suffix(plain.unicodeScalars.count) == Array(plain.unicodeScalars)[...])
    }
  }

  @Test(arguments: batches) func markdownTablesKeepTheirCells(_ names: [String]) {
    let text = MarkdownEmitter.text(report(names), Style(columns: .all))
    var widths: Set<Int> = []
    var isVerbatim = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "~~~~~~" { isVerbatim.toggle() }
      guard !isVerbatim, line.unicodeScalars.first == "|" else { continue }
      var cells = 0
      var isEscaped = false
      for scalar in line.unicodeScalars {
        if scalar == "|" && !isEscaped { cells += 1 }
        isEscaped = scalar == "\\" && !isEscaped
      }
      widths.insert(cells)
    }
    // A bar before each of seven columns, and one at the end.
    #expect(widths == [8])
  }

  @Test(arguments: batches) func xmlIsWellFormed(_ names: [String]) throws {
    final class Reader: NSObject, XMLParserDelegate {
      var messages: [String] = []
      func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
      ) {
        if element == "failure" { messages.append(attributes["message"] ?? "") }
      }
    }
    let parser = XMLParser(data: Data(JUnitEmitter.text(report(names), Style()).utf8))
    let reader = Reader()
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    #expect(
      reader.messages.map { Array($0.unicodeScalars) }
        == names.map { Array(Escaping.line($0).unicodeScalars) })
  }

  @Test func whatIsHarmlessStaysAsItIs() {
    for name in [
      "model.layers.0.self_attn.q_proj.weight", "é", "日本語", "f8e4m3fn:saturate", "int8@token", "a b",
    ] {
      #expect(Escaping.line(name) == name && Escaping.csv(name) == name)
      #expect(Escaping.markdown(name) == name && Escaping.xml(name) == name)
    }
    #expect(Escaping.line("a\u{1b}[0m\u{202e}") == "a\\u{1b}[0m\\u{202e}")
    #expect(Escaping.json("a\"\\\u{1f}\u{e0041}") == "a\\\"\\\\\\u001f\\udb40\\udc41")
    #expect(Escaping.csv("-1,5") == "\"'-1,5\"" && Escaping.csv("a\"b") == "\"a\"\"b\"")
    #expect(Escaping.markdown("a|b_c_ *x*") == "a\\|b_c\\_ \\*x\\*")
    #expect(Escaping.markdownLine("# x") == "\\# x" && Escaping.markdownLine("- x") == "\\- x")
    #expect(Escaping.xml("<a b='c'>&\"") == "&lt;a b=&#39;c&#39;&gt;&amp;&quot;")
  }
}

/// RFC 4180, read scalar by scalar and strictly.
enum CSVReader {
  struct Broken: Error { let at: Int }

  static func rows(_ text: String) throws -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var field = String.UnicodeScalarView()
    let scalars = Array(text.unicodeScalars)
    var i = 0
    func closes(_ i: Int) -> Bool { i == scalars.count || scalars[i] == "," || scalars[i] == "\n" }
    while i < scalars.count {
      if scalars[i] == "\"" {
        i += 1
        while true {
          guard i < scalars.count else { throw Broken(at: i) }
          if scalars[i] == "\"" {
            guard i + 1 < scalars.count, scalars[i + 1] == "\"" else { break }
            i += 1
          }
          field.append(scalars[i])
          i += 1
        }
        i += 1
        guard closes(i) else { throw Broken(at: i) }
      } else {
        while !closes(i) {
          if scalars[i] == "\"" || scalars[i] == "\r" { throw Broken(at: i) }
          field.append(scalars[i])
          i += 1
        }
      }
      row.append(String(field))
      field = .init()
      if i == scalars.count || scalars[i] == "\n" {
        rows.append(row)
        row = []
      } else if i + 1 == scalars.count || scalars[i + 1] == "\n" {
        // An empty last field.
        row.append("")
        rows.append(row)
        row = []
        i += 1
      }
      i += 1
    }
    return rows
  }
}
