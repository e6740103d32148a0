/// The truth of one operation in one result format. One instance serves one thread.
public final class Reference {
  /// The question.
  public let operation: RowOperation
  /// What results are rounded to.
  public let format: NumberFormat

  /// Prepares to answer `operation` with results rounded to `format`.
  public init(_ operation: RowOperation, format: NumberFormat) {
    self.operation = operation
    self.format = format
  }

  /// Answers for `row`, whose elements are taken exactly as they are.
  public func answer(
    _ row: UnsafeBufferPointer<Double>, parameters: OperationParameters, into truth: inout Truth
  ) {
    truth = Truth()
  }
}
