/// Has counted work done in shares, by several processes, or puts together what they found. The results of units must merge to the
/// same whatever the shares are.
package protocol WorkSharing: AnyObject {
  /// Whether this process does a share only: what follows from the whole is not to be looked at.
  var isPartial: Bool { get }
  /// How many shares there are.
  var shareCount: Int { get }
  /// Does a share of the units that stand within `span` of all work, or puts all shares together.
  func share<State: Portable>(
    _ name: String, units: Int, span: WorkSpan?, make: () throws -> State,
    work: (Range<Int>) throws -> State, merge: (inout State, State) throws -> Void
  ) throws -> State
}

/// Where one piece of work (a tensor) stands in all of it, in elements.
package struct WorkSpan: Sendable, Hashable {
  package let offset: Int
  package let weight: Int
  package let total: Int

  /// `weight` elements from number `offset` of `total` on.
  package init(offset: Int, weight: Int, total: Int) {
    precondition(offset >= 0 && weight >= 0 && offset + weight <= total, "within all work")
    (self.offset, self.weight, self.total) = (offset, weight, total)
  }

  /// Where share number `index` of `count` begins among all elements.
  private func start(_ index: Int, of count: Int) -> Int {
    let (high, low) = total.multipliedFullWidth(by: index)
    return count.dividingFullWidth((high, low)).quotient
  }

  /// Which of `units` equal parts of this piece share number `index` of `count` does: those that begin within the share.
  package func units(_ units: Int, share index: Int, of count: Int) -> Range<Int> {
    func first(_ index: Int) -> Int {
      let place = min(max(start(index, of: count) - offset, 0), weight)
      guard weight > 0, place < weight else { return index == 0 ? 0 : units }
      let (high, low) = place.multipliedFullWidth(by: units)
      let (quotient, rest) = weight.dividingFullWidth((high, low))
      return rest == 0 ? quotient : quotient + 1
    }
    // The last share ends all work, also where the piece has no elements.
    return first(index)..<(index + 1 == count ? units : first(index + 1))
  }

  /// Whether more than one of `count` shares has elements of it.
  package func isSplit(among count: Int) -> Bool {
    (1..<max(count, 1)).contains { k in
      let place = start(k, of: count)
      return place > offset && place < offset + weight
    }
  }
}

/// How this process shares its work with others: not at all, unless somebody says so for the thread that runs it.
package enum Sharing {
  @TaskLocal private static var holder: Holder?
  @TaskLocal private static var span: WorkSpan?

  /// A task's value must be sendable; these never leave their thread.
  private struct Holder: @unchecked Sendable { let sharing: (any WorkSharing)? }

  /// Who shares this thread's work; nil where it does all.
  package static var current: (any WorkSharing)? { holder?.sharing }

  /// Whether only a share is done here.
  package static var isPartial: Bool { current?.isPartial == true }

  /// Whether the piece of work that this thread is at is done by more than one process.
  package static var isSplit: Bool {
    guard let current else { return false }
    return span.map { $0.isSplit(among: current.shareCount) } ?? (current.shareCount > 1)
  }

  /// Runs `body` with its work shared by `sharing`, or, with nil, by nobody.
  package static func with<T>(_ sharing: (any WorkSharing)?, _ body: () throws -> T) rethrows -> T {
    try $holder.withValue(Holder(sharing: sharing), operation: body)
  }

  /// Runs `body`, which works on the piece at `span` of all work.
  package static func within<T>(_ span: WorkSpan?, _ body: () throws -> T) rethrows -> T {
    try $span.withValue(span, operation: body)
  }

  /// What `work` finds of all `units`: here, or shared with others. `make` gives what found nothing yet, to read results into.
  package static func share<State: Portable>(
    _ name: String, units: Int, make: () throws -> State, work: (Range<Int>) throws -> State,
    merge: (inout State, State) throws -> Void
  ) throws -> State {
    guard let current else { return try work(0..<units) }
    return try current.share(
      name, units: units, span: span, make: make, work: { range in try with(nil) { try work(range) } },
      merge: merge)
  }

  /// What was gathered on the way of work that has been shared.
  package static func gather<State: Portable>(
    _ name: String, _ found: State, blank: State, merge: (inout State, State) throws -> Void
  ) throws -> State {
    try share(name, units: 0, make: { blank }, work: { _ in found }, merge: merge)
  }
}

/// What follows is of the whole, and this process has a share only: who puts all shares together goes on.
package struct SharedElsewhere: Error {
  package init() {}
}
