/// An operation on rows of logits.
public struct RowQuestion: Question {
  /// A row, and what is asked of it.
  public struct Item: Sendable {
    /// Its number.
    public var row: Int
    /// The logits.
    public var values: [Double]
    /// Temperature, target, cotangent, policy.
    public var parameters: OperationParameters

    /// A row of logits.
    public init(row: Int = 0, values: [Double], parameters: OperationParameters = .init()) {
      self.row = row
      self.values = values
      self.parameters = parameters
    }
  }
  public typealias Profile = RowProfile

  /// Which.
  public let operation: RowOperation

  /// The question what `operation` makes of a row.
  public init(_ operation: RowOperation) { self.operation = operation }

  public var name: String { operation.rawValue }

  public func layout(of item: Item, into rows: inout [ResultRow]) {
    rows.append(ResultRow(row: item.row, count: operation.resultCount(length: item.values.count)))
  }
}
