import NumKit
import RealModule

/// Whether a sum is rescaled where the maximum grows, as an online softmax does, and after how many terms it may. Asked of sums of one
/// term after the other; where blocks are summed by themselves the order says how large they are.
///
/// k terms that are alike and a larger one behind them. Where the maximum is known before, each term is f = e^−δ and the sum of k of them
/// drifts, by the same rounding again and again; where they are met before it they are k times 1, which is exact, times f. δ are chosen
/// such that the two are apart, whatever f is within a unit of the exact one. A number of terms to a block is left only if no row
/// contradicts it.
struct RescaleProbe {
  let room: RowRoom
  /// Bits of the accumulator.
  let bits: Int

  static func ask(_ i: RowInterview) throws {
    guard i.room.kind.givesProbabilities, i.subtracts, i.room.format.precision >= 24, i.room.n >= 16,
      case .bits(let bits)? = i.traits.first(where: { $0.name == "accumulate" })?.value,
      i.traits.contains(where: { $0.name == "order" && $0.value == .word("sequential") }),
      let trait = try RescaleProbe(room: i.room, bits: bits).run()
    else { return }
    i.traits.append(trait)
  }

  private struct Row {
    let delta: Double
    /// Where the larger term stands.
    let place: Int
  }

  /// nil where no row tells.
  func run() throws -> Trait? {
    let deltas = deltas
    let step = max(1, (room.n - count) / 32)
    let rows = deltas.flatMap { delta in
      stride(from: count, to: room.n, by: step).map { Row(delta: delta, place: $0) }
    }
    let y = try room.box.read(rows.map(probe))
    // Terms to a block; nil for the whole row at once.
    var left: [Int?] = Array(1..<room.n) + [nil]
    var example: (row: Row, y: Double)?
    for (row, y) in zip(rows, y) {
      let before = left.count
      left.removeAll { !allowed(row, block: $0).contains(y) }
      if left.count < before, example == nil { example = (row, y) }
    }
    guard let example, !left.isEmpty else { return nil }
    let words =
      "\(count) of \(ProbeText.number(-example.row.delta)) before 0 at \(example.row.place): "
      + "\(ProbeText.hex(example.y)), the first of \(rows.count) such rows to rule some out"
    let sizes = left.compactMap { $0 }
    if sizes.isEmpty { return Trait("rescale", .word("never"), words) }
    guard sizes.count == left.count, let least = sizes.min(), let most = sizes.max() else { return nil }
    return Trait("rescale", .word(least == most ? "blocks:\(least)" : "blocks of \(least) to \(most)"), words)
  }

  /// Terms that are alike.
  private var count: Int { min(room.n * 3 / 4, 96) }

  private func probe(_ row: Row) -> RowProbe {
    var some = [row.place: 0.0]
    for k in row.place - count..<row.place { some[k] = -row.delta }
    return room.row(some, rest: room.none(), place: row.place)
  }

  /// Those for which a drift shows, the largest first.
  private var deltas: [Double] {
    let all = (1...1000).map { room.format.round(Double($0) / 512) }
    func distance(_ delta: Double) -> Double {
      let row = Row(delta: delta, place: count)
      let (once, each) = (allowed(row, block: nil), allowed(row, block: 1))
      return max(once.lowerBound - each.upperBound, each.lowerBound - once.upperBound)
    }
    return all.map { ($0, distance($0)) }.filter { $0.1 > 0 }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(8)
      .map(\.0)
  }

  /// What a kernel gives that rescales after so many terms.
  private func allowed(_ row: Row, block: Int?) -> ClosedRange<Double> {
    let exact = Double.exp(-row.delta)
    let unit = Double.powerOfTwo(Int(exact.exponent) - 23)
    let sums = (-1...1).map { k in
      let near = (exact / unit).rounded() * unit + Double(k) * unit
      return sum(row, block, of: rounded(near))
    }
    let (low, high) = (1 / (sums.max() ?? 1), 1 / (sums.min() ?? 1))
    // The quotient's rounding. What ends otherwise, or has other exponentials, is in neither for long.
    return low * (1 - 0x1.05p-24)...high * (1 + 0x1.05p-24)
  }

  private func sum(_ row: Row, _ block: Int?, of term: Double) -> Double {
    let start = row.place - count
    // Those in blocks before the larger one's.
    let first = max(start, block.map { row.place / $0 * $0 } ?? 0)
    var sum = rounded(Double(first - start) * term)
    for k in first...row.place { sum = rounded(sum + (k == row.place ? 1 : term)) }
    return sum
  }

  /// To the accumulator's bits, nearest.
  private func rounded(_ x: Double) -> Double {
    guard x != 0 else { return 0 }
    let unit = Double.powerOfTwo(Int(x.exponent) - bits + 1)
    return (x / unit).rounded(.toNearestOrEven) * unit
  }
}
