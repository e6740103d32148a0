import Reports

/// The gate's own report: a row a check, each limit at its line, figures over the axes of matrices.
package struct GateReport {
  package let path: String
  package let version: String
  package let results: [CheckResult]
  /// How many checks there are to be; more than there are results where shards are missing.
  package let total: Int
  /// What a lock says of each.
  package var lock: [Int: LockFindings] = [:]

  package init(path: String, version: String, results: [CheckResult], total: Int) {
    self.path = path
    self.version = version
    self.results = results
    self.total = total
  }

  private func outcome(_ result: CheckResult) -> CheckResult.Outcome {
    result.outcome == .passed && lock[result.index]?.checks.contains { !$0.passed } == true
      ? .failed : result.outcome
  }

  package var report: Report {
    var report = Report(
      command: "gate", version: version, title: "\(path): \(quantity(results.count, "check"))")
    func count(_ outcomes: CheckResult.Outcome...) -> Int {
      results.count { outcomes.contains(outcome($0)) }
    }
    let counts: [(String, Int)] = [
      ("total", total), ("passed", count(.passed)), ("failed", count(.failed)), ("vacuous", count(.vacuous)),
      ("errors", count(.error, .timedOut)), ("notRun", count(.notRun)),
    ]
    report.facts =
      [Fact("input.origin", .text("file")), Fact("input.name", .text(path))]
      + counts.map { Fact("gate." + $0.0, .integer($0.1)) }
    var section = Section()
    section.blocks = [.table(table), .table(figureTable)]
    section.charts = GateCharts(results).charts
    report.sections = [section]
    for result in results { add(result, to: &report) }
    if results.count < total {
      report.gaps.append("\(quantity(total - results.count, "check")) of \(total) did not run here")
    }
    report.conclusion = conclusion
    return report
  }

  /// Why a verdict is what it is, or a kernel failed beside its numbers: the report's conclusion.
  private func reason(_ check: Check, _ result: CheckResult) -> String {
    let isTold = ["verdict", "called.findings"].contains { check.name.contains($0) }
    return isTold && check.outcome == .failed && !result.conclusion.isEmpty ? "; " + result.conclusion : ""
  }

  private func add(_ result: CheckResult, to report: inout Report) {
    func placed(_ place: String) -> String { place.isEmpty ? result.name : "\(result.name): \(place)" }
    let pinned = lock[result.index]
    report.findings += (result.findings + (pinned?.findings ?? [])).map {
      Finding($0.kind, placed($0.place), $0.message, leads: $0.leads, warns: $0.isWarning)
    }
    for check in result.checks + (pinned?.checks ?? []) {
      var one = Check(
        check.name, placed(check.place), check.outcome, value: check.value, limit: check.limit,
        message: check.passed ? "" : "\(result.name): \(check.message)\(reason(check, result))")
      one.location = check.location ?? result.location
      report.checks.append(one)
    }
    switch result.outcome {
    case .error, .timedOut: lone(result, result.outcome == .error ? "runs" : "ends", .withoutValue, &report)
    // What its limits found stands among the checks already.
    case .vacuous where result.checks.allSatisfy(\.passed): lone(result, "checks", .withoutValue, &report)
    case .notRun:
      report.findings.append(Finding("not-run", result.name, result.reason, leads: false))
      report.gaps.append("\(result.name) did not run: \(result.reason)")
    case .passed where result.checks.isEmpty && pinned == nil && result.findings.isEmpty:
      lone(result, "checks", .withoutValue, &report)
    default: break
    }
  }

  /// A check of its own for what has no figure to hold.
  private func lone(_ result: CheckResult, _ name: String, _ outcome: Check.Outcome, _ report: inout Report) {
    let reason =
      result.reason.isEmpty ? "nothing was checked: it has no limit, and no lock pins it" : result.reason
    var one = Check(
      name, result.name, outcome, value: .none, limit: .none, message: "\(result.name): \(reason)")
    one.location = result.location
    report.checks.append(one)
  }

  private var table: Table {
    typealias C = GateColumns
    var table = Table(rows: results.count)
    table.readingOrder =
      results.indices.filter { outcome(results[$0]) != .passed }
      + results.indices.filter { outcome(results[$0]) == .passed }
    table.add(C.check) { .text(results[$0].name) }
    table.add(C.outcome) { i in
      switch outcome(results[i]) {
      case .passed: .text("passed", tone: .good)
      case .failed: .text("failed", tone: .bad)
      case .vacuous: .text("vacuous", tone: .bad)
      case .error: .text("error", tone: .bad)
      case .timedOut: .text("timed out", tone: .bad)
      case .notRun: .text("not run", tone: .doubtful)
      }
    }
    table.add(C.limits) { .count(results[$0].checks.count + (lock[results[$0].index]?.checks.count ?? 0)) }
    table.add(C.failed) { i in
      .count((results[i].checks + (lock[results[i].index]?.checks ?? [])).count { !$0.passed })
    }
    table.add(C.reason) { .text(results[$0].reason.isEmpty ? results[$0].conclusion : results[$0].reason) }
    table.add(C.line) { .text("\(results[$0].location.file):\(results[$0].location.line)") }
    table.add(C.command) { .text(results[$0].commandLine) }
    return table
  }

  /// All figures, for machines.
  private var figureTable: Table {
    typealias C = GateColumns
    let list = results.flatMap { result in result.figures.map { (result, $0) } }
    var table = Table("figures", rows: list.count, for: .machines)
    table.add(C.check) { .text(list[$0].0.name) }
    table.add(C.result) { .text(list[$0].1.label) }
    table.add(C.figure) { .text(list[$0].1.path) }
    table.add(C.value) { .number(list[$0].1.value) }
    return table
  }

  private var conclusion: String {
    let bad = results.filter { ![.passed, .notRun].contains(outcome($0)) }
    if results.isEmpty { return "nothing was checked: no check falls to this part" }
    guard let first = bad.first else {
      return results.contains { $0.outcome == .notRun }
        ? "not all was run"
        : results.count < total
          ? "those that ran hold; \(total - results.count) of \(quantity(total, "check")) did not run"
          : results.count == 1 ? "the check holds" : "all \(quantity(results.count, "check")) hold"
    }
    let more = bad.count > 1 ? " and \(quantity(bad.count - 1, "other"))" : ""
    let missing =
      results.count < total ? "\(total - results.count) of \(quantity(total, "check")) did not run; " : ""
    return
      "\(missing)\(first.name)\(more) \(bad.count > 1 ? "do" : "does") not hold; to see why: \(first.commandLine)"
  }
}

