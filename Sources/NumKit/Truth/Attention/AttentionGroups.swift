import CMPFR

/// Which keys of a query have exactly equal scores: what decides whether an output is rational.
///
/// o = r means Σ_g e^g Σ_{j ∈ g} (vⱼ − r) = 0 over the distinct scores g. They are algebraic (scale and norms are), so by
/// Lindemann–Weierstrass the e^g are linearly independent: o is r if and only if every group's mean is r. Under a cap "if" holds.
///
/// Scores that are one Double times a dot product, plus a bias, are compared as exact numbers. Others are equal where products and
/// biases are (under a norm: where the keys themselves are), which may split a group: then a rational result stays undecided.
final class AttentionGroups {
  private let scores: AttentionScores
  private let exact = ExactDot()
  private let values = EnclosureStorage()
  private static let precision = 6500

  /// Places of keys (and behind them the sink) in order of their groups, and each place's group.
  private(set) var order: [Int] = []
  private(set) var groups: [Double] = []
  private(set) var isTrivial = true

  init(_ scores: AttentionScores) { self.scores = scores }

  /// Finds the groups of the query looked at.
  func find(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) {
    let n = scores.count
    let (h, e) = (scores.high.base, scores.error.base)
    order = Array(0..<n)
    order.sort { h[$0].isNaN || h[$1].isNaN ? $0 < $1 : (h[$0], $0) < (h[$1], $1) }
    groups = [Double](repeating: 0, count: n)
    isTrivial = true
    var next = 0.0
    var start = 0
    while start < n {
      // A cluster: neighbours whose scores may be equal.
      var end = start + 1
      while end < n {
        let gap = h[order[end]] - h[order[end - 1]]
        if gap > 2 * (e[order[end]] + e[order[end - 1]]) + h[order[end]].magnitude * 0x1p-50 { break }
        end += 1
      }
      if end - start > 1 {
        isTrivial = false
        divide(start..<end, q, k, &next)
      } else {
        groups[order[start]] = next
        next += 1
      }
      start = end
    }
    let found = groups
    order.sort { (found[$0], $0) < (found[$1], $1) }
  }

  /// Divides a cluster by exact comparison.
  private func divide(
    _ cluster: Range<Int>, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ next: inout Double
  ) {
    let places = Array(order[cluster])
    values.reserve(places.count, precision: Self.precision)
    for (slot, place) in places.enumerated() { setExact(place, q, k, into: values[slot]) }
    let sorted = places.indices.sorted { a, b in
      let c = nc_mpfr_cmp(values[a].lower, values[b].lower)
      return c != 0 ? c < 0 : tie(places[a]) < tie(places[b])
    }
    for (i, slot) in sorted.enumerated() {
      if i > 0 {
        let before = sorted[i - 1]
        let same =
          nc_mpfr_cmp(values[before].lower, values[slot].lower) == 0
          && tie(places[before]) == tie(places[slot]) && sameKey(places[before], places[slot], k)
        if !same { next += 1 }
      }
      groups[places[slot]] = next
    }
    next += 1
  }

  /// Whether a score is a Double times the dot product, plus a bias.
  private var isLinear: Bool {
    scores.parameters.softcap == nil && scores.parameters.norm == nil && scores.factor.error == 0
  }

  /// The score where it is rational, else what orders it: the dot product.
  private func setExact(
    _ place: Int, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, into result: Enclosure
  ) {
    let keys = scores.profile.keys
    guard place < keys.count else {
      result.set(isLinear ? scores.profile.sink ?? 0 : 0)
      return
    }
    let d = scores.tensors.shape.headSize
    let scale = isLinear ? scores.factor.0.high : 1
    exact.dot(q, k + keys[place] * d, d, scale: scale, into: result)
    if isLinear { result.add(scores.profile.biases[place]) }
  }

  /// What distinguishes equal dot products.
  private func tie(_ place: Int) -> Double {
    if isLinear { return 0 }
    let keys = scores.profile.keys
    return place < keys.count ? scores.profile.biases[place] : scores.profile.sink ?? 0
  }

  private func sameKey(_ a: Int, _ b: Int, _ k: UnsafePointer<Double>) -> Bool {
    let keys = scores.profile.keys
    guard scores.parameters.norm != nil, a < keys.count, b < keys.count else { return true }
    let d = scores.tensors.shape.headSize
    return (0..<d).allSatisfy { k[keys[a] * d + $0] == k[keys[b] * d + $0] }
  }
}
