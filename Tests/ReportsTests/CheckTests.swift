import Testing

import Reports

@Suite struct CheckTests {
  private func outcomes(_ limits: String..., of report: Report = Samples.report()) throws -> [Check] {
    var report = report
    try report.check(limits.map { try Limit(parsing: $0) })
    return report.checks
  }

  /// Errors are 1.5, 2.5 and 3.5; verdicts ok, bug, ok.
  @Test(arguments: [
    ("ulp.max<=3", [true, true, false]), ("ulp.max<2.5", [true, false, false]),
    ("ulp.max>=2.5", [false, true, true]), ("ulp.max>2.5", [false, false, true]),
    ("ulp.max==2.5", [false, true, false]), ("ulp.max!=2.5", [true, false, true]),
    ("verdict!=bug", [true, false, true]), ("verdict == bug", [false, true, false]),
    ("ulp.max<=bound.ulp", [true, true, false]), ("lost==0", [true, true, true]),
    ("data.row<1", [true, false, false]), ("data.inner.x==0.5", [true, true, true]),
    ("shifted:ulp.max<=3", [true]), ("*i*:ulp.max<=2", [true, false, false]), ("??ive:lost==0", [true]),
    ("input.nan==2", [true]), ("rows>3", [false]), ("dtype==f16", [true]),
  ])
  func limitsAreHeldAgainstFigures(_ text: String, _ passed: [Bool]) throws {
    #expect(try outcomes(text).map(\.passed) == passed)
  }

