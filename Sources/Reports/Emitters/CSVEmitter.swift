/// For spreadsheets and scripts (RFC 4180): a line a result, exact numbers, columns named as JSON's paths; the same number of fields
/// in every line.
package enum CSVEmitter: Emitter {
  package static let name = "csv"
  package static let summary = "for spreadsheets and scripts: a line a result"
  package static let hasFindings = false

  package static func text(_ report: Report, _ style: Style) -> String {
    let facts = report.facts.filter { $0.isInRows && $0.value.isScalar }
    let tables = report.tables.filter { $0.key == "results" && $0.audience != .people }
    // Of tables that differ all columns, each in the order in which it first came.
    var columns: [Column] = []
    for column in tables.flatMap(\.columns) where !columns.contains(where: { $0.path == column.path }) {
      if isAsked(column, style.columns), tables.allSatisfy({ isField(column.path, $0) }) {
        columns.append(column)
      }
    }
    let lead = [Escaping.csv(report.command)] + facts.map { field($0.value) }
    var out = line(["command"] + facts.map(\.path) + columns.map(\.path))
    for table in tables {
      let places = columns.map { column in table.columns.firstIndex { $0.path == column.path } }
      for row in table.rows {
        out += line(lead + places.map { place in place.map { field(row.cells[$0].value) } ?? "" })
      }
    }
    return out
  }

  private static func line(_ fields: [String]) -> String { fields.joined(separator: ",") + "\n" }

  private static func isAsked(_ column: Column, _ choice: ColumnChoice) -> Bool {
    guard case .named(let names) = choice else { return true }
    return column.isKey || names.contains { column.isCalled($0) }
  }

  /// Whether all that a table has at a path fits a field.
  private static func isField(_ path: String, _ table: Table) -> Bool {
    guard let c = table.columns.firstIndex(where: { $0.path == path }) else { return true }
    return table.rows.allSatisfy { isField($0.cells[c].value) }
  }

  /// Whether it fits a field: one value, or a list of such.
  private static func isField(_ value: JSONValue) -> Bool {
    if case .list(let list) = value { return list.allSatisfy(\.isScalar) }
    return value.isScalar
  }

  private static func field(_ value: JSONValue) -> String {
    switch value {
    case .none, .members: ""
    case .flag(let b): b ? "1" : "0"
    case .integer(let n): String(n)
    case .unsigned(let n): String(n)
    case .number(let x): Figures.number(x)
    case .text(let s): Escaping.csv(s)
    case .list(let list): Escaping.csv(list.map { JSONValue.spelled($0) }.joined(separator: " "))
    }
  }
}
