import Foundation
import Testing

import Reports

/// The page: whole, alone, and in order.
@Suite struct PageTests {
  private static func report() throws -> Report {
    var report = Samples.report((0..<12).map { "row \($0)" })
    report.sections[0].charts = [
      .bars("largest", of: Samples.table(["a", "b", "c"]), [Samples.largest, Samples.bound]),
      .points(
        "against", of: Samples.table(["a", "b"]), x: Samples.mean, y: Samples.largest, marked: nil, as: "best"
      ),
      .lines(
        "by name", of: Samples.table(["a", "b"]), x: Samples.mean, y: Samples.largest, by: Samples.verdict),
      Chart(
        .histogram, "counts", x: .init("size"), y: .init("elements"),
        [
          .init(
            "", [.init(x: 1, y: 3, label: "1"), .init(x: 2, y: 0, label: "2"), .init(x: 4, y: 1, label: "4")])
        ]),
    ]
    report.commandLine = "numcheck sample 'a b'"
    try report.check([Limit(parsing: "ulp.max<=3")])
    return report
  }

  /// Elements that are opened are closed, in order.
  private static func isBalanced(_ page: String) -> Bool {
    let void: Set<Substring> = ["meta", "input"]
    var open: [Substring] = []
    var text = page[...]
    for (from, to) in [("<style>", "</style>"), ("<script>", "</script>")] {
      guard let a = text.range(of: from), let b = text.range(of: to) else { return false }
      text = Substring(text[..<a.lowerBound] + text[b.upperBound...])
    }
    for match in text.matches(of: /<(\/?)([a-z0-9]+)[^>]*?(\/?)>/) {
      if match.output.1.isEmpty {
        if !void.contains(match.output.2) && match.output.3.isEmpty { open.append(match.output.2) }
      } else if open.popLast() != match.output.2 {
        return false
      }
    }
    return open.isEmpty
  }

