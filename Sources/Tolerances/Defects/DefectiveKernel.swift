import NumKit

/// A kernel with a defect in the place of one of ours: its name and what it promises are the right one's, its results are not. What a
/// gate should see.
public struct DefectiveKernel: Candidate {
  public typealias Q = RowQuestion

  private var kernel: KernelCandidate
  private let stepped: SteppedKernel

  /// In the place of `kernel`; nil where the defect has no meaning for its operation, or the steps none in its formats.
  ///
  /// - Parameter row: any row of the inputs as given, for defects that look at the row before.
  public init?(
    _ defect: Defect, inPlaceOf kernel: KernelCandidate, row: @escaping @Sendable (Int) throws -> [Double]
  ) {
    let operation = kernel.algorithm.operation
    guard kernel.configuration.overflow == .special, let right = Steps(kernel.configuration),
      let steps = defect.planted(in: right, operation)
    else { return nil }
    self.kernel = kernel
    stepped = SteppedKernel(steps, inPlaceOf: right, operation, row: row)
  }

  public var name: String { kernel.name }

  public func prepared() throws -> DefectiveKernel {
    var own = self
    own.kernel = try kernel.prepared()
    return own
  }

  public func answer(
    _ item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    try stepped.answer(item, into: results, trace: &trace)
  }

  public func errorModel() -> (any ErrorModel<RowQuestion>)? { kernel.errorModel() }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    kernel.unit(of: part, results: results)
  }
}

/// Steps, taken for row after row.
struct SteppedKernel: Candidate {
  typealias Q = RowQuestion

  private let steps: Steps
  private let right: Steps
  private let operation: RowOperation
  private let row: @Sendable (Int) throws -> [Double]
  private let plan: Algorithm?

  /// `row` is any row as given, for steps that look at what `right` ones made of the row before; `plan` is what is promised.
  init(
    _ steps: Steps, inPlaceOf right: Steps, _ operation: RowOperation, promising plan: Algorithm? = nil,
    row: @escaping @Sendable (Int) throws -> [Double]
  ) {
    (self.steps, self.right, self.operation) = (steps, right, operation)
    (self.row, self.plan) = (row, plan)
  }

  var name: String { "steps" }

  func answer(
    _ item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    var previous: [Double] = []
    if steps.looksBack && item.row > 0 {
      let before = try row(item.row - 1).map { right.storage.round($0) }
      previous = right.answer(before, operation, Steps.Place(row: item.row - 1, previous: []))
    }
    let y = steps.answer(item.values, operation, Steps.Place(row: item.row, previous: previous))
    for i in results.indices { results[i] = y[i] }
  }

  func errorModel() -> (any ErrorModel<RowQuestion>)? {
    plan.flatMap { ErrorBounds($0, steps.configuration, parameters: OperationParameters()) }
  }
}
