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

  /// Result `i`, if it is wrong: above its bound and not what the truth is rounded to, or special where no bound explains it.
  func wrongResult(_ i: Int) -> WrongResult? {
    guard statistics.isWrong(i, results[i], truth, flat, unit, bounds?[i]) else { return nil }
    let size = unit.size(at: flat.value[i])
    let isSized = results[i].isFinite && flat.value[i].isFinite
    return WrongResult(
      row: row.row, index: i, computed: results[i], exact: flat.value[i],
      ulp: isSized ? flat.error(of: results[i], at: i) / size : .nan,
      bound: bounds.map { $0[i] / size } ?? .nan)
  }
}
