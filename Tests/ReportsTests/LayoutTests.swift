import Testing

import Reports

/// What people see fits where they look.
@Suite struct LayoutTests {
  private func lines(_ report: Report, _ style: Style) -> [String] {
    TextEmitter.text(report, style).split(separator: "\n").map(String.init)
  }

  @Test func widthsAreCountedOnScalars() {
    #expect(TextWidth.of("abc") == 3 && TextWidth.of("") == 0)
    #expect(TextWidth.of("e\u{301}") == 1 && TextWidth.of("\u{301}") == 0)
    #expect(TextWidth.of("日本語") == 6 && TextWidth.of("한국") == 4 && TextWidth.of("ａ") == 2)
    #expect(TextWidth.of("🦀") == 2 && TextWidth.of("—") == 1 && TextWidth.of("Ω") == 1)
    #expect(TextWidth.of("a\u{200d}b") == 2)
  }

  @Test func namesAreShortenedInTheMiddle() {
    #expect(TextWidth.shortened("model.layers.10.weight", to: 22) == "model.layers.10.weight")
    #expect(TextWidth.shortened("model.layers.10.weight", to: 11) == "model…eight")
    #expect(TextWidth.shortened("日本語日本語", to: 7) == "日…本語")
    // No accent is left behind without its letter.
    #expect(TextWidth.shortened("abcde\u{301}f", to: 4) == "ab…f")
    for width in 0...12 {
      for name in Samples.hostile.map(Escaping.line) {
        #expect(TextWidth.of(TextWidth.shortened(name, to: width)) <= width)
      }
    }
  }

  @Test func linesBreakAtWords() {
    #expect(TextWidth.wrapped("one two three four", to: 9) == ["one two", "  three", "  four"])
    #expect(TextWidth.wrapped("  one two three", to: 9) == ["  one two", "    three"])
    #expect(TextWidth.wrapped("a unbreakable b", to: 5) == ["a", "  unbreakable", "  b"])
    #expect(TextWidth.wrapped("short", to: 9) == ["short"])
  }

  /// Whatever the width, no line of a table is wider, keys are there, and what is missing is named.
  @Test(arguments: [24, 40, 60, 80, 100, 140]) func tablesFit(_ width: Int) {
    let long = "model.layers.10.post_attention_layernorm.weight.and.then.some.more.of.it.until.it.is.long"
    let report = Samples.report(["naive", long, "日本語日本語日本語日本語日本語日本語"], lost: [0, 3, 0])
    let shown = lines(report, Style(width: width, wraps: true))
    #expect(shown.allSatisfy { TextWidth.of($0) <= width || !$0.contains("  ") }, "\(shown)")
    let title = shown.firstIndex { $0.hasPrefix("name") } ?? 0
    #expect(shown[title + 1].hasPrefix("naive"))
    let all = ["verdict", "lost", "max ulp", "bound", "|sum-1|"]
    let isMissing = all.filter { !shown[title].contains($0) }
    let said = shown.dropFirst(title).joined(separator: " ")
    for name in isMissing { #expect(said.contains(name) && said.contains("no room for"), "\(name): \(said)") }
    #expect(isMissing.isEmpty == (width >= 80))
  }

  /// Names that differ in their middle alone are not made one; the least important column gives way.
  @Test func namesThatDifferLookIt() {
    let names = ["f16", "bf16", "f32"].map { "softmax {dtype=\($0), range=10, length=128}" }
    for width in [50, 60, 66, 70] {
      let shown = lines(Samples.report(names), Style(width: width))
      let title = shown.firstIndex { $0.hasPrefix("name") } ?? 0
      let first = shown[(title + 1)...(title + 3)].map { $0.split(separator: "  ")[0] }
      #expect(Set(first).count == 3, "\(width): \(first)")
    }
  }

  @Test func theLeastImportantGoesFirst() {
    // All of it takes 50 columns.
    let report = Samples.report(lost: [1, 0, 0])
    func titles(_ width: Int) -> String {
      lines(report, Style(width: width)).first { $0.hasPrefix("name") } ?? ""
    }
    #expect(titles(60) == "name     verdict  lost  max ulp    bound  |sum-1|")
    #expect(titles(45) == "name     verdict  lost  max ulp    bound")
    #expect(titles(38) == "name     verdict  lost  max ulp")
    #expect(titles(28) == "name     verdict  max ulp")
    #expect(titles(20) == "name     verdict")
  }

  @Test func columnsAreChosen() throws {
    let report = Samples.report()
    func titles(_ choice: ColumnChoice) -> String {
      lines(report, Style(width: 20, columns: choice)).first { $0.hasPrefix("name") } ?? ""
    }
    #expect(titles(.all) == "name     verdict  lost  max ulp   mean    bound  |sum-1|")
    // By path or by title, in the table's order, keys always.
    #expect(titles(ColumnChoice(parsing: "ulp.mean, MAX ULP")) == "name     max ulp   mean")
    #expect(ColumnChoice(parsing: "x,ALL") == .all)
    #expect(throws: Never.self) { try ColumnChoice(parsing: "lost").check(report) }
    let error = #expect(throws: ColumnError.self) { try ColumnChoice(parsing: "ulp.men").check(report) }
    #expect(error?.description == "--columns: no column 'ulp.men'; did you mean ulp.mean, ulp.max?")
    #expect(throws: ColumnError.self) { try ColumnChoice(parsing: "data").check(report) }
    #expect(throws: ColumnError.self) { try ColumnChoice(parsing: " , ").check(report) }
  }

  /// A column of zeros says nothing; one with a number does.
  @Test func columnsOfZerosAreHidden() {
    #expect(!lines(Samples.report(), Style()).contains { $0.contains("lost") })
    #expect(lines(Samples.report(lost: [0, 0, 2]), Style()).contains { $0.contains("lost") })
  }

  @Test func sentencesTakeSeveralLines() {
    var table = Table(rows: 2)
    table.add(Samples.name) { .text("n\($0)") }
    table.add(Column("what", "what", .decides, "what it is", align: .left, prose: true)) {
      .text($0 == 0 ? "one two three four five six seven eight nine ten eleven twelve" : "short")
    }
    var report = Report(command: "list", version: "1")
    report.add(table)
    #expect(
      lines(report, Style(width: 39)) == [
        "name  what", "n0    one two three four five six seven", "      eight nine ten eleven twelve",
        "n1    short",
      ])
  }

  @Test func aFigureWithoutValueHasItsReason() {
    let shown = lines(Samples.report(), Style())
    #expect(shown.contains("- in |sum-1|: no row is finite"))
  }

  @Test func coloursAreForTerminals() {
    #expect(TextEmitter.text(Samples.report(), Style(hasColour: true)).contains("\u{1b}[31mbug    \u{1b}[0m"))
    #expect(!TextEmitter.text(Samples.report(), Style()).contains("\u{1b}"))
  }
}
