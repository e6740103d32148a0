extension Report {
  /// Holds limits against the report's figures and keeps the outcomes. A figure without a value never passes, nor one with a caveat,
  /// nor anything against such a one.
  package mutating func check(_ limits: [Limit]) throws(LimitError) {
    let checker = LimitChecker(self)
    for limit in limits { checks += try checker.checks(limit) }
  }
}

/// Finds figures in a report by their names.
struct LimitChecker {
  private let tables: [Table]
  private let facts: [Fact]
  private let absence: String

  init(_ report: Report) {
    tables = report.tables.filter { $0.key == "results" && $0.audience != .people }
    facts = report.facts
    absence = report.absence
  }

  /// Every name that a limit can be put on: of results first.
  var names: [String] {
    var list: [String] = []
    for table in tables {
      for (c, column) in table.columns.enumerated() where !list.contains(column.path) {
        let isSingle = table.rows.allSatisfy { $0.cells[c].value.isScalar }
        if isSingle { list.append(column.path) }
      }
    }
    return list + facts.filter { $0.value.isScalar && !list.contains($0.path) }.map(\.path)
  }

  func checks(_ limit: Limit) throws(LimitError) -> [Check] {
    var isKnown = false
    var labels: [String] = []
    var found: [Check] = []
    for table in tables {
      let figures = table.rows.indices.map { figure(limit.figure, table, $0) }
      guard figures.contains(where: { $0 != nil }) else { continue }
      isKnown = true
      for (row, figure) in figures.enumerated() {
        let label = table.label(ofRow: row)
        labels.append(label)
        guard let figure, limit.selects(label, table.keys(ofRow: row) + table.otherKeys(ofRow: row))
        else { continue }
        found.append(
          try check(
            limit, figure, against: self.figure(limit.bound, table, row) ?? fact(limit.bound), at: label,
            witness: table.rows[row].witness))
      }
    }
    if isKnown {
      if found.isEmpty { throw .selector(limit.selector, names: labels) }
      return found
    }
    guard let figure = fact(limit.figure) else {
      if !absence.isEmpty {
        let message = "\(limit.figure) has no value: \(absence)"
        return [Check(limit.name, "", .withoutValue, value: .none, limit: .none, message: message)]
      }
      throw .figure(limit.figure, near: Names.near(limit.figure, in: names))
    }
    return [try check(limit, figure, against: fact(limit.bound), at: "", witness: nil)]
  }

  private struct Figure {
    let value: JSONValue
    var caveat: String?
    var isSpoiled = false
    var words: [String] = []
  }

  /// What stands at `path` of a row: a column's value, or what is within one.
  private func figure(_ path: String, _ table: Table, _ row: Int) -> Figure? {
    for (c, column) in table.columns.enumerated() {
      let cell = table.rows[row].cells[c]
      if column.path == path {
        return Figure(
          value: cell.value, caveat: cell.caveat, isSpoiled: cell.isSpoiled, words: column.words)
      }
      if path.hasPrefix(column.path + "."),
        let value = cell.value[path: path.dropFirst(column.path.count + 1).split(separator: ".")[...]]
      {
        return Figure(value: value, caveat: cell.caveat)
      }
    }
    return nil
  }

  private func fact(_ path: String) -> Figure? {
    for fact in facts {
      if fact.path == path { return Figure(value: fact.value) }
      if path.hasPrefix(fact.path + "."),
        let value = fact.value[path: path.dropFirst(fact.path.count + 1).split(separator: ".")[...]]
      {
        return Figure(value: value)
      }
    }
    return nil
  }

  private func check(
    _ limit: Limit, _ figure: Figure, against other: Figure?, at label: String, witness: String?
  ) throws(LimitError) -> Check {
    let bound: JSONValue
    if let number = Double(limit.bound) {
      bound = .number(number)
    } else if let other {
      bound = other.value
    } else {
      bound = .text(limit.bound)
      if !figure.words.isEmpty && !figure.words.contains(limit.bound) {
        throw .word(limit.bound, figure: limit.figure, words: figure.words)
      }
    }
    func outcome(_ outcome: Check.Outcome, _ message: String) -> Check {
      let flag = limit.flag.map { " (\($0))" } ?? ""
      let start = label.isEmpty ? "" : label + ": "
      return Check(
        limit.name, label, outcome, value: figure.value, limit: bound,
        message: outcome == .passed ? "" : start + message + flag + (witness.map { "; " + $0 } ?? ""),
        implied: limit.isImplied)
    }
    if let caveat = figure.caveat {
      return figure.value == .none && !figure.isSpoiled
        ? outcome(.withoutValue, "\(limit.figure) has no value: \(caveat)")
        : outcome(.failed, "\(limit.figure) cannot pass: \(caveat)")
    }
    if Double(limit.bound) == nil, let other, let caveat = other.caveat {
      return outcome(.failed, "\(limit.bound) is no limit: \(caveat)")
    }
    guard let holds = try compare(figure.value, bound, limit) else {
      return outcome(.withoutValue, "\(limit.figure) has no value")
    }
    if holds { return outcome(.passed, "") }
    let isFigure = Double(limit.bound) == nil && other != nil
    let shown = isFigure ? "\(limit.bound) (\(JSONValue.spelled(bound)))" : limit.bound
    return outcome(
      .failed, "\(limit.figure) is \(JSONValue.spelled(figure.value)), \(limit.relation.failure) \(shown)")
  }

  /// Whether the relation holds; nil where a side has no value.
  private func compare(_ value: JSONValue, _ bound: JSONValue, _ limit: Limit) throws(LimitError) -> Bool? {
    switch (value, bound) {
    case (.none, _), (_, .none): return nil
    case (.text(let a), .text(let b)):
      if limit.relation == .equal { return a == b }
      if limit.relation == .unequal { return a != b }
    case (.flag(let a), .text(let b)) where b == "true" || b == "false":
      if limit.relation == .equal { return a == (b == "true") }
      if limit.relation == .unequal { return a != (b == "true") }
    case (.flag(let a), .number(let b)): return limit.relation.holds(a ? 1 : 0, b)
    default:
      if let a = value.double, let b = bound.double {
        // No order holds of NaN, and it must not be unequal by being nothing.
        return a.isNaN || b.isNaN ? nil : limit.relation.holds(a, b)
      }
      if value.double != nil, bound == .text(limit.bound) {
        throw .figure(limit.bound, near: Names.near(limit.bound, in: names))
      }
    }
    throw .kind(limit.name, figure: limit.figure)
  }
}

extension Limit {
  /// Whether it is for the result called `label`, which has those keys.
  fileprivate func selects(_ label: String, _ keys: [String]) -> Bool {
    selector.isEmpty || Names.matches(selector, label) || keys.contains { Names.matches(selector, $0) }
  }
}

extension JSONValue {
  /// As a message says it.
  static func spelled(_ value: JSONValue) -> String {
    switch value {
    case .none: "nothing"
    case .flag(let b): b ? "true" : "false"
    case .integer(let n): "\(n)"
    case .unsigned(let n): "\(n)"
    case .number(let x): Figures.number(x)
    case .text(let s): s
    case .list(let list): list.map(spelled).joined(separator: ", ")
    case .members(let members): members.map { "\($0.name) \(spelled($0.value))" }.joined(separator: ", ")
    }
  }
}
