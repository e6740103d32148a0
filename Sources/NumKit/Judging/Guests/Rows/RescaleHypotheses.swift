import NumKitQuestions
import RealModule

/// Sums of blocks that are not brought to the maximum that grew, and maxima that are not the row's.
enum RescaleHypotheses: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    guard context.operation.hasOneSum, context.length > 1 else { return [] }
    var list: [RowChange] = []
    func add(_ name: String, _ ratio: @escaping @Sendable (RowSum) -> Double) {
      var change = RowChange(name)
      change.sumRatio = { .one(ratio($0)) }
      list.append(change)
    }
    let sizes = (0..<14).map { 1 << $0 }.filter { $0 < context.length }
    for n in sizes {
      let blocks = n == 1 ? "element by element" : "in blocks of \(n)"
      add("sum never rescaled, \(blocks)") { unscaled($0, n) { _, _ in true } }
      add("sum not rescaled at the last new maximum, \(blocks)") { row in
        let last = growths(row, n).last
        return unscaled(row, n) { block, _ in block == last }
      }
      add("sum not rescaled at the first new maximum, \(blocks)") { row in
        let first = growths(row, n).first
        return unscaled(row, n) { block, _ in block == first }
      }
      let count = context.length
      // By its number where there are not too many.
      let last = (count - 1) / n
      for k in 1..<Swift.max(1, last + 1) where last < mostBlocks {
        let place = "block \(k + 1) of \(last + 1), \(blocks)"
        add("sum not rescaled at \(place)") { unscaled($0, n) { block, _ in block == k } }
        add("stale maximum in \(place)") { stale($0, n) { $0 == k } }
      }
      if last > 0 {
        add("stale maximum in every block but the first, \(blocks)") { stale($0, n) { _ in true } }
      }
      if n > 1 {
        add("stale maximum: that of the first \(n)") { Double.exp(largest($0.z[..<n]) - $0.maximum) }
      }
      let rest = count - n
      if rest > 0 {
        add("stale maximum: that of all but the last \(n == 1 ? "element" : "\(n)")") {
          Double.exp(largest($0.z[..<rest]) - $0.maximum)
        }
      }
    }
    return list
  }

  /// Rows of so many blocks have a hypothesis for each.
  private static let mostBlocks = 17

  private static func largest(_ z: ArraySlice<Double>) -> Double {
    z.reduce(-.infinity) { Swift.max($0, $1) }
  }

  /// The largest of each block of `n` and all before it.
  private static func maxima(_ row: RowSum, _ n: Int) -> [Double] {
    var m = -Double.infinity
    return stride(from: 0, to: row.z.count, by: n).map { start in
      m = Swift.max(m, largest(row.z[start..<Swift.min(start + n, row.z.count)]))
      return m
    }
  }

  /// The blocks, but the first, with a new maximum.
  private static func growths(_ row: RowSum, _ n: Int) -> [Int] {
    let m = maxima(row, n)
    return m.indices.dropFirst().filter { m[$0] > m[$0 - 1] }
  }

  /// The sum, without the factor that each block for which `isMissed` should bring to those before it, by the right one.
  private static func unscaled(
    _ row: RowSum, _ n: Int, _ isMissed: (_ block: Int, _ maximum: Double) -> Bool
  ) -> Double {
    let m = maxima(row, n)
    var s = 0.0
    for (k, start) in stride(from: 0, to: row.z.count, by: n).enumerated() {
      if k > 0 && !isMissed(k, m[k]) && s > 0 { s *= Double.exp(m[k - 1] - m[k]) }
      let end = Swift.min(start + n, row.z.count)
      // e^(z − m) from the row's terms, which are of its own maximum.
      if m[k] > -.infinity { s += RowSum.sum(row.terms[start..<end]) * Double.exp(row.maximum - m[k]) }
    }
    return s / row.sum
  }

  /// The sum, whose exponentials are made with the maximum of all blocks before theirs where `isStale`, by the right one.
  private static func stale(_ row: RowSum, _ n: Int, _ isStale: (_ block: Int) -> Bool) -> Double {
    let m = maxima(row, n)
    var s = 0.0
    for (k, start) in stride(from: 0, to: row.z.count, by: n).enumerated() {
      let block = RowSum.sum(row.terms[start..<Swift.min(start + n, row.z.count)])
      // Of e^(z − m), brought to the last maximum by the factor that belongs to the right one.
      let used = k > 0 && isStale(k) ? m[k - 1] : m[k]
      s += used > -.infinity ? block * Double.exp(m[k] - used) : 0
    }
    return s / row.sum
  }
}
