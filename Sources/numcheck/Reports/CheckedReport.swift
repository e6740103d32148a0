import Foundation
import NumKit

/// A report on kernels that may have been checked.
protocol CheckedReport {
  var checks: [Check] { get }
  /// For people; `colour` marks verdicts.
  func text(colour: Bool) -> String
  /// For a page.
  var markdown: String { get }
  var csv: String { get }
  var json: JSONValue { get }
}

extension CheckedReport {
  /// Writes the report, then throws what its checks come to: `CheckFailed`, or where all passed because `isEmpty`, for want of
  /// anything finite, a `UsageError` with `reason`.
  func conclude(as format: OutputFormat, isEmpty: Bool, reason: String) throws {
    let colour = isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    switch format {
    case .text: try emit(text(colour: colour))
    case .json: try emit(json.text)
    case .markdown: try emit(markdown)
    case .csv: try emit(csv)
    }
    if let failed = checks.first(where: { !$0.passed }) {
      throw CheckFailed(message: format == .text ? "" : failed.message)
    }
    if !checks.isEmpty && isEmpty { throw UsageError("nothing was checked: \(reason)") }
  }

  /// How many checks passed, and those that did not.
  var checkLines: String {
    if checks.isEmpty { return "" }
    let failed = checks.filter { !$0.passed }
    return
      (failed.isEmpty
      ? "\nchecks: all \(checks.count) passed\n" : "\nchecks: \(failed.count) of \(checks.count) FAILED\n")
      + failed.map { "  \($0.message)\n" }.joined()
  }
}

extension Verdict {
  /// `cell` in the verdict's colour.
  func coloured(_ cell: String) -> String {
    let code = self == .ok ? 32 : self == .bug ? 31 : 33
    return "\u{1b}[\(code)m\(cell)\u{1b}[0m"
  }
}
