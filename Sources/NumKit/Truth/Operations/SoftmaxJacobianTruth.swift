import NumKitQuestions

/// pᵢ(δᵢⱼ − pⱼ): −eᵢeⱼ/S² off the diagonal and eᵢ(S − eᵢ)/S² on it, the others summed so that nothing cancels.
///
/// Rational if and only if all finite logits are equal (then (cδᵢⱼ − 1)/c² for c of them) or one of xᵢ, xⱼ is −∞
/// (then 0). With two or more distinct values let M and m be the largest and smallest. Off the diagonal r means
/// −r Σ m_g m_h e^(g+h) = e^(xᵢ+xⱼ); all coefficients on the left are positive, so all g + h would be equal. On the
/// diagonal r Σ m_g m_h e^(g+h) = Σ_{k≠i} e^(xᵢ+xₖ); xᵢ differs from M or from m, so e^(2M) or e^(2m) does not
/// occur on the right, hence r = 0, but the right is positive.
enum EnclosedSoftmaxJacobian: EnclosedOperation {
  static func begin(_ row: EnclosedRow) {
    if !row.shape.isLevel { row.kept(0).setProduct(nonnegative: row.sum, row.sum) }
  }

  static func enclose(_ index: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    let n = row.logits.count
    let i = index / n
    let j = index % n
    if row.isMasked(i) || row.isMasked(j) { return .known(0) }
    let count = row.shape.finiteCount
    if count == 1 { return .known(0) }
    if row.shape.isLevel { return row.quotient(i == j ? count - 1 : -1, count * count, into: result) }
    let numerator = row.scratch(1)
    if i == j {
      let others = row.scratch(2)
      row.others(i, into: others)
      if result.setProductOfShares(row.exponential(i), others, scratch: numerator) { return .irrational }
      numerator.setProduct(nonnegative: row.exponential(i), others)
    } else {
      numerator.setProduct(nonnegative: row.exponential(i), row.exponential(j))
    }
    result.setQuotient(numerator, positive: row.kept(0))
    if i != j { result.negate() }
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { 0 }
}
