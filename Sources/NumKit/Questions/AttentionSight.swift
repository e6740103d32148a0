/// The keys that a query sees by its place alone, whatever is added to scores: j where j < high and (j ≥ low or j < first).
public struct AttentionSight: Sendable, Hashable {
  /// Keys before this are seen whatever the window.
  public let first: Int
  /// Where the window begins.
  public let low: Int
  /// Where all ends.
  public let high: Int

  /// All three.
  public init(first: Int, low: Int, high: Int) {
    self.first = first
    self.low = low
    self.high = high
  }

  /// Whether key `j` is seen.
  public func sees(_ j: Int) -> Bool { j < high && (j >= low || j < first) }

  /// Whether no key is seen.
  public var isBlind: Bool { high <= 0 || (low >= high && first <= 0) }

  /// What is seen, ascending: the first keys, then the window.
  public var ranges: (Range<Int>, Range<Int>) {
    let start = Swift.min(first, high)
    let rest = Swift.max(low, start)
    return (0..<start, rest..<Swift.max(rest, high))
  }
}

extension AttentionMask {
  /// What query `i` sees by its place: where this says no, `bias` is −∞, where it says yes that is what is added.
  public func sight(query i: Int, queries: Int, keys: Int) -> AttentionSight {
    let position = i &+ (past ?? (alignment == .bottomRight ? keys &- queries : 0))
    var end = keys
    if let length { end = Swift.min(end, length) }
    if causal { end = Swift.min(end, position &+ 1) }
    end = Swift.max(end, 0)
    var low = 0
    if let left {
      let (start, overflows) = position.subtractingReportingOverflow(Swift.max(left, 0))
      low = overflows ? 0 : Swift.max(0, start)
    }
    var first = Swift.max(0, Swift.min(sinks, end))
    var high = end
    if let right {
      let (last, overflows) = position.addingReportingOverflow(Swift.max(right, 0))
      high = overflows || last >= end ? end : Swift.max(0, last + 1)
      // First keys after the window leave no gap that the window does not.
      if first >= high {
        high = first
        low = 0
      }
    }
    first = Swift.min(first, high)
    return AttentionSight(first: first, low: low, high: high)
  }
}
