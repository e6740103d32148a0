import NumKit

/// A kernel with a defect in the place of one of ours: its name and what it promises are the right one's, its results are not. What a
/// gate should see.
public struct DefectiveKernel: Candidate {
  public typealias Q = RowQuestion

  private let kernel: KernelCandidate
  private let right: Steps
  private let steps: Steps
  private let row: @Sendable (Int) throws -> [Double]

  /// In the place of `kernel`; nil where the defect has no meaning for its operation, or the steps none in its formats.
  ///
  /// - Parameter row: any row of the inputs as given, for defects that look at the row before.
  public init?(
    _ defect: Defect, inPlaceOf kernel: KernelCandidate, row: @escaping @Sendable (Int) throws -> [Double]
  ) {
    let configuration = kernel.configuration
    guard let format = configuration.storage.numberFormat, configuration.overflow == .special else {
      return nil
    }
    let right = Steps(
      storage: format, compute: configuration.compute, accumulator: configuration.accumulator)
    guard let steps = defect.planted(in: right, kernel.algorithm.operation) else { return nil }
    self.kernel = kernel
    self.right = right
    self.steps = steps
    self.row = row
  }

  private init(_ other: DefectiveKernel, kernel: KernelCandidate) {
    self.kernel = kernel
    right = other.right
    steps = other.steps
    row = other.row
  }

  public var name: String { kernel.name }

  public func prepared() throws -> DefectiveKernel {
    DefectiveKernel(self, kernel: try kernel.prepared())
  }

  public func answer(
    _ item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    let operation = kernel.algorithm.operation
    var previous: [Double] = []
    if steps.looksBack && item.row > 0 {
      let before = try row(item.row - 1).map { right.storage.round($0) }
      previous = right.answer(before, operation, Steps.Place(row: item.row - 1, previous: []))
    }
    let y = steps.answer(item.values, operation, Steps.Place(row: item.row, previous: previous))
    for i in results.indices { results[i] = y[i] }
  }

  public func errorModel() -> (any ErrorModel<RowQuestion>)? { kernel.errorModel() }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    kernel.unit(of: part, results: results)
  }
}
