/// For programs: schema `numcheck/2`, see Documentation/numcheck-2.schema.json. The same shape for every command.
package enum JSONEmitter: Emitter {
  package static let name = "json"
  package static let summary = "for programs; Documentation/numcheck-2.schema.json describes it"

  /// What `schema` says.
  package static let schema = "numcheck/2"

  package static func text(_ report: Report, _ style: Style) -> String {
    JSONText.of(document(report))
  }

  /// The rows of a table, each on a line of its own (JSON Lines), as they stand in a whole report.
  package static func lines(of table: Table) -> String {
    table.rows.map { JSONText.line(of: row($0, table.columns)) }.joined()
  }

  private static func document(_ report: Report) -> JSONValue {
    var members: [(path: String, value: JSONValue)] = [
      ("schema", .text(schema)), ("version", .text(report.version)), ("command", .text(report.command)),
    ]
    members += report.facts.map { ($0.path, $0.value) }
    // Tables of one key are one list.
    var lists: [(key: String, rows: [JSONValue])] = [("results", [])]
    for table in report.tables where table.audience != .people {
      if !lists.contains(where: { $0.key == table.key }) { lists.append((table.key, [])) }
      guard let place = lists.firstIndex(where: { $0.key == table.key }) else { continue }
      lists[place].rows += table.rows.map { row($0, table.columns) }
    }
    members += lists.map { ($0.key, .list($0.rows)) }
    members += [
      ("findings", .list(report.allFindings.map(finding))), ("checks", .list(report.checks.map(check))),
      ("conclusion", .text(report.wholeConclusion)), ("status", .text(report.status.rawValue)),
    ]
    return .nested(members)
  }

  /// Figures at their paths; those without a value are null, and `withoutValue` says why.
  private static func row(_ row: Table.Row, _ columns: [Column]) -> JSONValue {
    var members: [(path: String, value: JSONValue)] = []
    var reasons: [JSONValue.Member] = []
    for (column, cell) in zip(columns, row.cells) {
      members.append((column.path, cell.value))
      if column.hasHex, let x = cell.value.double {
        members.append((column.path + "Hex", .text(Figures.hex(x))))
      }
      if cell.value == .none, let reason = cell.caveat { reasons.append(.init(column.path, .text(reason))) }
    }
    guard case .members(let nested) = JSONValue.nested(members), !reasons.isEmpty else {
      return .nested(members)
    }
    return .members(nested + [.init("withoutValue", .members(reasons))])
  }

  private static func finding(_ finding: Finding) -> JSONValue {
    .object([
      "kind": .text(finding.kind), "message": .text(finding.message), "where": .text(finding.place),
    ])
  }

  private static func check(_ check: Check) -> JSONValue {
    .object([
      "name": .text(check.name), "where": .text(check.place), "passed": .flag(check.passed),
      "value": check.value, "limit": check.limit,
      "message": check.passed ? .none : .text(check.message),
    ])
  }
}
