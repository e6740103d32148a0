import NumKit

/// The worst rows found, of every length and kind one, so that a search does not all gather at one place.
struct Archive {
  /// What rows compete by: how long they are, whether some of it is hidden, whether the largest stands several times, how wide it is.
  private struct Niche: Hashable, Comparable {
    let length: Int
    let kind: Int
    let spread: Int

    init(_ row: [Double]) {
      var (top, low, tops, hidden) = (-Double.infinity, Double.infinity, 0, 0)
      for x in row {
        if x == -.infinity { hidden = 1 }
        guard x.isFinite else { continue }
        if x > top { (top, tops) = (x, 0) }
        if x == top { tops += 1 }
        low = min(low, x)
      }
      length = Int.bitWidth - row.count.leadingZeroBitCount
      kind = hidden * 2 + (tops > 1 ? 1 : 0)
      let width = top - low
      spread = width.isFinite && width > 0 ? max(-8, min(8, Int(width.exponent))) / 2 : -5
    }

    static func < (a: Niche, b: Niche) -> Bool { (a.length, a.kind, a.spread) < (b.length, b.kind, b.spread) }
  }

  private var best: [Niche: Evaluation] = [:]
  /// All of them, the worst first; of equal ones always in the same order.
  private(set) var ranked: [Evaluation] = []

  /// Enters what was found, in order.
  mutating func add(_ evaluations: [Evaluation]) {
    for evaluation in evaluations where evaluation.score > -.infinity {
      let niche = Niche(evaluation.row)
      if let held = best[niche], held.score >= evaluation.score { continue }
      best[niche] = evaluation
    }
    ranked = best.sorted { a, b in
      a.value.score != b.value.score ? a.value.score > b.value.score : a.key < b.key
    }.map(\.value)
  }

  /// One to go on from: half of the time one of the worst.
  func parent(_ random: inout RandomSource) -> Evaluation? {
    guard !ranked.isEmpty else { return nil }
    let top = min(ranked.count, 12)
    return ranked[random.integer(in: 0...(random.chance(0.5) ? top : ranked.count) - 1)]
  }
}
