import Foundation
import Testing

import Reports

@Suite struct EmitterTests {
  /// A file in the folder is a line in the registry.
  @Test func everyEmitterIsRegistered() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources/Reports/Emitters")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0 != "Emitter.swift"
    }
    #expect(Set(files) == Set(EmitterRegistry.all.map { "\($0).swift" }))
    #expect(Set(EmitterRegistry.all.map { $0.name }).count == EmitterRegistry.all.count)
    for emitter in EmitterRegistry.all {
      #expect(EmitterRegistry.named(emitter.name).map { $0 == emitter } == true)
    }
  }

  @Test func text() {
    let expected = """
      a sample
      truth: known
      left out: naive: holds nothing

      name     verdict  max ulp    bound  |sum-1|
      naive    ok          1.50     2.00        -
      shifted  bug         2.50     3.00  0.00100
      online   ok          3.50  vacuous  0.00100

      - in |sum-1|: no row is finite

      all is well.

      """
    #expect(TextEmitter.text(Samples.report(), Style()) == expected)
  }

  @Test func markdown() {
    let expected = """
      ### a sample

      truth: known

      - left out: naive: holds nothing

      | name | verdict | max ulp | bound | \\|sum-1\\| |
      | --- | --- | ---: | ---: | ---: |
      | naive | ok | 1.50 | 2.00 | - |
      | shifted | bug | 2.50 | 3.00 | 0.00100 |
      | online | ok | 3.50 | vacuous | 0.00100 |

      - - in \\|sum-1\\|: no row is finite

      **all is well.**

      """
    #expect(MarkdownEmitter.text(Samples.report(), Style()) == expected)
  }

  @Test func csv() {
    let expected = """
      command,dtype,name,verdict,lost,ulp.max,ulp.mean,bound.ulp,sumError
      sample,f16,naive,ok,0,1.5,0,2,
      sample,f16,shifted,bug,0,2.5,0.25,3,0.001
      sample,f16,online,ok,0,3.5,0.5,1000000000,0.001

      """
    #expect(CSVEmitter.text(Samples.report(), Style()) == expected)
    let two = CSVEmitter.text(Samples.report(), Style(columns: .named(["lost"])))
    #expect(two.hasPrefix("command,dtype,name,lost\n"))
  }

  /// Tables of other columns in one report: every line has a field for each.
  @Test func csvOfTablesThatDiffer() {
    var report = Samples.report(["a"])
    var other = Table(rows: 1)
    other.add(Samples.name) { _ in .text("b") }
    other.add(Column("more", "more", .useful, "more")) { _ in .count(7) }
    report.add(other)
    let rows = CSVEmitter.text(report, Style()).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    #expect(
      rows[0].suffix(2) == ["sumError", "more"] && rows[2].last == "7" && rows[2][3...6].allSatisfy(\.isEmpty)
    )
    #expect(rows.allSatisfy { $0.count == rows[0].count })
  }

  @Test func json() throws {
    var report = Samples.report(["naive"])
    report.facts.append(Fact("seed", .unsigned(.max)))
    report.facts.append(Fact("largest", .number(-.infinity)))
    report.add(Table("layers", rows: 0))
    try report.check([Limit(parsing: "ulp.max<=1")])
    let text = JSONEmitter.text(report, Style())
    let expected = """
      {
        "schema": "numcheck/2",
        "version": "1.2.3",
        "command": "sample",
        "dtype": "f16",
        "rows": 3,
        "input": {
          "nan": 2,
          "origin": "file"
        },
        "seed": 18446744073709551615,
        "largest": "-inf",
        "results": [
          {
            "name": "naive",
            "verdict": "ok",
            "lost": 0,
            "ulp": {
              "max": 1.5,
              "maxHex": "0x1.8p+0",
              "mean": 0
            },
            "bound": {
              "ulp": 2
            },
            "sumError": null,
            "data": {
              "row": 0,
              "inner": {
                "x": 0.5
              }
            },
            "withoutValue": {
              "sumError": "no row is finite"
            }
          }
        ],
        "layers": [],
        "findings": [
          {
            "kind": "left-out",
            "message": "holds nothing",
            "where": "naive"
          }
        ],
        "checks": [
          {
            "name": "ulp.max<=1",
            "where": "naive",
            "passed": false,
            "value": 1.5,
            "limit": 1,
            "message": "naive: ulp.max is 1.5, above 1"
          }
        ],
        "conclusion": "all is well",
        "status": "failed"
      }

      """
    #expect(text == expected)
  }

  @Test func junit() throws {
    var report = Samples.report()
    try report.check([
      Limit(parsing: "naive:ulp.max<=2"), Limit(parsing: "online:ulp.max<=2"),
      Limit(parsing: "naive:sumError<=1"),
    ])
    let text = JUnitEmitter.text(report, Style())
    #expect(
      text.contains(
        "<testsuite name=\"numcheck sample\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\">"))
    #expect(text.contains("<testcase classname=\"numcheck sample.naive\" name=\"naive:ulp.max&lt;=2\"/>"))
    #expect(text.contains("<failure message=\"online: ulp.max is 3.5, above 2\"/>"))
    #expect(text.contains("<error message=\"naive: sumError has no value: no row is finite\"/>"))
    #expect(text.contains("<property name=\"input.origin\" value=\"file\"/>"))
    var partial = Samples.report()
    try partial.check([Limit(parsing: "lost==0")])
    partial.gaps = ["not all was checked: x"]
    #expect(JUnitEmitter.text(partial, Style()).contains("<error message=\"not all was checked: x\"/>"))
    #expect(JUnitEmitter.text(partial, Style()).contains("tests=\"4\" failures=\"0\" errors=\"1\""))
  }

  /// A report of sections: each under its heading, its conclusion last; one list for machines.
  @Test func sections() {
    var report = Report(command: "sample", version: "1")
    for name in ["first", "second"] {
      var section = Section(title: "tensor \(name)")
      section.notes = ["a note"]
      section.findings = [Finding("near-miss", name, "close", leads: false)]
      section.blocks = [
        .table(Samples.table([name])), .lines(["worst result", "  of all"]), .verbatim(["  ##  #"]),
      ]
      section.conclusion = "take it"
      report.sections.append(section)
    }
    #expect(report.wholeConclusion == "tensor first: take it; tensor second: take it")
    let text = TextEmitter.text(report, Style())
    #expect(
      text.hasPrefix(
        """
        tensor first
        a note

        name   verdict  max ulp  bound  |sum-1|
        first  ok          1.50   2.00        -

        - in |sum-1|: no row is finite

        worst result
          of all

          ##  #

        near miss: first: close

        take it.

        tensor second

        """))
    let markdown = MarkdownEmitter.text(report, Style())
    #expect(markdown.contains("#### tensor second\n\na note\n\n| name |"))
    #expect(
      markdown.contains("worst result\n\n- of all\n\n~~~~~~\n  ##  #\n~~~~~~\n\n- near miss: first: close"))
    #expect(CSVEmitter.text(report, Style()).split(separator: "\n").count == 3)
  }

  /// People read the worst first; machines find what was asked in the order in which it was asked.
  @Test func orders() {
    var table = Samples.table(["a", "b", "c"])
    table.readingOrder = [2, 0, 1]
    var report = Report(command: "sample", version: "1")
    report.add(table)
    func order(_ emitter: any Emitter.Type, _ mark: String) -> [Substring] {
      emitter.text(report, Style()).split(separator: "\n").compactMap { line in
        ["a", "b", "c"].first { line.hasPrefix(mark + $0 + " ") || line.hasPrefix("sample,\($0),") }.map {
          $0[...]
        }
      }
    }
    #expect(
      order(TextEmitter.self, "") == ["c", "a", "b"] && order(MarkdownEmitter.self, "| ") == ["c", "a", "b"])
    #expect(order(CSVEmitter.self, "") == ["a", "b", "c"])
  }

  /// What machines find elsewhere they are not given twice, and people are spared what is for machines.
  @Test func audiences() {
    var report = Report(command: "sample", version: "1")
    var people = Table("view", rows: 1, for: .people)
    people.add(Samples.name) { _ in .text("shown") }
    var machines = Table("raw", rows: 1, for: .machines)
    machines.add(Samples.name) { _ in .text("hidden") }
    report.add(people)
    report.add(machines)
    let (text, json) = (TextEmitter.text(report, Style()), JSONEmitter.text(report, Style()))
    #expect(text.contains("shown") && !text.contains("hidden"))
    #expect(json.contains("\"raw\"") && !json.contains("\"view\""))
    #expect(!MarkdownEmitter.text(report, Style()).contains("hidden"))
  }
}
