import NumKitKernels
import NumKitNumbers
import NumKitQuestions

/// One of our kernels over rows, in one configuration.
public struct KernelCandidate: Candidate {
  public typealias Q = RowQuestion

  /// The algorithm.
  public let algorithm: Algorithm
  /// Its precisions.
  public let configuration: KernelConfiguration
  /// What it is made for; the target may differ from row to row.
  private let parameters: OperationParameters
  // A thread's own: `prepared` makes it anew.
  nonisolated(unsafe) private let runner: KernelRunner

  /// `parameters` are those that kernels get, rounded to the compute format.
  ///
  /// - Throws: `ExperimentError` where a format cannot be computed in.
  public init(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters
  ) throws {
    guard let runner = KernelRunner(algorithm, configuration, parameters: parameters) else {
      throw ExperimentError.cannotCompute(algorithm.description, configuration)
    }
    self.algorithm = algorithm
    self.configuration = configuration
    self.parameters = parameters
    self.runner = runner
  }

  public var name: String { algorithm.description }

  public func prepared() throws -> KernelCandidate {
    try KernelCandidate(algorithm, configuration, parameters: parameters)
  }

  public func answer(
    _ item: RowQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    item.values.withUnsafeBufferPointer {
      runner.run($0, target: item.parameters.target, into: results, trace: &trace)
    }
  }

  public func errorModel() -> (any ErrorModel<RowQuestion>)? {
    if let model = ErrorBounds(algorithm, configuration, parameters: parameters) { return model }
    if let model = IntegerErrors(algorithm, configuration, parameters: parameters) { return model }
    return GridErrors(algorithm, configuration, parameters: parameters)
  }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    if let format = configuration.storage.numberFormat { return .ulp(format) }
    if algorithm.isInteger, let denominator = algorithm.variant.flatMap(Double.init) {
      return .step(1 / denominator)
    }
    guard case .integer(let format) = configuration.storage else { return nil }
    var grid = IntegerGrid(format)
    grid.fit(count: results.count) { results[$0] }
    return .step(Double(grid.scale))
  }
}

extension ErrorBounds: ProbabilisticErrorModel {
  public typealias Q = RowQuestion

  public func bound(
    _ row: ResultRow, of item: RowQuestion.Item, _ profile: RowProfile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    // What has no answer takes no bound away from rows that have one; a sigmoid answers for each element.
    if profile.isUnanswerable && algorithm.operation != .sigmoid { return nil }
    return bound(profile, target: item.parameters.target, truth: exact, into: bounds)
  }

  public func overflows(_ profile: RowProfile) -> Bool { isSpoiled(profile) }
}
