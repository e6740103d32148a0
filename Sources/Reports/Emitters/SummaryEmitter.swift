/// For `$GITHUB_STEP_SUMMARY` and comments of merge requests: the verdict, what did not pass, and all the rest folded away.
package enum SummaryEmitter: Emitter {
  package static let name = "summary"
  package static let summary = "for $GITHUB_STEP_SUMMARY: the verdict first, the rest folded away"

  package static func text(_ report: Report, _ style: Style) -> String {
    var out = "### \(mark(report.status)) \(Escaping.markdown(report.verdictLine))\n"
    let failed = report.checks.filter { !$0.passed }
    if !failed.isEmpty {
      out += "\n| where | limit | what happened | line |\n| --- | --- | --- | --- |\n"
      for check in failed {
        let cells = [check.place, check.name, check.message, check.location?.text ?? ""]
        out += "| " + cells.map(Escaping.markdown).joined(separator: " | ") + " |\n"
      }
    }
    if !report.wholeConclusion.isEmpty { out += "\n\(Escaping.markdownLine(report.wholeConclusion))\n" }
    return out + "\n<details><summary>The whole report</summary>\n\n" + MarkdownEmitter.text(report, style)
      + "\n</details>\n"
  }

  private static func mark(_ status: Report.Status) -> String {
    switch status {
    case .ok: "✅"
    case .failed: "❌"
    case .unchecked: "⚠️"
    }
  }
}

extension Report {
  /// How it ended, in a line: `gate: 2 of 9 checks FAILED`.
  var verdictLine: String {
    let asked = checks.filter { !$0.isImplied || !$0.passed }
    let said: String
    switch status {
    case .ok:
      said =
        asked.isEmpty
        ? "nothing was to be checked"
        : asked.count == 1 ? "the check passed" : "all \(asked.count) checks passed"
    case .failed: said = "\(asked.count { !$0.passed }) of \(asked.count) checks FAILED"
    case .unchecked: said = uncheckedReason ?? "nothing was checked"
    }
    return "\(command): \(said)"
  }
}
