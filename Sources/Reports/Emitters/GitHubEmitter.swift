/// For a step of a GitHub workflow: commands that put what did not pass beside the line where the check is written.
package enum GitHubEmitter: Emitter {
  package static let name = "github"
  package static let summary = "for GitHub workflows: annotations"

  package static func text(_ report: Report, _ style: Style) -> String {
    var out = ""
    for check in report.checks where !check.passed {
      let place = check.location.map { [("file", $0.file), ("line", "\($0.line)"), ("col", "\($0.column)")] }
      out += command(
        "error", (place ?? []) + [("title", title(report, check.place, check.name))], check.message)
    }
    for finding in report.allFindings where finding.isWarning {
      out += command("warning", [("title", title(report, finding.place, ""))], finding.line)
    }
    if let reason = report.uncheckedReason, report.checks.allSatisfy(\.passed) {
      out += command("error", [("title", title(report, "", ""))], reason)
    }
    return out + command("notice", [("title", title(report, "", ""))], report.verdictLine)
  }

  private static func title(_ report: Report, _ place: String, _ name: String) -> String {
    (["numcheck \(report.command)"] + [place, name].filter { !$0.isEmpty }).joined(separator: ": ")
  }

  private static func command(_ kind: String, _ properties: [(String, String)], _ message: String) -> String {
    let list = properties.map { "\($0.0)=\(Escaping.workflowProperty($0.1))" }.joined(separator: ",")
    return "::\(kind) \(list)::\(Escaping.workflow(message))\n"
  }
}
