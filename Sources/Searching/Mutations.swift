import NumKit
import StabilityTesting

/// Changes to a row: of bits, and of structure.
struct Mutation {
  let limits: RowLimits
  private var format: NumberFormat { limits.format }

  /// A changed row; nil where what came of it may not be asked about. `place` is where its worst result stands.
  func child(of row: [Double], worst place: Int?, other: [Double], _ random: inout RandomSource) -> [Double]?
  {
    guard !row.isEmpty else { return nil }
    var child = row
    for _ in 0..<(random.chance(0.3) ? random.integer(in: 2...4) : 1) {
      if random.chance(0.55) {
        changeNumber(&child, place, &random)
      } else {
        if limits.width > 1 {
          changePairs(&child, other, &random)
        } else {
          changeStructure(&child, other, &random)
        }
      }
      if child.isEmpty { return nil }
    }
    return limits.fitted(child)
  }

  /// Up and down from one number, by every power of two of steps: a walk along one axis. About `count` rows.
  func walk(from row: [Double], at place: Int, _ random: inout RandomSource) -> [[Double]] {
    guard row.indices.contains(place), row[place].isFinite else { return [] }
    let bits = format.precision + 3
    return (0..<bits).flatMap { k -> [[Double]] in
      [-1, 1].compactMap { sign in
        var child = row
        // By chance between powers of two, so that walks do not meet again.
        let low = 1 << k
        child[place] = format.stepped(row[place], by: sign * random.integer(in: low...2 * low - 1))
        return limits.fitted(child)
      }
    }
  }

  private func pick(_ row: [Double], _ worst: Int?, _ random: inout RandomSource) -> Int {
    switch random.next() % 4 {
    case 0: if let worst, row.indices.contains(worst) { return worst }
    case 1: if let top = row.indices.max(by: { row[$0] < row[$1] }) { return top }
    default: break
    }
    return random.integer(in: 0...row.count - 1)
  }

  private func changeNumber(_ row: inout [Double], _ worst: Int?, _ random: inout RandomSource) {
    let i = pick(row, worst, &random)
    let x = row[i]
    let top = row.filter(\.isFinite).max() ?? 0
    switch random.next() % 16 {
    case 0...5:
      // A step of any power of two: the last bits as often as the first.
      let steps = 1 << random.integer(in: 0...format.precision + 2)
      row[i] = format.stepped(x.isFinite ? x : top, by: random.chance(0.5) ? steps : -steps)
    case 6...7:
      // A bit of the code.
      if x.isFinite {
        row[i] = format.decode(format.encode(x) ^ (1 << UInt64(random.integer(in: 0...format.bitWidth - 1))))
      }
    case 8: row[i] = row[random.integer(in: 0...row.count - 1)]
    case 9: row[i] = top
    case 10: row[i] = top - random.one(of: format.thresholds).magnitude
    case 11: row[i] = format.stepped(random.one(of: format.thresholds), by: random.integer(in: -2...2))
    case 12: row[i] = random.one(of: [0, 1, -1, -x, x / 2, 2 * x])
    case 13: row[i] = limits.allowsMasks && row.count > 1 ? -.infinity : 0
    case 14: row[i] = top - Double(random.integer(in: 0...200)) * 0.34657359027997264
    default: row[i] = x.isFinite ? x + random.normal() : random.normal()
    }
  }

  private func changeStructure(_ row: inout [Double], _ other: [Double], _ random: inout RandomSource) {
    let n = row.count
    let (a, b) = (random.integer(in: 0...n - 1), random.integer(in: 0...n - 1))
    let span = min(a, b)...max(a, b)
    switch random.next() % 14 {
    case 0: row.removeSubrange(span.count < n ? span : a...a)
    case 1: row.insert(contentsOf: row[span], at: random.integer(in: 0...n))
    case 2: row.insert(random.one(of: row), at: random.integer(in: 0...n))
    case 3: row.swapAt(a, b)
    case 4: row.reverse()
    case 5: row.sort()
    case 6:
      // A part of another row.
      for i in span where other.indices.contains(i) { row[i] = other[i] }
    case 7:
      let cut = min(a, other.count)
      row = Array(row[..<cut] + other[min(cut, other.count)...])
    case 8:
      let by = random.one(of: [1, -1, 16, -row[a], random.one(of: format.thresholds)])
      row = row.map { $0.isFinite && by.isFinite ? $0 + by : $0 }
    case 9:
      let by = random.one(of: [2, 0.5, -1, 1 + random.normal() / 16])
      row = row.map { $0.isFinite ? $0 * by : $0 }
    case 10:
      // The largest to the edge of a block.
      guard let top = row.indices.max(by: { row[$0] < row[$1] }) else { return }
      let block = 1 << random.integer(in: 0...10)
      row.swapAt(
        top, max(0, (random.integer(in: 1...max(1, n / block)) * block - random.integer(in: 0...1))) % n)
    case 11:
      let value = random.one(of: [row[a], 0, limits.allowsMasks ? -.infinity : row[b]])
      for i in span { row[i] = value }
    case 12:
      // To a length at which kernels turn.
      let lengths = limits.turningLengths.filter { $0 <= max(4 * n, 64) }
      guard let length = lengths.isEmpty ? nil : random.one(of: lengths) else { return }
      row = (0..<length).map { row[$0 % n] }
    default: for i in span { row[i] = row[a] }
    }
  }
}
