import Guests
import Reports

/// What is said of a kernel that was called, beside its results.
extension Report {
  /// With what was found of a called kernel, where there is one.
  func adding(_ called: CalledResults?) -> Report {
    var report = self
    if let called { report.add(called) }
    return report
  }

  private mutating func add(_ called: CalledResults) {
    facts += [
      Fact("called.line", .text(ArgumentText.shown(called.line))),
      Fact("called.calls", .integer(called.callCount)),
      Fact("called.findings", .integer(called.findings.count)),
    ]
    for finding in called.findings {
      findings.append(Finding(finding.kind, called.name, finding.message, warns: true))
    }
    // What stands in place of results are no numbers of the kernel's.
    if called.isEmpty { (sections, notes) = ([], []) }
    let calls = "\(Figures.count(called.callCount)) \(called.callCount == 1 ? "call" : "calls")"
    notes.append(
      "called: \(ArgumentText.shown(called.line)) (\(calls), \(called.findings.isEmpty ? "nothing found" : "\(called.findings.count) found") beside its results)"
    )
    if !called.findings.isEmpty {
      var kinds: [String] = []
      for finding in called.findings where !kinds.contains(finding.kind) { kinds.append(finding.kind) }
      if called.isEmpty {
        absence = "\(called.name) gave no results"
        conclusion = "\(absence), nothing was judged: \(called.findings[0].message)"
      } else {
        let said = "\(called.name) is wrong beside its numbers: \(kinds.joined(separator: ", "))"
        conclusion = conclusion.isEmpty ? said : conclusion + "; " + said
      }
    }
    guard !called.invariance.isEmpty else { return }
    typealias C = CalledColumns
    let cells = called.invariance
    var table = Table("invariance", rows: cells.count)
    table.title = "what changes no question, and how many bits it changes"
    table.add(C.change) { .text(cells[$0].name) }
    table.add(C.bits) { k in
      let cell = cells[k]
      if let reason = cell.reason { return .none(reason, text: "not tried: \(reason)") }
      return Cell(
        text: cell.text, value: cell.bits.map { .integer($0) } ?? .none,
        tone: cell.differing == 0 ? .good : .doubtful)
    }
    table.add(C.differing) { .count(cells[$0].differing) }
    table.add(C.compared) { .count(cells[$0].compared) }
    table.add(C.witness) { k in cells[k].witness.map { .text($0) } ?? Cell(text: "", value: .none) }
    add(table)
  }

  /// What results are held to, and a kernel that is called beside its numbers. Where it gave none, only that.
  static func limits(of called: CalledResults?) -> [Limit] {
    guard let called else { return VerifyReport.limits }
    var limit = Limit("called.findings", .equal, "0")
    limit.isImplied = true
    return (called.isEmpty ? [] : VerifyReport.limits) + [limit]
  }
}
