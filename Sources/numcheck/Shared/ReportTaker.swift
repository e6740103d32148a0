import Reports

/// Takes a command's report instead of the terminal: how the gate runs any command within its own process. It holds for the thread that
/// runs the command, and a command ends with its report, so that none needs to know.
final class ReportTaker {
  @TaskLocal private static var ownTaker: Box?

  /// A task's value must be sendable; this one never leaves its thread.
  private struct Box: @unchecked Sendable { let taker: ReportTaker }

  /// Who takes reports on this thread; nil where they are shown.
  static var current: ReportTaker? { ownTaker?.taker }

  /// How many threads a command is to use where nobody says.
  let threads: Int
  private(set) var report: Report?

  private init(threads: Int) { self.threads = threads }

  /// What `body` reports; nil where it ends without a report.
  static func report(threads: Int, of body: () throws -> Void) throws -> Report? {
    let taker = ReportTaker(threads: threads)
    try $ownTaker.withValue(Box(taker: taker), operation: body)
    return taker.report
  }

  /// Keeps a report and holds it to the command's own limits. It throws nothing where one fails: whoever asked for it judges.
  func take(_ report: Report, _ limits: [Limit]) throws {
    var report = report
    do { try report.check(limits) } catch { throw UsageError("\(error)") }
    self.report = report
  }
}
