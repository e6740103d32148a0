/// For a browser: one page that needs nothing beside it. The verdict first, then what was checked, what there is to know, figures in
/// tables that sort and filter, pictures of them, and the line that makes it all again.
package enum HTMLEmitter: Emitter {
  package static let name = "html"
  package static let summary = "for a browser: one page with tables and charts, that loads nothing"

  package static func text(_ report: Report, _ style: Style) -> String {
    var page = PageWriter()
    page.begin(title: "numcheck \(report.command): \(word(report.status))")
    page.add("<header>")
    page.element("p", class: "tool", "numcheck \(report.version), \(report.command)")
    page.element("h1", report.title.isEmpty ? report.command : report.title)
    page.add("<p class=\"verdict \(report.status.rawValue)\"><strong>\(word(report.status))</strong> ")
    page.add(Escaping.xml(report.verdictLine) + "</p>")
    page.paragraphs([report.wholeConclusion], class: "conclusion")
    page.add("</header>\n<main id=\"main\">\n")
    checks(report, &page)
    if !report.findings.isEmpty {
      page.section("To be known") { $0.findings(report.findings) }
    }
    for section in report.sections { self.section(section, style, &page) }
    if !report.notes.isEmpty {
      page.section("How it was found") { $0.paragraphs(report.notes) }
    }
    facts(report, &page)
    if !report.commandLine.isEmpty {
      page.section("Make it again") { page in
        page.add("<pre tabindex=\"0\"><code>\(Escaping.xml(report.commandLine))</code></pre>\n")
      }
    }
    page.add("</main>\n")
    return page.ended()
  }

  private static func word(_ status: Report.Status) -> String {
    switch status {
    case .ok: "ok"
    case .failed: "FAILED"
    case .unchecked: "not checked"
    }
  }

  private static func checks(_ report: Report, _ page: inout PageWriter) {
    let asked = report.checks.filter { !$0.isImplied || !$0.passed }
    if asked.isEmpty && report.uncheckedReason == nil { return }
    let (bad, good) = (asked.filter { !$0.passed }, asked.filter(\.passed))
    page.section("Checks") { page in
      if let reason = report.uncheckedReason { page.paragraphs([reason]) }
      // Hundreds that passed are there, and in nobody's way.
      guard good.count > mostPassed else { return page.table(table(bad + good), caption: "Checks") }
      if !bad.isEmpty { page.table(table(bad), caption: "What did not hold") }
      page.add("<details><summary>\(Figures.count(good.count)) passed</summary>\n")
      page.table(table(good), caption: "What held")
      page.add("</details>\n")
    }
  }

  private static let mostPassed = 12

  private static func table(_ checks: [Check]) -> Table {
    var table = Table("checks", rows: checks.count)
    table.add(outcome) { i in
      switch checks[i].outcome {
      case .passed: .text("passed", tone: .good)
      case .failed: .text("FAILED", tone: .bad)
      case .withoutValue: .text("not checked", tone: .doubtful)
      }
    }
    table.add(place) { .text(checks[$0].place) }
    table.add(limit) { .text(checks[$0].name) }
    table.add(value) { i in
      checks[i].value.double.map { .number($0) } ?? .text(JSONValue.spelled(checks[i].value))
    }
    if checks.contains(where: { !$0.message.isEmpty }) { table.add(message) { .text(checks[$0].message) } }
    if checks.contains(where: { $0.location != nil }) {
      table.add(line) { .text(checks[$0].location?.text ?? "") }
    }
    return table
  }

  private static let outcome = Column("outcome", "outcome", .decides, "whether the limit held", align: .left)
  private static let place = Column(
    "where", "where", .decides, "what the figure is of", align: .left, key: true)
  private static let limit = Column("limit", "limit", .decides, "what was asked for", align: .left)
  private static let value = Column("value", "value", .decides, "the figure")
  private static let message = Column(
    "what happened", "message", .decides, "what failed, by how much, where", align: .left, prose: true)
  private static let line = Column("line", "line", .decides, "where the check is written", align: .left)

  /// Its title, or what it consists of.
  private static func heading(_ section: Section) -> String {
    if !section.title.isEmpty { return section.title }
    let isDrawn = section.charts.contains { !$0.isEmpty }
    let shown = tables(section)
    if !isDrawn, shown.count == 1, let title = shown.first?.title, let first = title.first {
      return first.uppercased() + title.dropFirst()
    }
    return isDrawn || !shown.isEmpty ? "Figures" : "Notes"
  }

  /// The tables that people see.
  private static func tables(_ section: Section) -> [Table] {
    section.blocks.compactMap {
      if case .table(let table) = $0, table.audience != .machines, !table.rows.isEmpty { table } else { nil }
    }
  }

  /// Whether there is nothing for people in it: tables for machines alone.
  private static func isEmpty(_ section: Section) -> Bool {
    section.title.isEmpty && section.notes.isEmpty && section.findings.isEmpty
      && section.charts.allSatisfy(\.isEmpty) && tables(section).isEmpty
      && section.blocks.allSatisfy {
        switch $0 {
        case .lines(let lines): lines.allSatisfy(\.isEmpty)
        case .verbatim: false
        case .table: true
        }
      }
  }

  private static func section(_ section: Section, _ style: Style, _ page: inout PageWriter) {
    if isEmpty(section) { return }
    page.section(heading(section)) { page in
      page.paragraphs([section.title.isEmpty ? "" : section.conclusion], class: "conclusion")
      page.findings(section.findings.filter(\.leads))
      page.paragraphs(section.notes)
      for chart in section.charts where !chart.isEmpty { page.chart(chart) }
      for block in section.blocks {
        switch block {
        case .lines(let lines): page.prose(lines)
        case .verbatim(let lines):
          page.add("<pre tabindex=\"0\">\(lines.map(Escaping.xml).joined(separator: "\n"))</pre>\n")
        case .table(let table):
          guard table.audience != .machines, !table.rows.isEmpty else { continue }
          let shown = Selection(table, style.columns).shown
          page.table(table, shown, caption: table.title.isEmpty ? table.key : table.title)
          page.list(table.reasons(shown))
        }
      }
      page.findings(section.findings.filter { !$0.leads })
    }
  }

  private static func facts(_ report: Report, _ page: inout PageWriter) {
    let facts = report.facts.filter { $0.value.isScalar && $0.value != .none }
    if facts.isEmpty { return }
    page.section("Facts") { page in
      page.add("<dl>\n")
      for fact in facts {
        page.add(
          "<div><dt>\(Escaping.xml(fact.path))</dt><dd>\(Escaping.xml(JSONValue.spelled(fact.value)))</dd></div>\n"
        )
      }
      page.add("</dl>\n")
    }
  }
}