  /// Readers of screens list sections by name.
  @Test func headingsAreToldApart() throws {
    var report = try Self.report()
    let untitled = try #require(report.sections.first)
    var words = untitled
    (words.title, words.charts, words.blocks) = ("", [], [.lines(["a line"])])
    var figures = untitled
    figures.title = ""
    var named = figures
    var table = Samples.table(["a"])
    table.title = "by matrix"
    (named.charts, named.blocks) = ([], [.table(table)])
    report.sections = [untitled, figures, untitled, words, figures, named]
    let page = HTMLEmitter.text(report, Style())
    let headings = page.matches(of: /<h2[^>]*>([^<]*)</).map { String($0.output.1) }
    #expect(Set(headings).count == headings.count, "\(headings)")
    #expect(
      headings.contains("Figures (2)") && headings.contains("Notes") && headings.contains("By matrix"),
      "\(headings)")
  }

  /// A section of tables for machines leaves no heading, and one of a titled table is called as that.
  @Test func sectionsWithoutWordsAreNamedByTheirTables() throws {
    var report = Samples.report()
    var machines = Table("octaves", rows: 1, for: .machines)
    machines.add(Samples.name) { _ in .text("a") }
    report.add(machines)
    var titled = Samples.table(["a"])
    titled.title = "along the sequence"
    report.add(titled)
    let page = HTMLEmitter.text(report, Style())
    let headings = page.matches(of: /<h2[^>]*>([^<]*)</).map { String($0.output.1) }
    #expect(
      headings.filter { !["To be known", "How it was found", "Facts"].contains($0) } == [
        "Figures", "Along the sequence",
      ])
  }

  /// Lines that lie on one another are one, of both names, and the last name on an axis is not cut off.
  @Test func linesAndAxesCanBeRead() throws {
    var table = Table("octaves", rows: 9)
    table.add(Samples.name) { .text(["table", "fly", "other"][$0 % 3]) }
    table.add(Samples.mean) { .number([1, 100, 10_000][$0 / 3]) }
    table.add(Samples.largest) { .number(Double($0 / 3 + ($0 % 3 == 2 ? 1 : 0))) }
    let chart = Chart.lines("by position", of: table, x: Samples.mean, y: Samples.largest, by: Samples.name)
    #expect(chart.series.map(\.name) == ["table, fly", "other"])
    var report = Samples.report()
    report.sections[0].charts = [chart]
    let page = HTMLEmitter.text(report, Style())
    #expect(page.contains(/<text x="720" y="[0-9.]+" text-anchor="end" class="quiet">10000</))
    #expect(page.contains(/text-anchor="middle" class="quiet">100</))
  }

  @Test func isWholeAndAlone() throws {
    let page = HTMLEmitter.text(try Self.report(), Style())
    #expect(page.hasPrefix("<!doctype html>\n<html lang=\"en\">") && page.hasSuffix("</html>\n"))
    #expect(Self.isBalanced(page))
    #expect(page.contains("default-src 'none'"))
    for word in ["http:", "https:", "src=", "@import", "url("] { #expect(!page.contains(word), "\(word)") }
    #expect(page.utf8.count < 1 << 20)
    #expect(page.contains("numcheck sample &#39;a b&#39;"))
  }

  /// What decides comes first, then what failed, then the figures.
  @Test func verdictComesFirst() throws {
    let page = HTMLEmitter.text(try Self.report(), Style())
    func place(_ text: String) throws -> String.Index {
      try #require(page.range(of: text), "\(text)").lowerBound
    }
    let order = try [
      "<h1>", "10 of 12 checks FAILED", ">Checks</h2>", ">FAILED</td>", ">passed</td>", ">Figures</h2>",
    ]
    .map(place)
    #expect(order == order.sorted())
    // Columns that are not shown are there behind the switch, and sort by the number in full.
    #expect(page.contains("class=\"n more\"") && page.contains("data-v=\"1.5\""))
  }

  /// Many that passed are folded away, what failed is not.
  @Test func whatPassedIsFolded() throws {
    var report = Samples.report((0..<40).map { "row \($0)" })
    try report.check([Limit(parsing: "ulp.max<=30")])
    let page = HTMLEmitter.text(report, Style())
    let folded = try #require(page.range(of: "<summary>29 passed</summary>"))
    #expect(
      page[..<folded.lowerBound].contains(">FAILED</td>")
        && !page[..<folded.lowerBound].contains(">passed</td>"))
    #expect(Self.isBalanced(page))
  }

  @Test func chartsSayWhatTheyCannotDraw() throws {
    let page = HTMLEmitter.text(try Self.report(), Style())
    #expect(page.matches(of: /<svg\s/).count == 4)
    #expect(page.contains("bound of c: the bound is vacuous"))
    #expect(page.contains("<title>a: max ulp 1.50</title>"))
    let nan = Chart.points("x", of: Samples.table(["a"]), x: Samples.share, y: Samples.mean)
    #expect(nan.isEmpty && nan.missing == ["|sum-1| of a: no row is finite"])
  }

  /// A point outside its picture would be lost.
  @Test(arguments: [
    [0.0], [1, 1, 1], [0, 1e-9, 1e9], [-5, 3], [1e-300, 1e300], [0.1, 0.2, 0.30000000000000004], [-1e6, -1],
  ])
  func marksStayInside(_ values: [Double]) throws {
    let points = values.enumerated().map { Chart.Point(x: $0.element, y: $0.element, label: "p\($0.offset)") }
    for form in [Chart.Form.points, .lines, .bars, .histogram] {
      var report = Samples.report()
      report.sections[0].charts = [Chart(form, "t", x: .init("x"), y: .init("y"), [.init("", points)])]
      let page = HTMLEmitter.text(report, Style())
      let box = try #require(page.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/))
      let (width, height) = try (#require(Double(box.1)), #require(Double(box.2)))
      for mark in page.matches(of: /c?x="(-?[0-9.e+-]+)" c?y="(-?[0-9.e+-]+)"/) {
        let (x, y) = try (#require(Double(mark.1)), #require(Double(mark.2)))
        #expect((0...width).contains(x) && (0...height).contains(y), "\(form) \(mark.0)")
      }
      if form == .points { #expect(page.matches(of: /<circle/).count == values.count) }
    }
  }

  /// What is marked has one name and a colour of its own, also where it is a series.
  @Test func marksHaveOneName() throws {
    var chart = Chart(
      .points, "t", x: .init("x"), y: .init("y"),
      [
        .init("curve", [.init(x: 1, y: 1, label: "a")]), .init("others", [.init(x: 2, y: 1, label: "b")]),
        .init("the one", [.init(x: 3, y: 1, label: "c", marked: true)]),
      ])
    chart.markName = "the one"
    var report = Samples.report()
    report.sections[0].charts = [chart]
    let page = HTMLEmitter.text(report, Style())
    #expect(page.matches(of: />the one</).count == 1)
    let colours = page.matches(of: /width="10" height="10" class="(f[0-9])"/).map { String($0.output.1) }
    #expect(colours.count == 3 && Set(colours).count == 3 && colours.last == "f1", "\(colours)")
  }

  /// The scale of a heat map ends within its picture, however long its rows' names.
  @Test func theScaleOfAHeatMapStaysInside() throws {
    let points = [1.5, 61.25].enumerated().map { k, value in
      var point = Chart.Point(x: Double(k), y: 0, label: "p")
      point.value = value
      return point
    }
    var chart = Chart(.heat, "t", x: .init("layer"), y: .init("SQNR", unit: "dB"), [.init("", points)])
    (chart.columnNames, chart.rowNames) = (["0", "1"], ["attention.output.LayerNorm.bias"])
    var report = Samples.report()
    report.sections[0].charts = [chart]
    let page = HTMLEmitter.text(report, Style())
    let title = try #require(
      page.firstMatch(of: /<text x="([0-9.]+)" y="[0-9.]+" text-anchor="start">SQNR \(dB\)</))
    #expect(try #require(Double(title.output.1)) + 7 * 9 <= 720)
  }

  /// Names from files are text wherever they stand, in pictures too.
  @Test func hostileNamesStayText() {
    for name in Samples.hostile + ["</script>", "<img src=x onerror=alert(1)>", "\" onload=\""] {
      var report = Samples.report([name])
      report.sections[0].charts = [.bars(name, of: Samples.table([name]), [Samples.largest])]
      report.commandLine = name
      #expect(Self.isBalanced(HTMLEmitter.text(report, Style())), "\(name)")
    }
  }
}
