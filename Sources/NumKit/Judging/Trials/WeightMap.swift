import NumKitNumbers

/// The attention weights of a head: what a query of a group gives to the keys of a group, on average. Groups are neighbours, a side of
/// `side` at most, so that heads of any size can be looked at.
public struct WeightMap: Sendable, Hashable {
  /// Groups a side at most.
  public static let side = 24

  /// How many queries and keys the head has.
  public let queries: Int
  public let keys: Int
  /// Groups of queries and of keys.
  public let rows: Int
  public let columns: Int
  // Multiples of 2⁻⁴⁰, whose sums no order changes; and how many queries each group has seen.
  private var sums: [Int]
  private var seen: [Int]

  /// Of nothing yet.
  init(queries: Int, keys: Int) {
    self.queries = queries
    self.keys = keys
    rows = Swift.min(queries, Self.side)
    columns = Swift.min(keys, Self.side)
    sums = Array(repeating: 0, count: rows * columns)
    seen = Array(repeating: 0, count: rows)
  }

  /// The queries, or keys, of a group.
  public func queries(of row: Int) -> Range<Int> { Self.group(row, of: rows, among: queries) }
  public func keys(of column: Int) -> Range<Int> { Self.group(column, of: columns, among: keys) }

  private static func group(_ k: Int, of groups: Int, among n: Int) -> Range<Int> {
    (k * n + groups - 1) / groups..<((k + 1) * n + groups - 1) / groups
  }

  /// What a query of the group gives to the keys of the group on average; nil where none has a softmax.
  public func weight(row: Int, column: Int) -> Double? {
    seen[row] == 0 ? nil : Double(sums[row * columns + column]) * 0x1p-40 / Double(seen[row])
  }

  /// Adds a query's weight, between 0 and 1; `note` the query first.
  mutating func add(_ weight: Double, query: Int, key: Int) {
    guard weight >= 0, weight <= 2 else { return }
    sums[query * rows / queries * columns + key * columns / keys] += Int((weight * 0x1p40).rounded())
  }

  /// Counts a query whose weights are added.
  mutating func note(query: Int) { seen[query * rows / queries] += 1 }

  mutating func merge(_ other: WeightMap) {
    for i in sums.indices { sums[i] += other.sums[i] }
    for i in seen.indices { seen[i] += other.seen[i] }
  }
}

extension WeightMap: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(fixed: &sums) { try $0.carry(&$1) }
    try c.carry(fixed: &seen) { try $0.carry(count: &$1) }
  }
}
