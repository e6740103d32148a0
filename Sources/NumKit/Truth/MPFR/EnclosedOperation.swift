import NumKitQuestions

/// What is known about one result.
package enum Enclosed {
  /// The value itself: a special value, or a number that needs no arithmetic.
  case known(Double)
  /// The enclosure is of a rational number, as the quotient of two exact ones.
  case rational
  /// The enclosure is of another number, and is refined until it decides.
  case irrational
}

/// How MPFR answers one operation for rows of kind `finite`: one file an operation, each of which says when its
/// results are rational. The theorem behind it is Lindemann–Weierstrass: for distinct rational (algebraic) α₁ … α_m
/// the numbers e^α₁ … e^α_m are linearly independent over the algebraic numbers.
///
/// In these files g runs over the distinct finite values of x/τ, m_g ≥ 1 is how often each occurs, and
/// S = Σ_g m_g e^g. Doubles are rational, so x/τ is.
protocol EnclosedOperation {
  /// Prepares what all elements share, after `row` has been prepared at a precision.
  static func begin(_ row: EnclosedRow)
  /// Encloses result `i` in `result`.
  static func enclose(_ i: Int, _ row: EnclosedRow, into result: Enclosure) -> Enclosed
  /// What a row of kind `masked` (probabilities all 0 by policy) answers.
  static func masked(_ i: Int, length: Int, parameters: OperationParameters) -> Double
}

extension EnclosedOperation {
  static func begin(_ row: EnclosedRow) {}
}

extension EnclosedRow {
  /// Whether result j has no mass: xⱼ = −∞.
  func isMasked(_ j: Int) -> Bool { logits[j] == -.infinity }

  /// a/b of two integers that fit the precision.
  func quotient(_ a: Int, _ b: Int, into result: Enclosure) -> Enclosed {
    scratch(0).set(a)
    scratch(1).set(b)
    result.setQuotient(scratch(0), positive: scratch(1))
    return .rational
  }
}