/// `1 check`, `1,000 checks`.
func quantity(_ n: Int, _ what: String) -> String { "\(Figures.count(n)) \(what)\(n == 1 ? "" : "s")" }

/// Columns of the gate's reports and of its history's.
package enum GateColumns {
  package static let check = Column(
    "check", "check", .decides, "the check's name in the file", align: .left, key: true)
  package static let outcome = Column(
    "outcome", "outcome", .decides,
    "passed; failed: a limit did not hold; vacuous: there was nothing to hold limits against; error: it could not be run; "
      + "timed out; not run: another had failed", align: .left)
  package static let limits = Column("limits", "limits", .useful, "how many limits were held against it")
  package static let limit = Column("limit", "limit", .decides, "what its report is held to", align: .left)
  package static let failed = Column(
    "failed", "failed", .useful, "how many of them did not hold", hidesZeros: true)
  package static let reason = Column(
    "what it found", "reason", .useful, "its report's conclusion, or why there is none", align: .left,
    prose: true)
  package static let line = Column("line", "line", .useful, "where it is written", align: .left)
  package static let command = Column(
    "command", "commandLine", .machine, "the line that makes its report", align: .left)
  package static let result = Column(
    "result", "result", .decides, "what the figure is of: an algorithm, a scheme", align: .left, key: true)
  package static let figure = Column("figure", "figure", .decides, "which figure", align: .left, key: true)
  package static let value = Column("value", "value", .decides, "the figure")
  package static let runs = Column("runs", "runs", .decides, "how many runs have it")
  package static let first = Column("first", "first", .useful, "its value in the first run")
  package static let last = Column("last", "last", .decides, "its value in the last run")
  package static let jump = Column(
    "jump", "jump.factor", .decides,
    "by which factor it changed where it changed most; none where it did not jump")
  package static let jumpCommit = Column(
    "at commit", "jump.commit", .decides, "the first commit after the jump", align: .left)
  package static let jumpBefore = Column(
    "after commit", "jump.after", .useful, "the last commit before the jump", align: .left)
  package static let jumpRun = Column("at run", "jump.run", .detail, "the number of that run")

  /// All there are.
  package static let all = [
    check, outcome, limit, limits, failed, reason, line, command, result, figure, value, runs, first, last,
    jump,
    jumpCommit, jumpBefore, jumpRun, jumpRunKey, commit, status,
  ]
}
