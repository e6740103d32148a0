import Foundation
import Testing

import Reports

/// Formats for services that show what failed where it is written: SARIF, GitHub, GitLab, TAP.
@Suite struct PlaceTests {
  /// One check passed, one failed at a line, one had no figure, and a warning.
  private static func report() throws -> Report {
    var report = Samples.report()
    report.findings.append(Finding("input", "", "3 overflow: 100 %, all", warns: true))
    try report.check([
      Limit(parsing: "naive:ulp.max<=2"), Limit(parsing: "online:ulp.max<=2"),
      Limit(parsing: "naive:sumError<=1"),
    ])
    report.checks[1].location = Location(file: "my dir/numcheck.yml", line: 12, column: 5)
    return report
  }

  private static func json(_ text: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(text.utf8))
  }

  @Test func sarif() throws {
    let log = try #require(Self.json(SARIFEmitter.text(Self.report(), Style())) as? [String: Any])
    #expect(log["version"] as? String == "2.1.0")
    let run = try #require((log["runs"] as? [[String: Any]])?.first)
    let driver = try #require((run["tool"] as? [String: Any])?["driver"] as? [String: Any])
    #expect(driver["name"] as? String == "numcheck")
    let rules = try #require(driver["rules"] as? [[String: Any]]).compactMap { $0["id"] as? String }
    #expect(rules == ["ulp.max", "sumError", "input"])
    let results = try #require(run["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["level"] as? String } == ["error", "error", "warning"])
    for result in results {
      // What the standard asks for: a message, an index that names the rule.
      let index = try #require(result["ruleIndex"] as? Int)
      #expect(rules[index] == result["ruleId"] as? String)
      #expect(((result["message"] as? [String: Any])?["text"] as? String)?.isEmpty == false)
      let prints = try #require(result["partialFingerprints"] as? [String: String])
      #expect(prints["numcheck/v1"]?.count == 16)
    }
    let location = try #require((results[0]["locations"] as? [[String: Any]])?.first)
    let physical = try #require(location["physicalLocation"] as? [String: Any])
    #expect((physical["artifactLocation"] as? [String: String])?["uri"] == "my%20dir/numcheck.yml")
    #expect((physical["region"] as? [String: Int]) == ["startLine": 12, "startColumn": 5])
  }

  /// An alert stays the same alert when its value, its line or the others change; another figure is another.
  @Test func fingerprintsAreStable() throws {
    func prints(_ report: Report) throws -> [String] {
      let log = try #require(Self.json(SARIFEmitter.text(report, Style())) as? [String: Any])
      let results = try #require((log["runs"] as? [[String: Any]])?.first?["results"] as? [[String: Any]])
      return results.compactMap { ($0["partialFingerprints"] as? [String: String])?["numcheck/v1"] }
    }
    let first = try prints(Self.report())
    #expect(Set(first).count == 3)
    var moved = try Self.report()
    moved.checks[1].location = Location(file: "other.yml", line: 1)
    moved.checks.removeFirst()
    #expect(try prints(moved) == first)
    var other = Samples.report()
    try other.check([Limit(parsing: "online:ulp.max<=1")])
    #expect(try !first.contains(prints(other)[0]))
    // Known, so that no later version forgets alerts that services hold.
    #expect(first[0] == "ba30c551bd2a6ae6")
  }

  @Test func github() throws {
    let lines = try GitHubEmitter.text(Self.report(), Style()).split(separator: "\n")
    #expect(lines.count == 4)
    #expect(
      lines[0]
        == "::error file=my dir/numcheck.yml,line=12,col=5,title=numcheck sample%3A online%3A online%3Aulp.max<=2::online: ulp.max is 3.5, above 2"
    )
    #expect(lines[2] == "::warning title=numcheck sample::input: 3 overflow: 100 %25, all")
    #expect(lines[3] == "::notice title=numcheck sample::sample: 2 of 3 checks FAILED")
  }

  @Test func gitlab() throws {
    let issues = try #require(Self.json(GitLabEmitter.text(Self.report(), Style())) as? [[String: Any]])
    #expect(issues.compactMap { $0["severity"] as? String } == ["critical", "critical", "minor"])
    #expect(Set(issues.compactMap { $0["fingerprint"] as? String }).count == 3)
    let location = try #require(issues[0]["location"] as? [String: Any])
    #expect(location["path"] as? String == "my dir/numcheck.yml")
    #expect((location["lines"] as? [String: Int])?["begin"] == 12)
    // What has no line of its own stands somewhere: the widget drops what does not.
    for issue in issues { #expect((issue["location"] as? [String: Any])?["path"] is String) }
    #expect(try Self.json(GitLabEmitter.text(Samples.report(), Style())) as? [String] == [])
  }

  @Test func tap() throws {
    var report = try Self.report()
    report.checks[0] = Check("a#b\\", "", .passed, value: .none, limit: .none, message: "")
    let expected = """
      TAP version 13
      1..3
      # input: 3 overflow: 100 %, all
      ok 1 - a\\#b\\\\
      not ok 2 - online: online:ulp.max<=2
        ---
        message: "online: ulp.max is 3.5, above 2"
        severity: "fail"
        value: "3.5"
        limit: "2"
        at: "my dir/numcheck.yml:12:5"
        ...
      not ok 3 - naive: naive:sumError<=1
        ---
        message: "naive: sumError has no value: no row is finite"
        severity: "error"
        value: "nothing"
        limit: "1"
        ...

      """
    #expect(TAPEmitter.text(report, Style()) == expected)
  }

  @Test func summary() throws {
    let text = try SummaryEmitter.text(Self.report(), Style())
    #expect(text.hasPrefix("### ❌ sample: 2 of 3 checks FAILED\n"))
    #expect(
      text.contains(
        "| online | online:ulp.max\\<=2 | online: ulp.max is 3.5, above 2 | my dir/numcheck.yml:12:5 |"))
    #expect(text.contains("<details>") && text.contains("### a sample"))
    #expect(
      SummaryEmitter.text(Samples.report(), Style()).hasPrefix("### ✅ sample: nothing was to be checked\n"))
  }

  /// With checks that all passed and a gap, no format says that all is well.
  @Test func gapsAreNoSuccess() throws {
    var report = Samples.report()
    try report.check([Limit(parsing: "lost==0")])
    report.gaps = ["not all was checked: x"]
    for emitter in EmitterRegistry.all where emitter != CSVEmitter.self {
      #expect(
        emitter.text(report, Style()).contains(
          emitter == JSONEmitter.self ? "unchecked" : "not all was checked: x"), "\(emitter.name)")
    }
  }
}
