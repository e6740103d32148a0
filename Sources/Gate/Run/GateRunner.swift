import Foundation
import Reports
import Synchronization

/// A command with its flags, ready to run.
package protocol GateSubject: Sendable {
  /// Runs it, on so many threads where it does not say itself; what it reports, or nil where it reports nothing.
  func run(threads: Int) throws -> Report?
}

/// Runs checks side by side and judges each. Answers are in the file's order, whatever the threads.
package struct GateRunner: Sendable {
  package struct Item: Sendable {
    package let index: Int
    package let check: GateCheck
    package let subject: any GateSubject
    package let commandLine: String

    package init(index: Int, check: GateCheck, subject: any GateSubject, commandLine: String) {
      self.index = index
      self.check = check
      self.subject = subject
      self.commandLine = commandLine
    }
  }

  package var threads: Int
  package var failFast = false
  /// Seconds for a check that does not say itself; nil for as long as it takes.
  package var timeLimit: Double?

  package init(threads: Int) { self.threads = threads }

  /// What is done and by whom; shared by the threads, which may outlive the call where a check hangs.
  private final class Board: Sendable {
    struct State {
      var next = 0
      /// The first that failed, where that ends the run.
      var firstFailed = Int.max
      var results: [CheckResult?]
      /// Those that run, and since when.
      var started: [Int: Date] = [:]
    }

    let state: Mutex<State>
    let changed = DispatchSemaphore(value: 0)

    init(_ count: Int) { state = Mutex(State(results: Array(repeating: nil, count: count))) }
  }

  /// Runs all; `progress` hears how many are done.
  package func run(_ items: [Item], progress: (@Sendable (Int) -> Void)? = nil) -> [CheckResult] {
    let board = Board(items.count)
    let workers = max(1, min(threads, items.count))
    let each = max(1, threads / workers)
    for _ in 0..<workers { work(items, board, each) }
    var wait: Double = 0.05
    while true {
      let (done, overdue) = board.state.withLock { state -> (Bool, [Int]) in
        let now = Date()
        let overdue = state.started.filter { k, start in
          (items[k].check.timeLimit ?? timeLimit).map { now.timeIntervalSince(start) > $0 } ?? false
        }.map(\.key)
        for k in overdue {
          state.started[k] = nil
          var result = CheckResult(
            items[k].check, index: items[k].index, commandLine: items[k].commandLine, .timedOut)
          let limit = items[k].check.timeLimit ?? timeLimit ?? 0
          result.reason = "it did not end within \(Figures.number(limit)) s"
          state.results[k] = result
          if failFast { state.firstFailed = min(state.firstFailed, k) }
        }
        let isDone = state.started.isEmpty && (state.next >= items.count || state.next > state.firstFailed)
        progress?(state.results.count { $0 != nil })
        return (isDone, overdue)
      }
      if done { break }
      // Who hangs is left alone; another takes the next check in its place.
      for _ in overdue { work(items, board, each) }
      let hasLimit = timeLimit != nil || items.contains { $0.check.timeLimit != nil }
      _ = board.changed.wait(timeout: .now() + (hasLimit ? wait : 1))
      wait = 0.05
    }
    return board.state.withLock { state in
      items.indices.map { k in
        if let result = state.results[k], k <= state.firstFailed { return result }
        var result = CheckResult(
          items[k].check, index: items[k].index, commandLine: items[k].commandLine, .notRun)
        result.reason = "a check before it failed"
        return result
      }
    }
  }

  /// A thread that takes one check after another.
  private func work(_ items: [Item], _ board: Board, _ threads: Int) {
    let failFast = failFast
    let thread = Thread {
      while true {
        let index = board.state.withLock { state -> Int? in
          guard state.next < items.count, state.next < state.firstFailed else { return nil }
          state.started[state.next] = Date()
          state.next += 1
          return state.next - 1
        }
        guard let index else { break }
        let result = Self.result(items[index], threads)
        let isOurs = board.state.withLock { state -> Bool in
          // Given up meanwhile: its place is taken.
          guard state.started.removeValue(forKey: index) != nil else { return false }
          state.results[index] = result
          if failFast && result.outcome != .passed { state.firstFailed = min(state.firstFailed, index) }
          return true
        }
        board.changed.signal()
        if !isOurs { break }
      }
      board.changed.signal()
    }
    // Kernels recurse little, but rows of theirs may live on the stack.
    thread.stackSize = 16 << 20
    thread.start()
  }

  private static func result(_ item: Item, _ threads: Int) -> CheckResult {
    var result = CheckResult(item.check, index: item.index, commandLine: item.commandLine, .passed)
    do {
      guard let report = try item.subject.run(threads: threads) else {
        throw GateError("the command reports nothing", at: item.check.location)
      }
      return try GateJudge.judged(result, item.check, report)
    } catch {
      result.outcome = .error
      result.reason = "\(error)"
      return result
    }
  }
}
