import CMPFR
import NumKitNumbers
import NumKitQuestions

/// Outputs over the groups of equal scores, keys and sink, as MPFR enclosures. With m_g places in group g, a the group of the largest
/// weight, w_g a weight over that one and S = Σ m_g w_g:
///
///     o = B + (U − L) Σ_{g ≠ a} w_g C_g / (m_a S)    C_g = m_a V_g − m_g V_a    B = V₁ + L V + (U − L) V_a/m_a
///
/// where V_g is the sum of the values of g, V of all groups, and without clipping L = 0, U = 1, V₁ = 0. Clipping leaves a group as it
/// is, or makes its weights 0 or 1: V_g is then 0, and its values go nowhere or into V₁. B and C_g are exact, so that what cancels
/// is 0, and what is far below B says to which side of it o lies. o is rational if all C_g are 0 (section 12 of
/// Documentation/CertifiedReference.md).
final class GroupedOutputs {
  /// What clipping does to a group's weights.
  private enum Fate { case weighted, one, zero }

  private struct Group {
    /// In `AttentionGroups.order`.
    let places: Range<Int>
    /// One of them, whose weight is the others'.
    let first: Int
    var fate = Fate.weighted
  }

  private let scores: AttentionScores
  private let groups: AttentionGroups
  private let scoreStorage: EnclosureStorage
  private let weightStorage: EnclosureStorage
  private let coefficients = EnclosureStorage()
  private let registers = EnclosureStorage()
  /// Weights over that of group `relativeTop`, where they have been needed.
  private let relative = EnclosureStorage()
  private var relativeTop: Int?
  private let exact = ExactNumbers(5)
  private var all: [Group] = []
  private var anchor = 0

  /// `weights` receive, place by place, e^(score − the largest's) before `prepare`.
  init(_ scores: AttentionScores, scores scoreStorage: EnclosureStorage, weights: EnclosureStorage) {
    self.scores = scores
    self.scoreStorage = scoreStorage
    weightStorage = weights
    groups = AttentionGroups(scores)
  }

  private var one: Enclosure { registers[0] }
  private var rest: Enclosure { registers[1] }
  private var sum: Enclosure { registers[2] }
  private func scratch(_ k: Int) -> Enclosure { registers[3 + k] }

  private var clip: (lower: Double, upper: Double)? {
    if case .clipped(let lower, let upper) = scores.parameters.softmax { return (lower, upper) }
    return nil
  }

  private func weight(_ g: Int) -> Enclosure { g == anchor ? one : weightStorage[all[g].first] }

  /// Finds the groups of the query looked at.
  func find(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) {
    groups.find(q, k)
    all.removeAll(keepingCapacity: true)
    var start = 0
    while start < groups.order.count {
      let group = groups.groups[groups.order[start]]
      var end = start + 1
      while end < groups.order.count && groups.groups[groups.order[end]] == group { end += 1 }
      all.append(Group(places: start..<end, first: groups.order[start]))
      start = end
    }
  }

  /// Sums the weights at a precision, the largest's place being `largest`; false where it is not yet known which are clipped.
  func prepare(largest: Int, precision: Int) -> Bool {
    registers.reserve(8, precision: precision)
    for storage in [coefficients, relative] { storage.reserve(all.count, precision: precision) }
    relativeTop = nil
    anchor = all.firstIndex { groups.groups[$0.first] == groups.groups[largest] } ?? 0
    one.set(1)
    rest.set(0)
    for g in all.indices where g != anchor {
      scratch(0).setProduct(weight(g), all[g].places.count)
      rest.add(scratch(0))
    }
    scratch(0).set(all[anchor].places.count)
    sum.setSum(rest, scratch(0))
    guard let clip else { return true }
    for g in all.indices {
      guard let fate = fate(g, clip.lower, clip.upper) else { return false }
      all[g].fate = fate
    }
    return true
  }

