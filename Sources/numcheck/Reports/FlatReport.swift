import Foundation

/// A report that is one table: cells as text for people, as numbers for machines.
struct FlatReport {
  /// A cell: what people read, and what machines do.
  struct Cell {
    let text: String
    let value: JSONValue

    /// Up to four significant digits for people, all for machines; NaN is nothing to say.
    static func number(_ x: Double) -> Cell {
      x.isNaN ? .none() : Cell(text: Figures.short(x), value: .number(x))
    }
    /// A number in full for both.
    static func exact(_ x: Double) -> Cell { Cell(text: Figures.number(x), value: .number(x)) }
    static func count(_ n: Int) -> Cell { Cell(text: Figures.count(n), value: .int(n)) }
    static func text(_ s: String) -> Cell { Cell(text: s, value: .string(s)) }
    static func flag(_ b: Bool, yes: String = "yes", no: String = "no") -> Cell {
      Cell(text: b ? yes : no, value: .bool(b))
    }
    /// Nothing to say; `text` for people.
    static func none(_ text: String = "-") -> Cell { Cell(text: text, value: .null) }
  }

  /// A column: its title for people, its key for machines (camel case in JSON, snake case in CSV).
  typealias Column = (title: String, key: String, alignment: Table.Alignment)

  /// The command, as JSON names it.
  let command: String
  /// Lines above the table; empty for none.
  var heading = ""
  /// What the heading says, for machines.
  var facts: [(String, JSONValue)] = []
  let columns: [Column]
  var rows: [[Cell]] = []

  /// The report in `format`.
  func text(as format: OutputFormat) -> String {
    switch format {
    case .text: return (heading.isEmpty ? "" : heading + "\n\n") + table.text()
    case .markdown:
      return (heading.isEmpty ? "" : "### " + heading.replacing("\n", with: "\n\n") + "\n\n") + table.markdown
    case .csv: return csv
    case .json: return json.text
    }
  }

  private var table: Table {
    Table(columns: columns.map { ($0.title, $0.alignment) }, rows: rows.map { $0.map(\.text) })
  }

  private var csv: String {
    var table = Table(columns: columns.map { (Self.snake($0.key), .left) })
    table.rows = rows.map { $0.map { Self.plain($0.value) } }
    return table.csv
  }

  private var json: JSONValue {
    let results = rows.map { row in JSONValue.object(zip(columns, row).map { ($0.key, $1.value) }) }
    return .object(
      [("schema", .string("numcheck/1")), ("command", .string(command))] + facts
        + [("results", .array(results))])
  }

  /// `bitsPerNumber` as `bits_per_number`.
  private static func snake(_ key: String) -> String {
    key.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }

  private static func plain(_ value: JSONValue) -> String {
    switch value {
    case .null: ""
    case .string(let s): s
    case .bool(let b): b ? "1" : "0"
    case .number(let x): Figures.number(x)
    case .array(let list): list.map(plain).joined(separator: " ")
    default: value.text.trimmingCharacters(in: .newlines)
    }
  }
}
