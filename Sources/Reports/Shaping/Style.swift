/// How a report is to look where emitters have a choice.
package struct Style: Sendable {
  /// Columns that tables must fit.
  package var width: Int
  /// Whether somebody reads it on a terminal: then lines are broken at words.
  package var wraps: Bool
  /// Whether verdicts may have colours.
  package var hasColour: Bool
  package var columns: ColumnChoice

  package init(
    width: Int = 100, wraps: Bool = false, hasColour: Bool = false, columns: ColumnChoice = .fitting
  ) {
    self.width = width
    self.wraps = wraps
    self.hasColour = hasColour
    self.columns = columns
  }
}

/// Which columns of tables people are shown.
package enum ColumnChoice: Sendable, Equatable {
  /// What decides, and what is useful and fits.
  case fitting
  /// All but those for machines, however wide.
  case all
  /// Those with one of these names or paths, and the keys, however wide; of a table with none of them what fits.
  case named([String])

  /// From what `--columns` was given.
  package init(parsing text: String) {
    let names = text.split(separator: ",").map { name in
      String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    self = names.contains { $0.lowercased() == "all" } ? .all : .named(names)
  }

  /// Throws where a name is no column's of the report.
  package func check(_ report: Report) throws(ColumnError) {
    guard case .named(let names) = self else { return }
    let columns = report.tables.flatMap(\.columns).filter { $0.importance != .machine }
    for name in names where !columns.contains(where: { $0.isCalled(name) }) {
      var known: [String] = []
      for column in columns where !known.contains(column.path) { known.append(column.path) }
      throw ColumnError(name: name, near: Names.near(name, in: known), known: known)
    }
    if names.isEmpty { throw ColumnError(name: "", near: [], known: []) }
  }
}

/// A name that is no column's.
package struct ColumnError: Error, CustomStringConvertible {
  let name: String
  let near: [String]
  let known: [String]

  package var description: String {
    if known.isEmpty { return "--columns names none" }
    return "--columns: no column '\(name)'; "
      + (near.isEmpty
        ? "there are: \(known.joined(separator: ", "))" : "did you mean \(near.joined(separator: ", "))?")
  }
}

extension Column {
  /// Whether people mean it by `name`: its path, or what stands above it.
  func isCalled(_ name: String) -> Bool {
    path.lowercased() == name.lowercased() || self.name.lowercased() == name.lowercased()
  }
}
