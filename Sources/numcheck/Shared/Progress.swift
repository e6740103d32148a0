import Foundation

/// How far the work is, on standard error, if that is a terminal and the work is long.
final class Progress: Sendable {
  private let total: Int
  private let what: String
  private let start = Date()
  private let shown: Bool

  init(total: Int, what: String = "rows") {
    self.total = total
    self.what = what
    shown = isatty(STDERR_FILENO) == 1 && ReportTaker.current == nil
  }

  var callback: (@Sendable (Int) -> Void)? {
    guard shown else { return nil }
    return { [total, what, start] done in
      guard Date().timeIntervalSince(start) > 1 else { return }
      _ = StandardStreams.write("\r\(done) of \(total) \(what)", to: STDERR_FILENO)
    }
  }

  func finish() {
    guard shown, Date().timeIntervalSince(start) > 1 else { return }
    _ = StandardStreams.write("\r\u{1b}[K", to: STDERR_FILENO)
  }
}
