/// For code scanning (SARIF 2.1.0): a result for each check that did not pass and each warning, at the line where the check is written.
package enum SARIFEmitter: Emitter {
  package static let name = "sarif"
  package static let summary = "for code scanning: what did not pass, at its line (SARIF 2.1.0)"

  package static func text(_ report: Report, _ style: Style) -> String {
    let failed = report.checks.filter { !$0.passed }
    let warnings = report.allFindings.filter(\.isWarning)
    var rules: [(id: String, summary: String)] = []
    func rule(_ id: String, _ summary: String) -> Int {
      if let known = rules.firstIndex(where: { $0.id == id }) { return known }
      rules.append((id, summary))
      return rules.count - 1
    }
    var results = failed.map { check in
      result(
        rule: rule(check.ruleName, "the limit on \(check.ruleName)"), check.ruleName, "error", check.message,
        check.fingerprint(of: report.command), place: check.place, at: check.location)
    }
    results += warnings.map { finding in
      result(
        rule: rule(finding.kind, finding.kind.replacing("-", with: " ")), finding.kind, "warning",
        finding.line, finding.fingerprint(of: report.command), place: finding.place, at: nil)
    }
    if let reason = report.uncheckedReason, failed.isEmpty {
      results.append(
        result(
          rule: rule("unchecked", "not all was checked"), "unchecked", "error", reason,
          StableHash.of([report.command, "unchecked"]), place: "", at: nil))
    }
    let driver: JSONValue = .object([
      "name": .text("numcheck"), "version": .text(report.version),
      "semanticVersion": .text(report.version),
      "rules": .list(
        rules.map { .object(["id": .text($0.id), "shortDescription": .object(["text": .text($0.summary)])]) }
      ),
    ])
    let invocation: JSONValue = .object([
      "executionSuccessful": .flag(report.status != .unchecked)
    ])
    let run: JSONValue = .object([
      "tool": .object(["driver": driver]), "columnKind": .text("unicodeCodePoints"),
      "automationDetails": .object(["id": .text("numcheck/\(Escaping.line(report.command))/")]),
      "invocations": .list([invocation]), "results": .list(results),
    ])
    return JSONText.of(
      .object([
        "$schema": .text("https://json.schemastore.org/sarif-2.1.0.json"), "version": .text("2.1.0"),
        "runs": .list([run]),
      ]))
  }

  private static func result(
    rule: Int, _ id: String, _ level: String, _ message: String, _ fingerprint: String, place: String,
    at location: Location?
  ) -> JSONValue {
    var members: [JSONValue.Member] = []
    if let location {
      members.append(
        .init(
          "physicalLocation",
          .object([
            "artifactLocation": .object(["uri": .text(Escaping.uri(location.file))]),
            "region": .object([
              "startLine": .integer(location.line), "startColumn": .integer(location.column),
            ]),
          ])))
    }
    if !place.isEmpty {
      members.append(
        .init(
          "logicalLocations",
          .list([.object(["fullyQualifiedName": .text(Escaping.line(place)), "kind": .text("member")])])))
    }
    return .object([
      "ruleId": .text(id), "ruleIndex": .integer(rule), "level": .text(level),
      "message": .object(["text": .text(Escaping.line(message))]),
      "locations": .list(members.isEmpty ? [] : [.members(members)]),
      "partialFingerprints": .object(["numcheck/v1": .text(fingerprint)]),
    ])
  }
}

extension Check {
  /// The figure that its limit is on: `ulp.max` of `shifted:ulp.max<=3`.
  var ruleName: String {
    guard let limit = try? Limit(parsing: name) else { return name }
    return limit.figure
  }
}
