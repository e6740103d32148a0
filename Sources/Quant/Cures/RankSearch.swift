/// Magnitudes of given ranks, from 0, in each of some groups that run through a tensor: digit by digit, a pass each, so that memory is
/// bounded by the groups.
struct RankSearch {
  /// The bits of the magnitudes.
  private(set) var found: [UInt32]
  /// What is left of each rank among the group's magnitudes that are the one found.
  private(set) var rests: [Int]
  /// How many those are.
  private(set) var equals: [Int]

  /// Most counts that are held at once.
  private static let countLimit = 1 << 20

  init(ranks: [Int]) {
    rests = ranks
    found = [UInt32](repeating: 0, count: ranks.count)
    equals = found.map { _ in 0 }
  }

  /// Reads the tensor, in which no group's rank lies beyond its end.
  mutating func run(_ tensor: TensorBands, _ layout: GroupLayout) throws {
    var left = 31
    while left > 0 {
      var digit = min(left, 16)
      while digit > 1, found.count << digit > Self.countLimit { digit -= 1 }
      left -= digit
      var counts = [Int](repeating: 0, count: found.count << digit)
      let (mask, known) = (UInt32(1) << UInt32(digit) - 1, found)
      try tensor.forEach { _, band in
        layout.groups(rows: band.rows).forEachRun { group, elements in
          for i in elements {
            let bits = band.values[i].magnitude.bitPattern >> UInt32(left)
            if bits >> UInt32(digit) == known[group] { counts[group << digit | Int(bits & mask)] += 1 }
          }
        }
      }
      for group in found.indices {
        var k = group << digit
        while rests[group] >= counts[k] {
          rests[group] -= counts[k]
          k += 1
        }
        found[group] = found[group] << UInt32(digit) | UInt32(k - group << digit)
        equals[group] = counts[k]
      }
    }
  }
}
