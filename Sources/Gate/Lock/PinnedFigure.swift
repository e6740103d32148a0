import Reports

/// What a result is, in a word of its report: an order of summation.
package struct PinnedWord: Sendable, Equatable, Codable {
  package let label: String
  package let path: String
  package let text: String

  package init(label: String, path: String, text: String) {
    (self.label, self.path, self.text) = (label, path, text)
  }
}

/// A figure of a result that later runs are held to, or that bounds the others.
package struct PinnedFigure: Sendable, Equatable, Codable {
  /// The result: an algorithm, a tensor and a scheme; empty for the report.
  package let label: String
  /// `ulp.max`.
  package let path: String
  package let unit: String
  package let sense: Column.Sense
  package let value: Double
  /// Where the worst of it stands, as the report says it; empty where it does not.
  package let witness: String
}

extension Report {
  /// The words of its results that say what they are.
  package var pinnedWords: [PinnedWord] {
    tables.filter { $0.key == "results" && $0.audience != .people }.flatMap { table in
      table.rows.indices.flatMap { row in
        table.columns.indices.filter { table.columns[$0].isPinned }.map { c in
          PinnedWord(
            label: table.label(ofRow: row), path: table.columns[c].path, text: table.rows[row].cells[c].text)
        }
      }
    }
  }

  /// The figures of its results that have a better side, or those named `paths`, and the bounds beside them.
  package func pinnedFigures(_ paths: [String]?) -> [PinnedFigure] {
    var list: [PinnedFigure] = []
    for table in tables where table.key == "results" && table.audience != .people {
      for row in table.rows.indices {
        for (c, column) in table.columns.enumerated() {
          let sense = column.sense ?? .lowerIsBetter
          guard
            paths.map({ $0.contains(column.path) || column.sense == .bound && !$0.isEmpty })
              ?? (column.sense != nil),
            let value = table.rows[row].cells[c].value.double
          else { continue }
          // A vacuous bound is none.
          if sense == .bound && table.rows[row].cells[c].caveat != nil { continue }
          list.append(
            PinnedFigure(
              label: table.label(ofRow: row), path: column.path, unit: column.unit, sense: sense,
              value: value,
              witness: sense == .bound ? "" : table.rows[row].witness ?? ""))
        }
      }
    }
    return list
  }
}
