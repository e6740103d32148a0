/// For a page: GitHub's Markdown.
package enum MarkdownEmitter: Emitter {
  package static let name = "markdown"
  package static let summary = "for a page"

  package static func text(_ report: Report, _ style: Style) -> String {
    var parts: [String] = []
    func add(_ lines: [String]) {
      let text = lines.filter { !$0.isEmpty }
      if !text.isEmpty { parts.append(text.map { $0 + "\n" }.joined()) }
    }
    func heading(_ mark: String, _ title: String) {
      if !title.isEmpty { add([mark + " " + Escaping.markdown(title)]) }
    }
    func bullets(_ lines: [String]) { add(lines.map { "- " + Escaping.markdown($0) }) }
    heading("###", report.title)
    for note in report.notes { add([Escaping.markdownLine(note)]) }
    bullets(report.findings.filter(\.leads).map(\.line))
    for section in report.sections {
      heading("####", section.title)
      for note in section.notes { add([Escaping.markdownLine(note)]) }
      bullets(section.findings.filter(\.leads).map(\.line))
      for block in section.blocks {
        switch block {
        case .lines(let lines): prose(lines).forEach { add($0) }
        case .verbatim(let lines):
          // Longer than any run of backticks within.
          add(["~~~~~~"] + lines.map(Escaping.line) + ["~~~~~~"])
        case .table(let table): self.table(table, style).forEach { add($0) }
        }
      }
      bullets(section.findings.filter { !$0.leads }.map(\.line))
      if !section.conclusion.isEmpty { add(["**\(Escaping.markdown(section.conclusion)).**"]) }
    }
    bullets(report.findings.filter { !$0.leads }.map(\.line))
    if !report.conclusion.isEmpty { add(["**\(Escaping.markdown(report.conclusion)).**"]) }
    bullets(
      report.checks.filter { !$0.isImplied || !$0.passed }.map { check in
        check.passed
          ? "passed: " + (check.place.isEmpty ? "" : check.place + ": ") + check.name
          : "FAILED: \(check.message)"
      })
    if let reason = report.uncheckedReason { bullets([reason]) }
    return parts.joined(separator: "\n")
  }

  /// A paragraph for each line, a list of those that belong to one.
  private static func prose(_ lines: [String]) -> [[String]] {
    var groups: [[String]] = []
    for line in lines {
      if line.hasPrefix("  ") {
        let item = "- " + Escaping.markdown(String(line.drop { $0 == " " }))
        if groups.last?.first?.hasPrefix("- ") == true {
          groups[groups.count - 1].append(item)
        } else {
          groups.append([item])
        }
      } else {
        groups.append([Escaping.markdownLine(line)])
      }
    }
    return groups
  }

  private static func table(_ table: Table, _ style: Style) -> [[String]] {
    guard table.audience != .machines, !table.rows.isEmpty else { return [] }
    let shown = Selection(table, style.columns).shown
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    var lines = [line(shown.map { Escaping.markdown(table.columns[$0].name) })]
    lines.append(line(shown.map { table.columns[$0].alignment == .left ? "---" : "---:" }))
    for r in table.readingOrder {
      lines.append(line(shown.map { Escaping.markdown(table.rows[r].cells[$0].text) }))
    }
    let title = table.title.isEmpty ? [] : [[Escaping.markdownLine(table.title)]]
    let reasons = table.reasons(shown).map { "- " + Escaping.markdown($0) }
    return title + [lines, reasons]
  }
}
