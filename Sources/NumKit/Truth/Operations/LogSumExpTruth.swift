import NumKitQuestions

/// log S = max/τ + log(1 + R), with R as for the log-softmax.
///
/// Rational if and only if one logit is finite (then it is x/τ): log S = r means Σ_g m_g e^g = e^r, so there is one
/// g, of multiplicity 1. The two terms may cancel when max < 0; the value is irrational then, so not 0, and
/// refinement ends.
///
/// Special rows: nothing but −∞ gives −∞, +∞ present gives +∞, under every policy. For τ → 0 the limit is ±∞ with
/// the sign of the largest logit, and log(count) if that is 0.
enum EnclosedLogSumExp: EnclosedOperation {
  /// The answer that needs no arithmetic, before the policy for special rows is asked.
  static func special(_ shape: RowShape, temperature: Double) -> Double? {
    let maximum = shape.originalMaximum
    if maximum.isInfinite { return maximum }
    if temperature == 0 && maximum != 0 { return maximum > 0 ? .infinity : -.infinity }
    return nil
  }

  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    let shifted = row.scratch(0)
    shifted.set(row.shape.maximum)
    if row.shape.temperature != 1 { shifted.divide(by: row.shape.temperature) }
    if row.shape.finiteCount == 1 {
      result.set(shifted)
      return .rational
    }
    let log = row.scratch(1)
    if row.shape.isLevel { log.setLog(row.shape.finiteCount) } else { log.setLogOnePlus(row.rest) }
    result.setSum(shifted, log)
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { -.infinity }
}
