import Reports

/// Holds a command's report to what a check asks of it.
enum GateJudge {
  /// The result of a check whose command reported `report`. Throws where a limit cannot be held against such a report.
  static func judged(_ result: CheckResult, _ check: GateCheck, _ report: Report) throws -> CheckResult {
    var result = result
    var report = report
    // What flags of the command ask for stands where the flag does.
    for k in report.checks.indices {
      report.checks[k].location = place(of: report.checks[k], check)
    }
    for limit in check.limits {
      let before = report.checks.count
      do {
        try report.check(limit.limits)
      } catch {
        throw GateError(Self.message(error, limit), at: limit.location)
      }
      for k in before..<report.checks.count { report.checks[k].location = limit.location }
      // What the command asks for by itself and the file asks for too is one check, the file's.
      let asked = report.checks[before...]
      let same = report.checks[..<before].indices.filter { k in
        asked.contains { $0.name == report.checks[k].name && $0.place == report.checks[k].place }
      }
      for k in same.reversed() { report.checks.remove(at: k) }
    }
    let vacuous = report.vacuousResults
    var allowed: [String] = []
    result.checks = report.checks.filter { one in
      let isVacuous =
        one.outcome == .withoutValue || vacuous.contains(one.place) && !one.passed && one.isOnBound
      guard isVacuous, check.allowVacuous.contains(where: { Names.matches($0, one.place) }) else {
        return true
      }
      if !allowed.contains(one.place) { allowed.append(one.place) }
      return false
    }
    result.findings = report.allFindings.filter(\.isWarning)
    result.findings += allowed.map {
      Finding("vacuous", $0, "there is nothing to hold it to, which is allowed", leads: false)
    }
    result.conclusion = report.wholeConclusion
    result.figures = report.pinnedFigures(check.pinned)
    if check.pinned?.isEmpty != true {
      result.words = report.pinnedWords
      result.answers = report.answers
    }
    result.outcome = outcome(result.checks, allowed: !allowed.isEmpty)
    if result.outcome != .failed, let gap = report.gaps.first {
      result.outcome = .vacuous
      result.reason = gap
    } else if result.checks.isEmpty && allowed.isEmpty {
      // Nothing but a lock may hold it.
      result.outcome = .passed
    } else if result.outcome == .vacuous {
      result.reason = result.checks.first?.message ?? "nothing was checked"
    }
    return result
  }

  private static func outcome(_ checks: [Check], allowed: Bool) -> CheckResult.Outcome {
    if checks.contains(where: { $0.outcome == .failed }) { return .failed }
    if checks.contains(where: { $0.outcome == .withoutValue }) { return .vacuous }
    return .passed
  }

  private static func place(of one: Check, _ check: GateCheck) -> Location {
    // `… (--max-ulp)` is how a limit says which flag it is.
    for (flag, location) in check.places where one.message.contains("(--\(flag))") { return location }
    return check.location
  }

  private static func message(_ error: LimitError, _ limit: GateLimit) -> String {
    if case .derived = limit.kind, case .figure = error {
      return "'derived' is for results with a bound; this command's have none"
    }
    return "\(error)".replacing("--check '", with: "limit '")
  }
}

extension Check {
  /// Whether it is about the bound, so that a vacuous one is why it failed.
  var isOnBound: Bool { name.contains("bound.") || message.contains("bound") }
}

extension Report {
  /// Results whose bound says nothing.
  var vacuousResults: Set<String> {
    var names: Set<String> = []
    for table in tables where table.key == "results" {
      guard let c = table.columns.firstIndex(where: { $0.sense == .bound }) else { continue }
      for row in table.rows.indices where table.rows[row].cells[c].caveat != nil {
        names.insert(table.label(ofRow: row))
      }
    }
    return names
  }
}
