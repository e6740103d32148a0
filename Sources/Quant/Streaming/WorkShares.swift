import Synchronization

/// How much of a tensor is done where its elements are gone through several times: each time is a share of one element.
final class WorkShares: Sendable {
  private let count: Int
  private let told: @Sendable (Int) -> Void
  private let done = Atomic<Int>(0)

  /// Of `count` shares; `told` hears how many whole elements more are done.
  init(_ count: Int, _ told: @escaping @Sendable (Int) -> Void) { (self.count, self.told) = (count, told) }

  /// Adds a share of so many elements.
  func add(_ elements: Int) {
    let (before, now) = done.add(elements, ordering: .relaxed)
    let more = now / count - before / count
    if more > 0 { told(more) }
  }
}