  /// A word that is misspelt would differ from all.
  @Test func wordsAreOnesThatTheFigureSays() throws {
    var report = Report(command: "sample", version: "1")
    var table = Table(rows: 1)
    table.add(Column("verdict", "verdict", .decides, "what it is", words: ["ok", "bug"])) { _ in .text("ok") }
    report.add(table)
    #expect(throws: LimitError.word("bugg", figure: "verdict", words: ["ok", "bug"])) {
      _ = try outcomes("verdict!=bugg", of: report)
    }
    #expect(try outcomes("verdict!=bug", of: report).map(\.passed) == [true])
  }

  /// Where nothing gave results a limit on them has no value, whatever it is on; one on the run has.
  @Test func resultsThatAreAbsentPassNothing() throws {
    var report = Samples.report()
    report.sections = []
    #expect(throws: LimitError.self) { _ = try outcomes("ulp.max<=3", of: report) }
    report.absence = "program gave no results"
    let checks = try outcomes("ulp.max<=3", "naive:verdict!=bug", "input.nan==2", of: report)
    #expect(checks.map(\.outcome) == [.withoutValue, .withoutValue, .passed])
    #expect(checks[0].message == "ulp.max has no value: program gave no results")
  }

  @Test func messagesSayWhatWhereAndByHowMuch() throws {
    var table = Samples.table(["naive", "shifted"])
    table.setWitnesses { "row \($0), index 7" }
    var report = Report(command: "sample", version: "1")
    report.add(table)
    try report.check([Limit("ulp.max", .atMost, "2", flag: "--max-ulp")])
    #expect(
      report.checks.map(\.message) == ["", "shifted: ulp.max is 2.5, above 2 (--max-ulp); row 1, index 7"])
    #expect(report.checks[1].name == "ulp.max<=2" && report.checks[1].place == "shifted")
    #expect(report.checks[1].value == .number(2.5) && report.checks[1].limit == .number(2))
    let other = try outcomes("shifted:ulp.max>bound.ulp", "verdict==ok")
    #expect(other[0].message == "shifted: ulp.max is 2.5, not above bound.ulp (3)")
    #expect(other[2].message == "shifted: verdict is bug, not ok")
  }

  /// What has no value, or one that means nothing, is no pass, whichever way it is asked.
  @Test func whatSaysNothingNeverPasses() throws {
    for limit in ["naive:sumError<=1", "naive:sumError>=0", "naive:sumError!=5", "naive:sumError==0"] {
      let check = try outcomes(limit)[0]
      #expect(
        check.outcome == .withoutValue && check.message == "naive: sumError has no value: no row is finite")
    }
    for limit in ["online:bound.ulp>=1", "online:bound.ulp<=1e300", "online:ulp.max<=bound.ulp"] {
      let check = try outcomes(limit)[0]
      #expect(check.outcome == .failed && check.message.contains("the bound is vacuous"), "\(limit)")
    }
    var spoiled = Table(rows: 1)
    spoiled.add(Samples.largest) { _ in .spoiled("every row has a NaN") }
    var broken = Report(command: "sample", version: "1")
    broken.add(spoiled)
    // A fault, not nothing to look at.
    let check = try outcomes("ulp.max<=3", of: broken)[0]
    #expect(check.outcome == .failed && check.message == "ulp.max cannot pass: every row has a NaN")
    var table = Table(rows: 2)
    table.add(Samples.largest) { $0 == 0 ? .init(text: "NaN", value: .number(.nan)) : .number(.infinity) }
    var report = Report(command: "sample", version: "1")
    report.add(table)
    #expect(try outcomes("ulp.max!=3", of: report).map(\.outcome) == [.withoutValue, .passed])
    #expect(try outcomes("ulp.max<=3", of: report).map(\.outcome) == [.withoutValue, .failed])
    #expect(try outcomes("ulp.max==inf", of: report).map(\.outcome) == [.withoutValue, .passed])
  }

  @Test func unknownNamesAreErrorsThatHelp() {
    func error(_ text: String) -> String {
      do {
        _ = try outcomes(text)
        return ""
      } catch { return "\(error)" }
    }
    #expect(error("ulp.mx<=3") == "no figure 'ulp.mx' in this report; did you mean ulp.max?")
    #expect(
      error("ulp<=3") == "no figure 'ulp' in this report; did you mean ulp.max or ulp.mean or bound.ulp?")
    #expect(error("max<=3") == "no figure 'max' in this report; did you mean ulp.max?")
    #expect(error("nonsense<=3").hasPrefix("no figure 'nonsense' in this report; "))
    #expect(error("nonsense<=3").contains("list figures"))
    #expect(error("ulp.max<=bound.ul") == "no figure 'bound.ul' in this report; did you mean bound.ulp?")
    #expect(error("other:lost==0") == "no result 'other' in this report; there are: naive, shifted, online")
    #expect(error("verdict<=ok").contains("is not compared like that"))
    #expect(error("data<=3").contains("is not compared like that"))
  }

  @Test(arguments: [
    "", "ulp.max", "<=3", "ulp.max<=", "ulp.max<=nan", "ulp.max<=inf", "ulp.max=3", "ulp.max<=<3", ":<=3",
    "a:<=3",
    "ulp.max<=3<=4",
  ])
  func otherFormsAreRefused(_ text: String) {
    #expect(throws: LimitError.form(text)) { try Limit(parsing: text) }
  }

  @Test func selectorsMayHoldColons() throws {
    let limit = try Limit(parsing: " mxfp4:ggml:sqnr >= 20.5 ")
    #expect(limit.selector == "mxfp4:ggml" && limit.figure == "sqnr" && limit.relation == .atLeast)
    #expect(limit.bound == "20.5" && limit.name == "mxfp4:ggml:sqnr>=20.5")
  }

  @Test func theStatusIsWhatChecksComeTo() throws {
    var report = Samples.report()
    #expect(report.status == .ok && report.uncheckedReason == nil)
    report.gaps = ["not all was checked: a tensor"]
    #expect(report.status == .ok)
    try report.check([Limit(parsing: "lost==0")])
    #expect(report.status == .unchecked && report.uncheckedReason == "not all was checked: a tensor")
    try report.check([Limit(parsing: "ulp.max<=1")])
    #expect(report.status == .failed)
    var empty = Samples.report()
    try empty.check([Limit(parsing: "naive:sumError<=1")])
    #expect(empty.status == .unchecked)
    #expect(empty.uncheckedReason == "nothing was checked: naive: sumError has no value: no row is finite")
    // One that has no value among others that pass.
    try empty.check([Limit(parsing: "online:sumError<=1")])
    #expect(empty.status == .failed)
    // What the command asks for itself is told of only where it fails.
    var implied = Samples.report()
    var limit = try Limit(parsing: "lost==0")
    limit.isImplied = true
    try implied.check([limit])
    #expect(implied.status == .ok && !TextEmitter.text(implied, Style()).contains("checks:"))
  }

  @Test func patternsMatchWholeNames() {
    for (pattern, name, isMatch) in [
      ("*", "", true), ("a*c", "abbc", true), ("a*c", "abcd", false), ("?", "", false), ("a?c", "abc", true),
      ("*.q.*", "blk.0.q.weight", true), ("a**b", "ab", true), ("ab", "abc", false), ("*a", "banana", true),
    ] {
      #expect(Names.matches(pattern, name) == isMatch, "\(pattern) \(name)")
    }
  }
}
