import NumKit

/// A known way to get softmax or a relative wrong, one at a time in a kernel that is otherwise right.
public struct Defect: Sendable {
  /// What it is called.
  public let name: String
  /// What is wrong, in a few words.
  public let summary: String
  /// Plants it; nil where it has no meaning for an operation.
  let plant: @Sendable (RowOperation, inout Steps) -> Bool

  init(
    _ name: String, _ summary: String, only operations: [RowOperation] = Defect.operations,
    _ plant: @escaping @Sendable (inout Steps) -> Void
  ) {
    self.name = name
    self.summary = summary
    self.plant = { operation, steps in
      guard operations.contains(operation) else { return false }
      plant(&steps)
      return true
    }
  }

  /// What defects can be planted in.
  public static let operations: [RowOperation] = [.softmax, .logSoftmax, .logSumExp]

  /// The defective kernel that would otherwise be `right`; nil where the defect has no meaning for `operation`.
  public func planted(in right: Steps, _ operation: RowOperation) -> Steps? {
    var steps = right
    return plant(operation, &steps) ? steps : nil
  }
}

/// Every defect: one line each.
public enum DefectRegistry {
  /// In the order that tables show.
  public static let all: [Defect] =
    ShiftDefects.all + SumDefects.all + ExponentialDefects.all + ResultDefects.all + CheatDefects.all

  /// Those of the names; nil where one is unknown.
  public static func named(_ name: String) -> Defect? { all.first { $0.name == name } }
}
