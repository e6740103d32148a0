/// For harnesses of tests: a test point a check. TAP 13, which 14 contains and every harness knows; Perl's knows no other.
package enum TAPEmitter: Emitter {
  package static let name = "tap"
  package static let summary = "for harnesses of tests: TAP 13"

  package static func text(_ report: Report, _ style: Style) -> String {
    let lone = report.uncheckedReason.flatMap { report.checks.allSatisfy(\.passed) ? $0 : nil }
    var out = "TAP version 13\n1..\(report.checks.count + (lone == nil ? 0 : 1))\n"
    for finding in report.allFindings where finding.isWarning { out += "# \(Escaping.line(finding.line))\n" }
    for (index, check) in report.checks.enumerated() {
      let name = (check.place.isEmpty ? "" : check.place + ": ") + check.name
      out += "\(check.passed ? "ok" : "not ok") \(index + 1) - \(Escaping.tap(name))\n"
      if !check.passed { out += diagnostic(check) }
    }
    if let lone { out += "not ok \(report.checks.count + 1) - \(Escaping.tap(lone))\n" }
    return out
  }

  /// YAML, of which JSON's strings are a part.
  private static func diagnostic(_ check: Check) -> String {
    var fields = [
      ("message", check.message), ("severity", check.outcome == .failed ? "fail" : "error"),
      ("value", JSONValue.spelled(check.value)), ("limit", JSONValue.spelled(check.limit)),
    ]
    if let location = check.location { fields.append(("at", location.text)) }
    return "  ---\n" + fields.map { "  \($0.0): \"\(Escaping.json($0.1))\"\n" }.joined() + "  ...\n"
  }
}
