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
