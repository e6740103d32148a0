/// For people at a terminal.
package enum TextEmitter: Emitter {
  package static let name = "text"
  package static let summary = "for people at a terminal"

  package static func text(_ report: Report, _ style: Style) -> String {
    var page = Page(style)
    var head = [report.title] + report.notes + report.findings.filter(\.leads).map(\.line)
    for (i, section) in report.sections.enumerated() {
      // What a lone section begins with belongs to the report's own head.
      if i > 0 || !section.title.isEmpty {
        page.add(head)
        head = []
      }
      head += [section.title] + section.notes + section.findings.filter(\.leads).map(\.line)
      page.add(head)
      head = []
      for block in section.blocks { page.add(block) }
      page.add(section.findings.filter { !$0.leads }.map(\.line))
      page.add([sentence(section.conclusion)])
    }
    page.add(head)
    page.add(report.findings.filter { !$0.leads }.map(\.line))
    page.add([sentence(report.conclusion)])
    page.add(checks(report))
    return page.text
  }

  private static func sentence(_ text: String) -> String { text.isEmpty ? "" : text + "." }

  /// How many checks passed, and those that did not.
  private static func checks(_ report: Report) -> [String] {
    let asked = report.checks.filter { !$0.isImplied || !$0.passed }
    if asked.isEmpty { return [] }
    let failed = asked.filter { !$0.passed }
    if let reason = report.uncheckedReason { return ["checks: \(reason)"] }
    return failed.isEmpty
      ? ["checks: all \(asked.count) passed"]
      : ["checks: \(failed.count) of \(asked.count) FAILED"] + failed.map { "  " + $0.message }
  }

  /// Paragraphs, an empty line between them.
  private struct Page {
    private let style: Style
    private(set) var text = ""

    init(_ style: Style) { self.style = style }

    /// A paragraph of lines that are not empty.
    mutating func add(_ lines: [String]) {
      let escaped = lines.filter { !$0.isEmpty }.map(Escaping.line)
      write(style.wraps ? escaped.flatMap { TextWidth.wrapped($0, to: style.width) } : escaped)
    }

    mutating func add(_ block: Block) {
      switch block {
      case .lines(let lines): add(lines)
      case .verbatim(let lines): write(lines.map(Escaping.line))
      case .table(let table): add(table)
      }
    }

    private mutating func add(_ table: Table) {
      guard table.audience != .machines, !table.rows.isEmpty else { return }
      let layout = Layout(table, style)
      var lines = layout.lines { tone, text in style.hasColour ? Self.coloured(text, tone) : text }
      if !table.title.isEmpty { lines.insert(Escaping.line(table.title), at: 0) }
      write(lines)
      var remarks = table.reasons(layout.selection.shown)
      let dropped = layout.selection.dropped
      if !dropped.isEmpty { remarks.append("no room for: \(dropped.joined(separator: ", ")) (--wide)") }
      add(remarks)
    }

    private static func coloured(_ text: String, _ tone: Cell.Tone) -> String {
      let code =
        switch tone {
        case .plain: 0
        case .good: 32
        case .doubtful: 33
        case .bad: 31
        }
      return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    private mutating func write(_ lines: [String]) {
      if lines.isEmpty { return }
      if !text.isEmpty { text += "\n" }
      for line in lines { text += line + "\n" }
    }
  }
}
