import Synchronization

/// Text that several threads make and that is written in order, each piece as soon as those before it are.
final class OrderedLines: Sendable {
  private struct State {
    var next = 0
    var waiting: [Int: String] = [:]
  }

  private let state = Mutex(State())
  private let count: Int

  init(count: Int) { self.count = count }

  /// Writes piece `index`, or keeps it until its turn; throws where nobody reads any more.
  func put(_ index: Int, _ text: String) throws {
    try state.withLock { state in
      state.waiting[index] = text
      while let text = state.waiting.removeValue(forKey: state.next) {
        try emit(text)
        state.next += 1
      }
    }
  }
}
