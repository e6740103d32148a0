import NumKitQuestions

/// xᵢ − log S = (xᵢ − max) − log(1 + R), with R the sum of e^(xⱼ − max) over all but one of the largest: two terms
/// of one sign, so nothing cancels.
///
/// Rational if and only if one logit is finite (then 0) or xᵢ = −∞ (then −∞): the value r means
/// Σ_g m_g e^g = e^(xᵢ − r), so there is one g, of multiplicity 1.
enum EnclosedLogSoftmax: EnclosedOperation {
  static func begin(_ row: EnclosedRow) {
    if row.shape.isLevel {
      row.kept(0).setLog(row.shape.finiteCount)
    } else {
      row.kept(0).setLogOnePlus(row.rest)
    }
  }

  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    if row.isMasked(i) { return .known(-.infinity) }
    if row.shape.finiteCount == 1 { return .known(0) }
    row.argument(i, into: row.scratch(0))
    result.setDifference(row.scratch(0), row.kept(0))
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { -.infinity }
}
