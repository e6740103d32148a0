/// Which columns of a table are shown.
struct Selection {
  /// Their numbers, in order.
  var shown: [Int]
  /// Names of those that were left out for want of width.
  var dropped: [String] = []

  /// What the style asks for, of any width.
  init(_ table: Table, _ choice: ColumnChoice) {
    let candidates = table.columns.indices.filter { table.columns[$0].importance != .machine }
    switch choice {
    case .all: shown = candidates
    case .named(let names):
      let named = candidates.filter { c in names.contains { table.columns[c].isCalled($0) } }
      shown =
        named.isEmpty
        ? Self.usual(table, candidates) : candidates.filter { table.columns[$0].isKey || named.contains($0) }
    case .fitting: shown = Self.usual(table, candidates)
    }
  }

  private static func usual(_ table: Table, _ candidates: [Int]) -> [Int] {
    candidates.filter { c in
      let column = table.columns[c]
      guard column.isKey || column.importance <= .useful else { return false }
      return !column.hidesZeros || table.rows.contains { !$0.cells[c].isNothing }
    }
  }
}

extension Cell {
  /// Whether there is nothing in it worth a column: what machines alone are told is nothing here.
  fileprivate var isNothing: Bool {
    if text.isEmpty { return true }
    return switch value {
    case .none: true
    case .integer(let n): n == 0
    case .number(let x): x == 0
    case .flag(let b): !b
    case .text(let s): s.isEmpty
    case .list(let list): list.isEmpty
    default: false
    }
  }
}

/// A table laid out in columns of text that fit a width: sentences are broken, long names shortened, and then the least important
/// columns left out.
struct Layout {
  private(set) var selection: Selection
  /// Titles and cells, escaped, of the columns shown.
  private let titles: [String]
  private let cells: [[String]]
  private let table: Table
  private var widths: [Int]

  private static let gap = 2
  private static let leastProse = 28
  private static let leastName = 24
  private static let leastEver = 8

  init(_ table: Table, _ style: Style) {
    self.table = table
    selection = Selection(table, style.columns)
    let titles = table.columns.map { Escaping.line($0.name) }
    let cells = table.rows.map { row in row.cells.map { Escaping.line($0.text) } }
    widths = table.columns.indices.map { c in
      cells.reduce(TextWidth.of(titles[c])) { max($0, TextWidth.of($1[c])) }
    }
    (self.titles, self.cells) = (titles, cells)
    if style.columns == .fitting { fit(style.width) }
  }

  private var total: Int {
    selection.shown.reduce(0) { $0 + widths[$1] } + Self.gap * max(0, selection.shown.count - 1)
  }

  private mutating func fit(_ width: Int) {
    shrink(to: width, least: { _ in Self.leastProse }) { $0.isProse }
    shrink(to: width, least: leastName) { $0.isKey && $0.alignment == .left }
    while total > width, let victim = leastImportant {
      selection.shown.removeAll { $0 == victim }
      selection.dropped.append(table.columns[victim].name)
    }
    shrink(to: width, least: { _ in Self.leastEver }) { $0.isProse || $0.alignment == .left }
    // Names in the order of the table, not of their going.
    let order = table.columns.map(\.name)
    selection.dropped.sort { (order.firstIndex(of: $0) ?? 0) < (order.firstIndex(of: $1) ?? 0) }
  }

  /// The column to leave out first: the least important, of those the last.
  private var leastImportant: Int? {
    selection.shown.filter { !table.columns[$0].isKey }.max {
      (table.columns[$0].importance, $0) < (table.columns[$1].importance, $1)
    }
  }

  /// The narrowest column in which names that differ still look it.
  private func leastName(_ c: Int) -> Int {
    let names = Set(cells.map { $0[c] })
    var (least, enough) = (Self.leastName, widths[c])
    while least < enough {
      let middle = (least + enough) / 2
      let isTold = Set(names.map { TextWidth.shortened($0, to: middle) }).count == names.count
      if isTold { enough = middle } else { least = middle + 1 }
    }
    return least
  }

  /// Makes columns narrower, the widest first, until all fit or none can give.
  private mutating func shrink(to width: Int, least: (Int) -> Int, _ canGive: (Column) -> Bool) {
    guard total > width else { return }
    let candidates = selection.shown.filter { canGive(table.columns[$0]) }.map {
      (column: $0, least: least($0))
    }
    while total > width {
      let givers = candidates.filter { widths[$0.column] > $0.least }
      guard let (widest, least) = givers.max(by: { widths[$0.column] < widths[$1.column] }) else { return }
      let next = givers.filter { $0.column != widest }.map { widths[$0.column] }.max() ?? least
      widths[widest] = max(least, min(widths[widest] - 1, max(next, widths[widest] - (total - width))))
    }
  }

  /// The lines of the table, its titles first; `style` may wrap a padded cell in colour.
  func lines(_ style: (Cell.Tone, String) -> String) -> [String] {
    var out = line(selection.shown.map { pad(titles[$0], $0) })
    for r in table.readingOrder {
      let row = table.rows[r]
      let parts = selection.shown.map { c in
        table.columns[c].isProse
          ? TextWidth.folded(cells[r][c], to: widths[c]) : [TextWidth.shortened(cells[r][c], to: widths[c])]
      }
      for k in 0..<(parts.map(\.count).max() ?? 0) {
        out += line(
          selection.shown.enumerated().map { i, c in
            let text = pad(k < parts[i].count ? parts[i][k] : "", c)
            return row.cells[c].tone == .plain ? text : style(row.cells[c].tone, text)
          })
      }
    }
    return out
  }

  private func pad(_ text: String, _ c: Int) -> String {
    TextWidth.padded(
      TextWidth.shortened(text, to: widths[c]), to: widths[c], table.columns[c].alignment)
  }

  private func line(_ cells: [String]) -> [String] {
    var s = cells.joined(separator: String(repeating: " ", count: Self.gap))
    while s.last == " " { s.removeLast() }
    return [s]
  }
}

extension Table {
  /// Why figures that are shown have no value: each reason once, with the columns it is the reason of.
  func reasons(_ shown: [Int]) -> [String] {
    var order: [String] = []
    var names: [String: [String]] = [:]
    for row in readingOrder.map({ rows[$0] }) {
      for c in shown where row.cells[c].text == Cell.dash && row.cells[c].value == .none {
        guard let reason = row.cells[c].caveat else { continue }
        if names[reason] == nil { order.append(reason) }
        if names[reason]?.contains(columns[c].name) != true {
          names[reason, default: []].append(columns[c].name)
        }
      }
    }
    return order.map { "\(Cell.dash) in \(names[$0]?.joined(separator: ", ") ?? ""): \($0)" }
  }
}