  /// The signs of (U − L)p + L and of that less 1, times S: two exact coefficients, of the group and of all others.
  private func fate(_ g: Int, _ lower: Double, _ upper: Double) -> Fate? {
    let count = all[g].places.count
    let (own, shift, others) = (scratch(1), scratch(2), scratch(3))
    if g == anchor {
      others.set(rest)
    } else {
      scratch(0).setProduct(weight(g), count)
      others.setDifference(sum, scratch(0))
    }
    func sign(bound: Int) -> Enclosure {
      let (stretch, offset) = (exact[0], exact[1])
      setStretch(lower, upper, into: stretch)
      mpfr_set_d(offset, lower, MPFR_RNDN)
      mpfr_sub_si(offset, offset, bound, MPFR_RNDN)
      shift.set(exact: offset)
      mpfr_mul_si(offset, offset, count, MPFR_RNDN)
      mpfr_add(offset, offset, stretch, MPFR_RNDN)
      own.set(exact: offset)
      scratch(4).setProduct(nonnegative: weight(g), own)
      own.setProduct(nonnegative: others, shift)
      own.add(scratch(4))
      return own
    }
    let low = sign(bound: 0)
    if nc_mpfr_sgn(low.upper) <= 0 { return .zero }
    if nc_mpfr_sgn(low.lower) < 0 { return nil }
    let high = sign(bound: 1)
    if nc_mpfr_sgn(high.lower) >= 0 { return .one }
    return nc_mpfr_sgn(high.upper) <= 0 ? .weighted : nil
  }

  /// U − L.
  private func setStretch(_ lower: Double, _ upper: Double, into result: mpfr_ptr) {
    mpfr_set_d(result, upper, MPFR_RNDN)
    mpfr_sub_d(result, result, lower, MPFR_RNDN)
  }

  // MARK: Columns

  private func value(_ place: Int, _ c: Int, _ v: UnsafePointer<Double>) -> Double {
    let keys = scores.profile.keys
    return place < keys.count ? v[keys[place] * scores.tensors.shape.valueSize + c] : 0
  }

  /// Encloses output `c`; returns whether it is rational, the quotient of two exact numbers.
  func output(_ c: Int, _ v: UnsafePointer<Double>, into result: Enclosure) -> Bool {
    let (own, ones, weighted, sumOfGroup, base) = (exact[0], exact[1], exact[2], exact[3], exact[4])
    for x in [own, ones, weighted] { mpfr_set_zero(x, 1) }
    let m = all[anchor].places.count
    add(anchor, c, v, into: sumOfGroup)
    if all[anchor].fate == .weighted { _ = nc_mpfr_set(own, sumOfGroup, MPFR_RNDN) }
    collect(all[anchor].fate, sumOfGroup, ones, weighted)
    var isRational = true
    for g in all.indices where g != anchor {
      add(g, c, v, into: sumOfGroup)
      collect(all[g].fate, sumOfGroup, ones, weighted)
      if all[g].fate != .weighted { mpfr_set_zero(sumOfGroup, 1) }
      mpfr_mul_si(sumOfGroup, sumOfGroup, m, MPFR_RNDN)
      mpfr_mul_si(base, own, all[g].places.count, MPFR_RNDN)
      mpfr_sub(sumOfGroup, sumOfGroup, base, MPFR_RNDN)
      coefficients[g].set(exact: sumOfGroup)
      isRational = isRational && nc_mpfr_is_zero(sumOfGroup) != 0
    }
    // m B.
    let (lower, upper) = clip ?? (0, 1)
    mpfr_mul_d(base, weighted, lower, MPFR_RNDN)
    mpfr_add(base, base, ones, MPFR_RNDN)
    mpfr_mul_si(base, base, m, MPFR_RNDN)
    setStretch(lower, upper, into: sumOfGroup)
    mpfr_mul(own, own, sumOfGroup, MPFR_RNDN)
    mpfr_add(base, base, own, MPFR_RNDN)
    if isRational {
      result.setQuotient(exact: base, m)
      return true
    }
    let (moved, quotient, divisor) = (scratch(0), scratch(1), scratch(2))
    setSum(into: moved)
    divisor.setProduct(sum, m)
    quotient.setQuotient(moved, positive: divisor)
    divisor.set(exact: sumOfGroup)
    moved.setProduct(nonnegative: divisor, quotient)
    quotient.setQuotient(exact: base, m)
    result.setSum(quotient, moved)
    return false
  }

