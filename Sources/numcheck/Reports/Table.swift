/// Cells for people: the same for text and Markdown.
struct Table {
  enum Alignment { case left, right }
  var columns: [(title: String, alignment: Alignment)]
  var rows: [[String]] = []

  /// Columns two spaces apart, titles above; `style` may wrap a padded cell in colour.
  func text(style: (_ row: Int, _ column: Int, _ cell: String) -> String = { $2 }) -> String {
    let widths = columns.indices.map { c in
      rows.reduce(columns[c].title.count) { Swift.max($0, $1[c].count) }
    }
    func pad(_ cell: String, _ c: Int) -> String {
      let fill = String(repeating: " ", count: widths[c] - cell.count)
      return columns[c].alignment == .left ? cell + fill : fill + cell
    }
    func line(_ cells: [String]) -> String {
      var s = cells.joined(separator: "  ")
      while s.last == " " { s.removeLast() }
      return s + "\n"
    }
    var out = line(columns.indices.map { pad(columns[$0].title, $0) })
    for (r, row) in rows.enumerated() {
      out += line(columns.indices.map { style(r, $0, pad(row[$0], $0)) })
    }
    return out
  }

  /// A pipe table.
  var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    var out = line(columns.map(\.title))
    out += line(columns.map { $0.alignment == .left ? "---" : "---:" })
    for row in rows { out += line(row.map { $0.replacing("|", with: "\\|") }) }
    return out
  }

  /// RFC 4180.
  var csv: String {
    func cell(_ s: String) -> String {
      s.contains(where: { ",\"\n".contains($0) }) ? "\"" + s.replacing("\"", with: "\"\"") + "\"" : s
    }
    return ([columns.map(\.title)] + rows).map { $0.map(cell).joined(separator: ",") + "\n" }.joined()
  }
}
