import Reports

/// What became of a check, whole enough to be put into any report, on this machine or where shards are merged.
package struct CheckResult: Sendable, Equatable {
  package enum Outcome: String, Sendable, Codable, CaseIterable {
    case passed
    case failed
    /// There was nothing that its limits could look at.
    case vacuous
    /// It could not be run.
    case error
    case timedOut
    /// Another had failed before.
    case notRun
  }

  /// Its number among all checks of the file.
  package let index: Int
  package let name: String
  package let family: String
  package let cell: [GateCheck.Axis]
  /// The line that makes its report again.
  package let commandLine: String
  package let location: Location
  package var outcome: Outcome
  /// Why it could not be run, or was not.
  package var reason = ""
  /// Its limits, each with its place and line.
  package var checks: [Check] = []
  package var figures: [PinnedFigure] = []
  /// What its results are, in words.
  package var words: [PinnedWord] = []
  package var answers: Answers?
  package var findings: [Finding] = []
  package var conclusion = ""

  package init(_ check: GateCheck, index: Int, commandLine: String, _ outcome: Outcome) {
    self.index = index
    name = check.name
    family = check.family
    cell = check.cell
    location = check.location
    self.commandLine = commandLine
    self.outcome = outcome
  }

  package static func == (a: Self, b: Self) -> Bool { a.encoded == b.encoded }
}

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
