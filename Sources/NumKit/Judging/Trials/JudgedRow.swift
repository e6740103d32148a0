import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// A row of a candidate's results with what it was held against, some of it wrong.
public struct JudgedRow {
  /// Whose.
  public let candidate: Int
  /// Which part, and which of its rows.
  public let row: ResultRow
  /// What was computed.
  public let results: UnsafeBufferPointer<Double>
  /// What a right kernel may err by, absolutely; nil where there is no bound.
  public let bounds: UnsafeBufferPointer<Double>?
  let truth: Truth
  let flat: FlatTruth
  let unit: ErrorUnit
  let statistics: ErrorStatistics
}
