/// A part of a run: the I-th of N.
package struct Shard: Sendable, Hashable, Codable {
  /// From 1.
  package let index: Int
  package let count: Int

  /// The most parts that a run may have: what they count is then still a number.
  package static let limit = 4096

  package init(index: Int, count: Int) {
    precondition((1...count).contains(index), "one of them")
    (self.index, self.count) = (index, count)
  }

  /// From `2/5`; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), count >= 1,
      count <= Self.limit, (1...count).contains(index)
    else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// `2/5`.
  package var text: String { "\(index)/\(count)" }

  /// Whether the one of a list's elements that has this number is its: every N-th, for neighbours in a list are alike, and so each part
  /// gets its share of the slow ones.
  package func holds(_ element: Int) -> Bool { element % count == index - 1 }
}
