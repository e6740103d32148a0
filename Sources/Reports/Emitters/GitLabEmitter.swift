/// For GitLab's code quality widget: an issue for each check that did not pass and each warning.
package enum GitLabEmitter: Emitter {
  package static let name = "gitlab"
  package static let summary = "for GitLab: code quality"

  package static func text(_ report: Report, _ style: Style) -> String {
    var issues = report.checks.filter { !$0.passed }.map { check in
      issue(
        check.ruleName, check.message, "critical", check.fingerprint(of: report.command),
        check.location ?? nowhere(report))
    }
    issues += report.allFindings.filter(\.isWarning).map { finding in
      issue(
        finding.kind, finding.line, "minor", finding.fingerprint(of: report.command), nowhere(report))
    }
    if let reason = report.uncheckedReason, report.checks.allSatisfy(\.passed) {
      issues.append(
        issue(
          "unchecked", reason, "critical", StableHash.of([report.command, "unchecked"]), nowhere(report)))
    }
    return JSONText.of(.list(issues))
  }

  /// The widget knows no issue without a file: the input's where there is one.
  private static func nowhere(_ report: Report) -> Location {
    if case .text(let name)? = report.facts.first(where: { $0.path == "input.name" })?.value {
      return Location(file: name, line: 1)
    }
    return Location(file: "numcheck.yml", line: 1)
  }

  private static func issue(
    _ name: String, _ message: String, _ severity: String, _ fingerprint: String, _ location: Location
  ) -> JSONValue {
    .object([
      "description": .text(Escaping.line(message)), "check_name": .text("numcheck/\(name)"),
      "fingerprint": .text(fingerprint), "severity": .text(severity),
      "location": .object([
        "path": .text(location.file), "lines": .object(["begin": .integer(location.line)]),
      ]),
    ])
  }
}
