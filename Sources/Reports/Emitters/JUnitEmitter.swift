/// For CI services (JUnit's XML as Jenkins, GitLab and GitHub's actions read it): a test case a check. What was not checked is an
/// error, no pass.
package enum JUnitEmitter: Emitter {
  package static let name = "junit"
  package static let summary = "for CI services: a test case a check"

  package static func text(_ report: Report, _ style: Style) -> String {
    let cases = report.checks
    let failures = cases.count { $0.outcome == .failed }
    let unchecked = report.uncheckedReason
    let reason = cases.contains { $0.outcome == .withoutValue } ? nil : unchecked
    let errors = cases.count { $0.outcome == .withoutValue } + (reason == nil ? 0 : 1)
    let counts =
      "tests=\"\(cases.count + (reason == nil ? 0 : 1))\" failures=\"\(failures)\" errors=\"\(errors)\""
    let suite = "numcheck " + report.command
    var out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites \(counts)>\n"
    out += "  <testsuite name=\"\(Escaping.xml(suite))\" \(counts) skipped=\"0\">\n"
    out += properties(report)
    for check in cases { out += testCase(check, suite) }
    if let reason {
      out += "    <testcase classname=\"\(Escaping.xml(suite))\" name=\"coverage\">\n"
      out += "      <error message=\"\(Escaping.xml(reason))\"/>\n    </testcase>\n"
    }
    let said = ([report.title] + report.allFindings.map(\.line) + [report.wholeConclusion]).filter {
      !$0.isEmpty
    }
    out += "    <system-out>" + said.map { Escaping.xml($0) + "\n" }.joined() + "</system-out>\n"
    return out + "  </testsuite>\n</testsuites>\n"
  }

  private static func properties(_ report: Report) -> String {
    let facts =
      [Fact("version", .text(report.version))]
      + report.facts.filter { $0.value.isScalar && $0.value != .none }
    return "    <properties>\n"
      + facts.map {
        "      <property name=\"\(Escaping.xml($0.path))\" value=\"\(Escaping.xml(JSONValue.spelled($0.value)))\"/>\n"
      }.joined() + "    </properties>\n"
  }

  private static func testCase(_ check: Check, _ suite: String) -> String {
    let place = check.place.isEmpty ? suite : suite + "." + check.place
    let start =
      "    <testcase classname=\"\(Escaping.xml(place))\" name=\"\(Escaping.xml(check.name))\""
    switch check.outcome {
    case .passed: return start + "/>\n"
    case .failed, .withoutValue:
      let element = check.outcome == .failed ? "failure" : "error"
      return start + ">\n      <\(element) message=\"\(Escaping.xml(check.message))\"/>\n    </testcase>\n"
    }
  }
}
