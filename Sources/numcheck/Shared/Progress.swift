import CFiles
import Foundation
import Reports
import Synchronization

/// How far the work is, on standard error, if that is a terminal and the work takes more than a second: a bar, the rate, the time
/// left. It is gone when the work ends.
final class Progress: Sendable {
  private let total: Int
  private let what: String
  private let limit: Double?
  private let start = ContinuousClock.now
  private let shown: Bool
  private let last = Mutex<ContinuousClock.Instant?>(nil)
  private let counted = Atomic<Int>(0)

  /// Of `total` in all, or of what can be done in so many seconds.
  init(total: Int, what: String = "rows", seconds limit: Double? = nil) {
    self.total = total
    self.what = what
    self.limit = limit
    shown = isatty(STDERR_FILENO) == 1 && !Terminal.isDumb && ReportTaker.current == nil
  }

  /// Takes how much is done in all; nil where nothing is shown.
  var callback: (@Sendable (Int) -> Void)? {
    guard shown else { return nil }
    return { [self] done in show(done) }
  }

  /// Adds to what is done.
  func add(_ count: Int) {
    guard shown else { return }
    show(counted.add(count, ordering: .relaxed).newValue)
  }

  private func show(_ done: Int) {
    let now = ContinuousClock.now
    let elapsed = now - start
    guard elapsed > .seconds(1), done > 0 else { return }
    last.withLock { last in
      // Ten times a second are as many as anybody sees.
      if let last, now - last < .milliseconds(100) { return }
      last = now
      let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
      nc_line_shown(1)
      _ = StandardStreams.write(
        "\r" + Self.line(done, of: total, what, seconds: seconds, limit: limit, width: Self.width)
          + "\u{1b}[K",
        to: STDERR_FILENO)
    }
  }

  /// `[########········] 120 of 236 tensors, 14.2/s, 0:08 left`, no wider than `width`; where time is what there is an end of,
  /// `120 rows`.
  static func line(
    _ done: Int, of total: Int, _ what: String, seconds: Double, limit: Double? = nil, width: Int
  ) -> String {
    let rate = Double(done) / max(seconds, 1e-9)
    let left = limit.map { max(0, $0 - seconds) } ?? (rate > 0 ? Double(max(0, total - done)) / rate : 0)
    let share = limit.map { min(1, seconds / max($0, 1e-9)) } ?? Double(done) / Double(max(1, total))
    var text = Figures.count(done) + (limit == nil ? " of \(Figures.count(total))" : "")
    text += " \(what), \(Figures.short(rate))/s"
    if left < 86_400 {
      let whole = Int(left.rounded(.up))
      let (minutes, rest) = (whole / 60, whole % 60)
      text += ", \(minutes):\(rest < 10 ? "0" : "")\(rest) left"
    }
    let room = min(30, width - text.utf8.count - 4)
    guard room >= 5 else { return String(text.prefix(max(0, width - 1))) }
    let filled = min(room, Int(Double(room) * share))
    return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: room - filled) + "] "
      + text
  }

  private static var width: Int {
    var size = winsize()
    return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  func finish() {
    guard shown, last.withLock({ $0 }) != nil else { return }
    _ = StandardStreams.write("\r\u{1b}[K", to: STDERR_FILENO)
    nc_line_shown(0)
  }
}
