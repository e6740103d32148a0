import NumKitNumbers
import NumKitQuestions

/// How large the errors of one candidate can be. One instance serves one thread.
public protocol ErrorModel<Q> {
  associatedtype Q: Question
  /// Writes an absolute error for each result of a row, which a candidate that does what it says cannot exceed; returns what
  /// that is worth, nil for a row that has no answer in the reals and takes no bound away from others. `exact` are the row's
  /// exact results in Double.
  mutating func bound(
    _ row: ResultRow, of item: Q.Item, _ profile: Q.Profile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound?

  /// Whether a candidate that does what it says has NaN for the whole row, because something overflows whatever the errors are: then
  /// numbers are not of its making. False where that is not sure.
  func overflows(_ profile: Q.Profile) -> Bool
}

extension ErrorModel {
  public func overflows(_ profile: Q.Profile) -> Bool { false }
}

/// An error model that can also say what errors exceed with a small probability only, where roundings may be taken to be random.
public protocol ProbabilisticErrorModel<Q>: ErrorModel {
  /// Its bounds where the roundings of a sum's additions are random, each of mean zero given those before it: what a row's errors exceed
  /// with `probability` at most. They are not random where a sum stalls, because every term is below half an ulp of it.
  func exceeded(withProbability probability: Double) -> Self
}
