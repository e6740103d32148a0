import NumKit
import StabilityTesting

/// Rows of pairs: scores and values, the two sides of a product, logits and cotangents.
extension RowLimits {
  /// The first of the pairs of a kind, the second of another, or such that products cancel or are all as large.
  func freshPairs(_ family: RowFamily, _ length: Int, _ random: inout RandomSource) -> [Double]? {
    var first = [Double](repeating: 0, count: length)
    var second = first
    family.fill(&first, format, range: range, &random)
    // Numbers of any kind beside a hidden tile, or all hidden but one.
    if allowsMasks && length > 1 && random.chance(0.3) {
      let (a, b) = (random.integer(in: 0...length - 1), random.integer(in: 0...length - 1))
      let tile = min(a, b)...max(a, b)
      let isAllBut = random.chance(0.3)
      for i in first.indices where isAllBut ? i != a : tile.contains(i) {
        first[i] = -.infinity
      }
      if !first.contains(where: \.isFinite) { first[a] = -range }
    }
    let open = RowFamily.allCases.filter { !$0.isMasked }
    switch random.next() % 5 {
    case 0: second = second.map { _ in 1 }
    case 1:
      // A sign each, so that sums of either cancel.
      let size = random.one(of: [1, 1, format.largestFinite / 2, format.smallestNormal])
      second = second.indices.map { $0 % 2 == 0 ? size : -size }
    default: random.one(of: open).fill(&second, format, range: range, &random)
    }
    return fitted(zip(first, second).flatMap { [$0, $1] })
  }
}

/// Changes to the structure of a row of pairs.
extension Mutation {
  func changePairs(_ row: inout [Double], _ other: [Double], _ random: inout RandomSource) {
    let width = limits.width
    let n = row.count / width
    guard n > 0 else { return }
    let (a, b) = (random.integer(in: 0...n - 1), random.integer(in: 0...n - 1))
    let span = min(a, b)...max(a, b)
    let column = random.integer(in: 0...width - 1)
    // Elements by number: what they are made of stays together.
    var order = Array(0..<n)
    switch random.next() % 13 {
    case 0: order.removeSubrange(span.count < n ? span : a...a)
    case 1: order.insert(contentsOf: span, at: random.integer(in: 0...n))
    case 2: order.insert(a, at: b)
    case 3: order.swapAt(a, b)
    case 4: order.reverse()
    case 5: order.sort { row[$0 * width + column] < row[$1 * width + column] }
    case 6:
      // The largest to the edge of a block.
      guard let top = order.max(by: { row[$0 * width] < row[$1 * width] }) else { return }
      let block = 1 << random.integer(in: 0...10)
      let edge = random.integer(in: 1...max(1, n / block)) * block - random.integer(in: 0...1)
      order.swapAt(top, max(0, edge) % n)
    case 7:
      let lengths = limits.turningLengths.filter { $0 <= max(4 * n, 64) }
      guard !lengths.isEmpty else { return }
      order = (0..<random.one(of: lengths)).map { $0 % n }
    case 8:
      // A part of another row.
      for i in span where (i + 1) * width <= other.count {
        for c in 0..<width { row[i * width + c] = other[i * width + c] }
      }
      return
    case 9:
      let masked = limits.allowsMasks && column == 0
      let x = row[a * width + column]
      let value = random.one(of: [x, 0, 1, -x, masked ? -.infinity : x])
      for i in span { row[i * width + column] = value }
      return
    case 10:
      let by = random.one(of: [2, 0.5, -1, 1 + random.normal() / 16])
      for i in 0..<n where row[i * width + column].isFinite { row[i * width + column] *= by }
      return
    case 11:
      let by = random.one(of: [1, -1, 16, -row[a * width + column], random.one(of: limits.format.thresholds)])
      guard by.isFinite else { return }
      for i in 0..<n where row[i * width + column].isFinite { row[i * width + column] += by }
      return
    default:
      // What one element gives, another takes.
      for c in 0..<width {
        let x = row[a * width + c]
        row[b * width + c] = c == column ? -x : x
      }
      return
    }
    row = order.flatMap { row[$0 * width..<($0 + 1) * width] }
  }
}
