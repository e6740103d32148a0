import NumKitQuestions

/// pᵢ = e^xᵢ / S.
///
/// Rational if and only if all finite logits are equal (then 1/count) or xᵢ = −∞ (then 0): pᵢ = r means
/// Σ_g r m_g e^g = e^xᵢ, so by linear independence g takes the one value xᵢ.
enum EnclosedSoftmax: EnclosedOperation {
  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    if row.isMasked(i) { return .known(0) }
    if row.shape.isLevel { return row.quotient(1, row.shape.finiteCount, into: result) }
    result.setQuotient(row.exponential(i), positive: row.sum)
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { 0 }
}
