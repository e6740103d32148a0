import Synchronization

/// Work on numbered rows by several threads, each with state of its own that is merged at the end. What is merged must not
/// depend on order: which thread gets which rows is left to chance.
package struct ParallelRows {
  package let threads: Int
  /// Rows taken at a time.
  package let chunk: Int

  package init(threads: Int, chunk: Int) {
    self.threads = threads
    self.chunk = chunk
  }

  package func reduce<Worker>(
    count: Int, progress: (@Sendable (Int) -> Void)?, make: () throws -> Worker,
    body: @escaping (Worker, Int) throws -> Void, merge: (Worker, Worker) -> Void
  ) throws -> Worker {
    let workerCount = Swift.max(1, Swift.min(threads, (count + chunk - 1) / chunk))
    // Each thread touches its own worker, and none outlives the call.
    nonisolated(unsafe) let workers = try (0..<workerCount).map { _ in try make() }
    nonisolated(unsafe) let body = body
    let next = Atomic<Int>(0)
    let done = Atomic<Int>(0)
    let failure = Mutex<(row: Int, error: any Error)?>(nil)
    let chunk = chunk
    onThreads(workerCount) { index in
      while true {
        let start = next.add(chunk, ordering: .relaxed).oldValue
        guard start < count else { return }
        for row in start..<Swift.min(start + chunk, count) {
          do {
            try body(workers[index], row)
          } catch {
            failure.withLock { if $0 == nil || row < $0!.row { $0 = (row, error) } }
            // Rows before this one are all taken already.
            next.store(count, ordering: .relaxed)
            return
          }
        }
        let finished = done.add(Swift.min(chunk, count - start), ordering: .relaxed).newValue
        progress?(finished)
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    for other in workers.dropFirst() { merge(workers[0], other) }
    return workers[0]
  }
}
