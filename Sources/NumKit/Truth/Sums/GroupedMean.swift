import CMPFR
import NumKitQuestions

/// A mean weighted by a softmax, over the groups of equal logits. With m_g logits in group g, V_g the sum of their values, M the
/// largest group, w_g = e^((x_g − x_M)/τ) and S = Σ m_g w_g:
///
///     o = V_M/m_M + Σ w_g C_g / (m_M S)    C_g = m_M V_g − m_g V_M
///
/// The first part and the C_g are exact: what is far below M says to which side of V_M/m_M the mean lies. Where weights beyond
/// MPFR's exponents leave the sign of the sum open, the largest one with C_g ≠ 0 is taken out of it.
final class GroupedMean {
  private let exact = ExactNumbers(3)
  private let coefficients = EnclosureStorage()
  private let registers = EnclosureStorage()
  /// The groups in `order`, ascending.
  private var groups: [Range<Int>] = []
  private var order: [Int] = []

  /// Takes the finite logits of a row in ascending order.
  func load(_ logits: UnsafeBufferPointer<Double>, order: [Int]) {
    self.order = order
    groups.removeAll(keepingCapacity: true)
    var start = 0
    for i in order.indices where i + 1 == order.count || logits[order[i + 1]] != logits[order[i]] {
      groups.append(start..<i + 1)
      start = i + 1
    }
  }

  /// Encloses the mean of every `stride`-th of `v`, the row's exponentials prepared at `precision`.
  func enclose(
    _ v: UnsafePointer<Double>, stride: Int, _ row: EnclosedRow, precision: Int, into result: Enclosure
  ) {
    guard let top = groups.last else { return }
    registers.reserve(5, precision: precision)
    coefficients.reserve(groups.count, precision: precision)
    let (own, sum, product) = (exact[0], exact[1], exact[2])
    func total(_ group: Range<Int>, _ total: mpfr_ptr) {
      mpfr_set_zero(total, 1)
      for i in group { mpfr_add_d(total, total, v[order[i] * stride], MPFR_RNDN) }
    }
    total(top, own)
    for (g, group) in groups.dropLast().enumerated() {
      total(group, sum)
      mpfr_mul_si(sum, sum, top.count, MPFR_RNDN)
      mpfr_mul_si(product, own, group.count, MPFR_RNDN)
      mpfr_sub(sum, sum, product, MPFR_RNDN)
      coefficients[g].set(exact: sum)
    }
    let (moved, divisor, quotient) = (registers[0], registers[1], registers[2])
    addUp(row, into: moved)
    divisor.setProduct(row.sum, top.count)
    quotient.setQuotient(moved, positive: divisor)
    moved.setQuotient(exact: own, top.count)
    result.setSum(moved, quotient)
  }

  /// Σ w_g C_g.
  private func addUp(_ row: EnclosedRow, into result: Enclosure) {
    let term = registers[1]
    result.set(0)
    func place(_ g: Int) -> Int { order[groups[g].lowerBound] }
    for g in groups.indices.dropLast() {
      term.setProduct(nonnegative: row.exponential(place(g)), coefficients[g])
      result.add(term)
    }
    let lead = groups.indices.dropLast().last { !coefficients[$0].isExactZero }
    guard result.sign == nil, let lead else { return }
    let (inner, difference) = (registers[3], registers[4])
    inner.set(coefficients[lead])
    for g in groups.indices.prefix(upTo: lead) where !coefficients[g].isExactZero {
      difference.setDifference(row.logits[place(g)], row.logits[place(lead)])
      if row.shape.temperature != 1 { difference.divide(by: row.shape.temperature) }
      result.setExponential(difference)
      term.setProduct(nonnegative: result, coefficients[g])
      inner.add(term)
    }
    result.setProduct(nonnegative: row.exponential(place(lead)), inner)
  }
}
