import NumKitQuestions

/// 1/(1 + e^−z), z = xᵢ/τ: with a = e^−|z| it is 1/(1 + a) or a/(1 + a).
///
/// Rational if and only if z = 0 (then ½) or ±∞ (then 1 or 0): the value r, not 0, means e^−z = 1/r − 1, so z = 0.
/// Elements do not see each other, and no policy applies: a NaN makes NaN of its own result only. τ → 0 makes ±∞ of
/// every xᵢ ≠ 0, τ → ∞ makes 0 of every finite one.
enum EnclosedSigmoid: EnclosedOperation {
  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    let x = row.logits[i]
    let temperature = row.parameters.temperature
    if x.isNaN { return .known(.nan) }
    if x == 0 || (x.isFinite && temperature == .infinity) { return .known(0.5) }
    if x.isInfinite || temperature == 0 { return .known(x > 0 ? 1 : 0) }
    let magnitude = row.scratch(0)
    let a = row.scratch(1)
    let one = row.scratch(2)
    let denominator = row.scratch(3)
    magnitude.set(-x.magnitude)
    if temperature != 1 { magnitude.divide(by: temperature) }
    a.setExponential(magnitude)
    one.set(1)
    denominator.setSum(one, a)
    result.setQuotient(x > 0 ? one : a, positive: denominator)
    return .irrational
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { 0 }
}
