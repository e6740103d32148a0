/// Turns a report into the text of a format: one file each, and one line in `EmitterRegistry`. An emitter knows reports and nothing
/// of what they are about, reads nothing and computes nothing.
package protocol Emitter: Sendable {
  /// As `--format` and `--report` call it.
  static var name: String { get }
  /// What it is for, in a few words.
  static var summary: String { get }
  /// Whether it has a place for findings; where it has none they are told beside it.
  static var hasFindings: Bool { get }

  static func text(_ report: Report, _ style: Style) -> String
}

extension Emitter {
  package static var hasFindings: Bool { true }
}

/// Every format of a report.
package enum EmitterRegistry {
  package static let all: [any Emitter.Type] = [
    TextEmitter.self,
    JSONEmitter.self,
    MarkdownEmitter.self,
    CSVEmitter.self,
    JUnitEmitter.self,
    HTMLEmitter.self,
    SARIFEmitter.self,
    GitHubEmitter.self,
    SummaryEmitter.self,
    GitLabEmitter.self,
    TAPEmitter.self,
  ]

  package static func named(_ name: String) -> (any Emitter.Type)? { all.first { $0.name == name } }
}
