import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// One order of summation in one configuration, for one product.
public struct MatmulCandidate: Candidate {
  public typealias Q = MatmulQuestion

  private let inputs: MatmulInputs
  // A thread's own: `prepared` makes it anew.
  nonisolated(unsafe) private let runner: MatmulRunner
  private let model: MatmulErrors
  private let gaps: MatmulGaps

  /// `inputs` are as stored.
  ///
  /// - Throws: `MatmulError` where a format cannot be computed in.
  public init(_ order: MatmulOrder, _ configuration: MatmulConfiguration, _ inputs: MatmulInputs) throws {
    self.inputs = inputs
    runner = try MatmulRunner(order, configuration, inputs)
    gaps = MatmulGaps()
    model = MatmulErrors(runner, inputs, found: gaps)
  }

  private init(_ other: MatmulCandidate, _ runner: MatmulRunner) {
    (inputs, model, gaps) = (other.inputs, other.model, other.gaps)
    self.runner = runner
  }

  public var name: String { runner.order.description }

  /// Why the first row without a bound has none, once rows have been asked about.
  public var gap: MatmulGap? { gaps.gap }

  public func prepared() -> MatmulCandidate { MatmulCandidate(self, runner.copy()) }

  public func answer(
    _ item: MatmulQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    runner.run(item.row, into: results, trace: &trace)
  }

  public func errorModel() -> (any ErrorModel<MatmulQuestion>)? { model }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    .ulp(runner.configuration.result)
  }
}
