import CJudging
import NumKitQuestions

/// Sums over the magnitudes of partial sums of products q·k, and over those of products: of queries that share keys side by side.
struct PartialSums {
  private static let lanes = Int(nc_judged_lanes)

  /// The rows, head·queries + query, that were multiplied last.
  private var rows = 0..<0
  private var queries: [Double] = []
  /// Each [keys, lanes].
  private var partials: [Double] = []
  private var wholes: [Double] = []

  /// Writes those of `row` with each of `keys`, which it sees by its place, into `partial` and `whole`. Where `skips`, first products are
  /// no partial sums.
  mutating func write(
    _ row: Int, _ keys: [Int], _ tensors: AttentionInputs, _ mask: AttentionMask, skips: Bool,
    into partial: inout [Double], _ whole: inout [Double]
  ) {
    if !rows.contains(row) { multiply(row, tensors, mask, skips: skips) }
    let lane = row - rows.lowerBound
    for (place, j) in keys.enumerated() {
      partial[place] = partials[j * Self.lanes + lane]
      whole[place] = wholes[j * Self.lanes + lane]
    }
  }

  /// Multiplies the rows that stand with `row`.
  private mutating func multiply(
    _ row: Int, _ tensors: AttentionInputs, _ mask: AttentionMask, skips: Bool
  ) {
    let shape = tensors.shape
    let (d, head) = (shape.headSize, row / shape.queries)
    let keyHead = shape.keyHead(of: head)
    // Of one head, in which neighbours see much the same; where it has few, with those of others.
    let all =
      shape.queries < Self.lanes
      ? shape.rows(ofKeyHead: keyHead) : head * shape.queries..<(head + 1) * shape.queries
    let first = row - (row - all.lowerBound) % Self.lanes
    rows = first..<Swift.min(first + Self.lanes, all.upperBound)
    if partials.isEmpty {
      queries = Array(repeating: 0, count: d * Self.lanes)
      partials = Array(repeating: 0, count: shape.keys * Self.lanes)
      wholes = partials
    }
    var start = 0..<0
    var window = 0..<0
    for (lane, row) in rows.enumerated() {
      for c in 0..<d { queries[c * Self.lanes + lane] = tensors.numbers.q[row * d + c] }
      let seen = mask.sight(query: row % shape.queries, queries: shape.queries, keys: shape.keys).ranges
      start = Self.hull(start, seen.0)
      window = Self.hull(window, seen.1)
    }
    if start.overlaps(window) { (start, window) = (Self.hull(start, window), 0..<0) }
    for part in [start, window] where !part.isEmpty {
      multiply(part, keyHead * shape.keys, d, tensors.numbers.k, skips: skips)
    }
  }

  /// Multiplies them with keys of a head that begins at key `head` of all, some at a time.
  private mutating func multiply(_ keys: Range<Int>, _ head: Int, _ d: Int, _ all: HeldNumbers, skips: Bool) {
    for start in stride(from: keys.lowerBound, to: keys.upperBound, by: 32) {
      let count = Swift.min(32, keys.upperBound - start)
      let place = start * Self.lanes
      all.withNumbers((head + start) * d..<(head + start + count) * d) { k in
        partials.withUnsafeMutableBufferPointer { partials in
          wholes.withUnsafeMutableBufferPointer { wholes in
            guard let p = partials.baseAddress, let w = wholes.baseAddress else { return }
            nc_partial_sums(queries, k.baseAddress, count, d, skips ? 1 : 0, p + place, w + place)
          }
        }
      }
    }
  }

  /// All between the ends of both.
  private static func hull(_ a: Range<Int>, _ b: Range<Int>) -> Range<Int> {
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    return Swift.min(a.lowerBound, b.lowerBound)..<Swift.max(a.upperBound, b.upperBound)
  }
}
