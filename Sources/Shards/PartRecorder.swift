import NumKitNumbers

/// Does one part of all work that is shared, and keeps what it found.
package final class PartRecorder: WorkSharing {
  package let shard: Shard
  package private(set) var records: [PartFile.Record] = []

  package init(_ shard: Shard) { self.shard = shard }

  package var isPartial: Bool { true }
  package var shareCount: Int { shard.count }

  package func share<State: Portable>(
    _ name: String, units: Int, span: WorkSpan?, make: () throws -> State,
    work: (Range<Int>) throws -> State, merge: (inout State, State) throws -> Void
  ) throws -> State {
    let range = shard.units(units, span)
    do {
      let state = try work(range)
      records.append(.init(name: name, units: units, range: range, state: try state.carried()))
      return state
    } catch {
      // Whoever goes on without it goes on so where parts are put together.
      records.append(.init(name: name, units: units, range: range, state: nil))
      throw error
    }
  }
}

extension Shard {
  /// Which of `units` this part does, of a piece of work at `span` of all.
  func units(_ units: Int, _ span: WorkSpan?) -> Range<Int> {
    (span ?? WorkSpan(offset: 0, weight: units, total: units)).units(units, share: index - 1, of: count)
  }
}
