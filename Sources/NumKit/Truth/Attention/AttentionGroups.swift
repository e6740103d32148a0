/// Which keys of a query have exactly equal scores: what decides whether an output is rational.
///
/// o = r means Σ_g e^g Σ_{j ∈ g} (vⱼ − r) = 0 over the distinct scores g. They are algebraic (scale and norms are), so by
/// Lindemann–Weierstrass the e^g are linearly independent: o is r if and only if every group's mean is r. Under a cap "if" holds.
///
/// Scores that their pairs cannot tell apart are compared as exact numbers (`ExactScore`), with norms, caps and any head size.
final class AttentionGroups {
  private let scores: AttentionScores
  private let exact: ExactScores

  /// Places of keys (and behind them the sink) in order of their groups, and each place's group.
  private(set) var order: [Int] = []
  private(set) var groups: [Double] = []
  private(set) var isTrivial = true

  init(_ scores: AttentionScores) {
    self.scores = scores
    exact = ExactScores(scores)
  }

  /// Finds the groups of the query looked at.
  func find(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) {
    let n = scores.count
    let (h, e) = (scores.high.base, scores.error.base)
    // What overflowed a pair says nothing: then all may be equal.
    let isKnown = (0..<n).allSatisfy { h[$0].isFinite && e[$0] < .infinity }
    order = Array(0..<n)
    if isKnown { order.sort { (h[$0], $0) < (h[$1], $1) } }
    groups = [Double](repeating: 0, count: n)
    isTrivial = true
    var next = 0.0
    var start = 0
    while start < n {
      // A cluster: neighbours whose scores may be equal.
      var end = start + 1
      while end < n {
        if !isKnown {
          end = n
          break
        }
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

  /// The places of each group.
  var members: [[Int]] {
    var lists: [[Int]] = []
    for place in order {
      if let last = lists.last, groups[last[0]] == groups[place] {
        lists[lists.count - 1].append(place)
      } else {
        lists.append([place])
      }
    }
    return lists
  }

  /// Divides a cluster by exact comparison.
  private func divide(
    _ cluster: Range<Int>, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ next: inout Double
  ) {
    var places: [(place: Int, score: ExactScore)] = []
    for place in order[cluster] {
      if let score = exact.score(place, q, k) {
        places.append((place, score))
      } else {
        groups[place] = next
        next += 1
      }
    }
    places.sort { $0.score < $1.score }
    for (i, one) in places.enumerated() {
      if i > 0 && one.score != places[i - 1].score { next += 1 }
      groups[one.place] = next
    }
    next += 1
  }
}
