import NumKitQuestions

/// gᵢ = pᵢ(vᵢ − Σⱼ pⱼvⱼ) = eᵢ Σⱼ eⱼ(vᵢ − vⱼ) / S², computed from wⱼ = vⱼ − v_max (v at the largest logit) as
/// eᵢ(wᵢS − Σⱼ eⱼwⱼ)/S², which spares the largest its cancellation.
///
/// When it is rational: if xᵢ = −∞ it is 0. If all c finite logits are equal it is (c·vᵢ − Σⱼvⱼ)/c². Otherwise let
/// C_g = Σ (vᵢ − vⱼ) over the j with xⱼ = g. gᵢ = r means r Σ m_g m_h e^(g+h) = Σ_g C_g e^(xᵢ+g). With M and m the
/// largest and smallest g, xᵢ differs from one of them, say M; then e^(2M) does not occur on the right while its
/// coefficient on the left is r·m_M², so r = 0 (the same with m). And 0 it is if and only if every C_g = 0, again by
/// linear independence. So: rational if and only if all C_g vanish, which is decided in exact arithmetic on Doubles.
///
/// Where the sum has no sign or no size, because C_M = 0 and what is left is beyond the precision or the exponents there are, it
/// is taken relative to the largest logit that counts: with L the largest g of C_L ≠ 0,
/// Σ_g C_g e^g = e^L (C_L + Σ_{g<L} C_g e^(g−L)), whose bracket is not 0 and begins with an exact number. What then
/// multiplies it is positive, however small.
///
/// A cotangent that is not finite makes every result NaN.
enum EnclosedSoftmaxVJP: EnclosedOperation {
  static func begin(_ row: EnclosedRow) {
    if row.shape.isLevel {
      row.cotangents.sumAll(row.logits, row.parameters.cotangent)
      return
    }
    row.kept(0).setProduct(nonnegative: row.sum, row.sum)
    let dot = row.kept(1)
    dot.set(0)
    for j in 0..<row.logits.count where !row.isMasked(j) && j != row.shape.argmax {
      difference(j, row, into: row.scratch(0))
      row.scratch(1).setProduct(nonnegative: row.exponential(j), row.scratch(0))
      dot.add(row.scratch(1))
    }
  }

  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed {
    if row.isMasked(i) || row.shape.finiteCount == 1 { return .known(0) }
    let count = row.shape.finiteCount
    if row.shape.isLevel {
      if row.cotangents.differenceSign(count, times: row.parameters.cotangent[i]) == 0 { return .known(0) }
      row.scratch(1).set(count)
      row.scratch(2).setProduct(nonnegative: row.scratch(1), row.scratch(1))
      row.cotangents.quotient(by: row.scratch(2), into: result)
      return .rational
    }
    difference(i, row, into: row.scratch(0))
    row.scratch(1).setProduct(nonnegative: row.sum, row.scratch(0))
    row.scratch(2).setDifference(row.scratch(1), row.kept(1))
    if !row.scratch(2).hasSize {
      let v = row.parameters.cotangent
      guard let lead = row.cotangents.lead(at: v[i], row.logits, v) else { return .known(0) }
      encloseFromLead(i, lead, row, into: result)
      return .irrational
    }
    row.scratch(3).setProduct(nonnegative: row.exponential(i), row.scratch(2))
    result.setQuotient(row.scratch(3), positive: row.kept(0))
    return .irrational
  }

  /// e^((xᵢ − M) + (L − M)) (C_L + Σ C_g e^(g−L)) / S², all over τ in the exponents.
  private static func encloseFromLead(_ i: Int, _ lead: Int, _ row: EnclosedRow, into result: Enclosure) {
    let v = row.parameters.cotangent
    let (a, b, term, bracket) = (row.scratch(0), row.scratch(1), row.scratch(2), row.scratch(3))
    let one = row.scratch(4)
    one.set(1)
    let first = row.logits[row.cotangents.place(lead)]
    row.cotangents.differences(lead, at: v[i], v, by: one, into: bracket)
    for g in lead + 1..<row.cotangents.count {
      a.setDifference(row.logits[row.cotangents.place(g)], first)
      if row.shape.temperature != 1 { a.divide(by: row.shape.temperature) }
      b.setExponential(a)
      row.cotangents.differences(g, at: v[i], v, by: one, into: a)
      term.setProduct(nonnegative: b, a)
      bracket.add(term)
    }
    row.argument(i, into: a)
    row.argument(row.cotangents.place(lead), into: b)
    a.add(b)
    b.setExponential(a)
    term.setProduct(nonnegative: b, bracket)
    result.setQuotient(term, positive: row.kept(0))
  }

  private static func difference(_ j: Int, _ row: EnclosedRow, into result: Enclosure) {
    result.setDifference(row.parameters.cotangent[j], row.parameters.cotangent[row.shape.argmax])
  }

  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double { 0 }
}