  /// Σ w_g C_g. Where weights beyond MPFR's range leave even its sign open, the next largest weight is taken out of the sum.
  private func setSum(into result: Enclosure) {
    let (term, difference) = (scratch(1), scratch(2))
    result.set(0)
    for g in all.indices where g != anchor {
      term.setProduct(nonnegative: weight(g), coefficients[g])
      result.add(term)
    }
    guard result.sign == nil else { return }
    var top: Int?
    for g in all.indices where g != anchor && !coefficients[g].isExactZero {
      if top.map({ nc_mpfr_cmp(score(g).upper, score($0).upper) > 0 }) ?? true { top = g }
    }
    guard let top else { return }
    weigh(from: top, difference)
    let inner = scratch(3)
    inner.set(coefficients[top])
    for g in all.indices where g != anchor && g != top && !coefficients[g].isExactZero {
      term.setProduct(nonnegative: relative[g], coefficients[g])
      inner.add(term)
    }
    result.setProduct(nonnegative: weight(top), inner)
  }

  /// e^(score − top's) of all groups but the anchor's, kept for other columns.
  private func weigh(from top: Int, _ difference: Enclosure) {
    if relativeTop == top { return }
    relativeTop = top
    for g in all.indices where g != anchor && g != top {
      difference.setDifference(score(g), score(top))
      relative[g].setExponential(difference)
    }
  }

  private func score(_ g: Int) -> Enclosure { scoreStorage[all[g].first] }

  private func add(_ g: Int, _ c: Int, _ v: UnsafePointer<Double>, into result: mpfr_ptr) {
    mpfr_set_zero(result, 1)
    for i in all[g].places { mpfr_add_d(result, result, value(groups.order[i], c, v), MPFR_RNDN) }
  }

  private func collect(_ fate: Fate, _ x: mpfr_ptr, _ ones: mpfr_ptr, _ weighted: mpfr_ptr) {
    switch fate {
    case .weighted: mpfr_add(weighted, weighted, x, MPFR_RNDN)
    case .one: mpfr_add(ones, ones, x, MPFR_RNDN)
    case .zero: break
    }
  }

  /// Output `c` where some value of it is not finite: their sum, and NaN where clipping left one no weight.
  func special(_ c: Int, _ v: UnsafePointer<Double>) -> Double {
    var total = 0.0
    for group in all {
      for i in group.places {
        let x = value(groups.order[i], c, v)
        if !x.isFinite { total += group.fate == .zero ? .nan : x }
      }
    }
    return total
  }

  // MARK: Level rows

  /// Encloses Σ v over n, or of what clipping makes of n equal weights: rational numbers.
  func level(_ column: [Double], clipped: Bool, into result: Enclosure) {
    let n = column.count
    let (total, weight) = (exact[0], exact[1])
    mpfr_set_zero(total, 1)
    for x in column { mpfr_add_d(total, total, x, MPFR_RNDN) }
    setLevelWeight(n, clipped: clipped, into: weight)
    mpfr_mul(total, total, weight, MPFR_RNDN)
    result.setQuotient(exact: total, n)
  }

  /// n times each of n equal weights: (U − L) + nL between 0 and n.
  private func setLevelWeight(_ n: Int, clipped: Bool, into weight: mpfr_ptr) {
    guard clipped, let clip else { return _ = mpfr_set_si(weight, 1, MPFR_RNDN) }
    let shift = exact[2]
    setStretch(clip.lower, clip.upper, into: weight)
    mpfr_set_d(shift, clip.lower, MPFR_RNDN)
    mpfr_mul_si(shift, shift, n, MPFR_RNDN)
    mpfr_add(weight, weight, shift, MPFR_RNDN)
    if nc_mpfr_sgn(weight) < 0 { mpfr_set_zero(weight, 1) }
    if mpfr_cmp_si(weight, n) > 0 { mpfr_set_si(weight, n, MPFR_RNDN) }
  }

  /// Whether n equal weights are more than 0 after clipping.
  func hasLevelWeight(_ n: Int) -> Bool {
    setLevelWeight(n, clipped: true, into: exact[1])
    return nc_mpfr_sgn(exact[1]) > 0
  }
}
