/// Writes the elements of a page; whatever it is given is text, and escaped.
struct PageWriter {
  private var out = ""
  /// Numbers elements that others refer to.
  private var count = 0
  /// How often each heading was asked for.
  private var headings: [String: Int] = [:]

  mutating func begin(title: String) {
    out += """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
      <title>\(Escaping.xml(title))</title>
      <style>
      \(PageAssets.style)</style>
      </head>
      <body>
      <a class="skip" href="#main">To the results</a>

      """
  }

  func ended() -> String {
    out + "<script>\n\(PageAssets.script)</script>\n</body>\n</html>\n"
  }

  /// Markup as it is.
  mutating func add(_ markup: String) { out += markup }

  mutating func element(_ name: String, class kind: String = "", _ text: String) {
    let attribute = kind.isEmpty ? "" : " class=\"\(kind)\""
    out += "<\(name)\(attribute)>\(Escaping.xml(text))</\(name)>\n"
  }

  mutating func paragraphs(_ lines: [String], class kind: String = "") {
    for line in lines where !line.isEmpty { element("p", class: kind, line) }
  }

  mutating func list(_ lines: [String]) {
    if lines.isEmpty { return }
    out += "<ul>\n"
    for line in lines { element("li", line) }
    out += "</ul>\n"
  }

  mutating func findings(_ findings: [Finding]) {
    if findings.isEmpty { return }
    out += "<ul class=\"findings\">\n"
    for finding in findings { element("li", class: finding.isWarning ? "warning" : "", finding.line) }
    out += "</ul>\n"
  }

  /// Paragraphs; lines that begin with two spaces are a list below the one above.
  mutating func prose(_ lines: [String]) {
    var items: [String] = []
    for line in lines where !line.isEmpty {
      if line.hasPrefix("  ") {
        items.append(String(line.drop { $0 == " " }))
      } else {
        list(items)
        items = []
        element("p", line)
      }
    }
    list(items)
  }

  /// A section under a heading that no other has: landmarks are told apart by their names.
  mutating func section(_ title: String, _ body: (inout PageWriter) -> Void) {
    let id = nextID()
    let times = (headings[title] ?? 0) + 1
    headings[title] = times
    let title = times == 1 ? title : "\(title) (\(times))"
    out += "<section aria-labelledby=\"\(id)\">\n<h2 id=\"\(id)\">\(Escaping.xml(title))</h2>\n"
    body(&self)
    out += "</section>\n"
  }

  private mutating func nextID() -> String {
    count += 1
    return "e\(count)"
  }

  mutating func chart(_ chart: Chart) {
    let id = nextID()
    out += "<figure>\n<figcaption id=\"\(id)\">\(Escaping.xml(chart.title))</figcaption>\n"
    out += "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"\(id)\">\n"
    out += ChartDrawing(chart, id: id).svg
    out += "</div>\n"
    if !chart.missing.isEmpty {
      out += "<details><summary>Not drawn: \(chart.missing.count)</summary>\n"
      list(chart.missing)
      out += "</details>\n"
    }
    out += "</figure>\n"
  }

  /// A table, all of it.
  mutating func table(_ table: Table, caption: String) {
    self.table(table, Array(table.columns.indices), caption: caption)
  }

  /// A table: `shown` columns, the others behind a switch.
  mutating func table(_ table: Table, _ shown: [Int], caption: String) {
    let id = nextID()
    let columns = table.columns.indices.filter { table.columns[$0].importance != .machine }
    let hidden = columns.filter { !shown.contains($0) }
    out += "<div class=\"table\">\n"
    if table.rows.count > 8 {
      out +=
        "<label class=\"filter\">Filter rows <input type=\"search\" data-table=\"\(id)\"></label> "
        + "<span class=\"count\" role=\"status\" id=\"\(id)-count\"></span>\n"
    }
    if !hidden.isEmpty {
      out += "<input type=\"checkbox\" class=\"more-switch\" id=\"\(id)-more\">"
      out += "<label for=\"\(id)-more\">All \(columns.count) columns</label>\n"
    }
    out +=
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"\(id)-caption\">\n<table id=\"\(id)\">\n"
    out += "<caption id=\"\(id)-caption\">\(Escaping.xml(caption))</caption>\n<thead><tr>\n"
    for c in columns {
      let column = table.columns[c]
      let unit = column.unit.isEmpty || column.name.contains(column.unit) ? "" : " (\(column.unit))"
      out += "<th scope=\"col\"\(classes(column, isHidden: hidden.contains(c)))"
      out +=
        " title=\"\(Escaping.xml(column.meaning))\">\(Escaping.xml((column.name.isEmpty ? column.path : column.name) + unit))</th>\n"
    }
    out += "</tr></thead>\n<tbody>\n"
    let key = columns.first { table.columns[$0].isKey }
    for row in table.readingOrder.map({ table.rows[$0] }) {
      out += "<tr>"
      for c in columns { cell(row.cells[c], table.columns[c], isHidden: hidden.contains(c), isKey: c == key) }
      out += "</tr>\n"
    }
    out += "</tbody>\n</table>\n</div>\n"
    out += "<details><summary>What the columns say</summary>\n<dl>\n"
    for c in columns {
      let column = table.columns[c]
      out += "<div><dt>\(Escaping.xml(column.name)) <code>\(Escaping.xml(column.path))</code></dt>"
      out += "<dd>\(Escaping.xml(column.meaning))</dd></div>\n"
    }
    out += "</dl>\n</details>\n</div>\n"
  }

  private mutating func cell(_ cell: Cell, _ column: Column, isHidden: Bool, isKey: Bool) {
    let element = isKey ? "th scope=\"row\"" : "td"
    var attributes = classes(column, isHidden: isHidden, cell.tone)
    // What tables sort by: the number in full, not what people are shown of it.
    if let x = cell.value.double, !x.isNaN { attributes += " data-v=\"\(Figures.number(x))\"" }
    if let caveat = cell.caveat { attributes += " title=\"\(Escaping.xml(caveat))\"" }
    out += "<\(element)\(attributes)>\(Escaping.xml(cell.text))</\(isKey ? "th" : "td")>"
  }

  private func classes(_ column: Column, isHidden: Bool, _ tone: Cell.Tone = .plain) -> String {
    var names: [String] = []
    if column.alignment == .right { names.append("n") }
    if isHidden { names.append("more") }
    switch tone {
    case .plain: break
    case .good: names.append("good")
    case .doubtful: names.append("doubtful")
    case .bad: names.append("bad")
    }
    if column.isProse { names.append("prose") }
    return names.isEmpty ? "" : " class=\"\(names.joined(separator: " "))\""
  }
}
