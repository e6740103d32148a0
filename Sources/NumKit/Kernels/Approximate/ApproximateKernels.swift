import NumKitNumbers
import NumKitQuestions

/// Softmax, the maximum subtracted first, with exponentials made in a shorter way.
public enum ApproximateSoftmax<M: ExponentialMethod>: Kernel {
  public static var operation: RowOperation { .softmax }
  public static var name: String { M.name }
  public static var summary: String { M.summary }
  public static var summations: [Summation] { [.sequential] }
  public static var arithmetic: RowArithmetic? { M.accuracy.arithmetic(.quotient) }

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let s = approximateExponentials(M.self, x, into: y, setting.summation, in: A.self, &stages).sum
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// Log-sum-exp with the same.
public enum ApproximateLogSumExp<M: ExponentialMethod>: Kernel {
  public static var operation: RowOperation { .logSumExp }
  public static var name: String { M.name }
  public static var summary: String { M.summary }
  public static var summations: [Summation] { [.sequential] }
  public static var arithmetic: RowArithmetic? { M.accuracy.arithmetic(.logarithmOfSum) }

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let largest = x.maximum()
    if largest.isInfinite {
      y[0] = largest
      return stages.store(y, .output)
    }
    let (m, s) = approximateExponentials(
      M.self, x, into: setting.scratch, setting.summation, in: A.self, &stages)
    y[0] = m.adding(stages.store(A.log(s), .logarithm))
    stages.store(y, .output)
  }
}

/// Puts e^(xᵢ − m), made by M, into `y`; returns m = max x and the sum.
@inlinable
func approximateExponentials<M: ExponentialMethod, C: Scalar, A: Scalar, S: Stages>(
  _: M.Type, _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>, _ order: Summation,
  in: A.Type, _ stages: inout S
) -> (maximum: C, sum: A) {
  let m = x.maximum()
  for i in x.indices { y[i] = x[i] - m }
  stages.store(y, .shift)
  for i in y.indices { y[i] = M.exponential(y[i]) }
  stages.store(y, .exponential)
  return (m, stages.total(y, order, in: A.self))
}

extension ExponentialAccuracy {
  /// The error model of a kernel that subtracts the maximum first; none where e^0 is not 1, which the models take for granted.
  func arithmetic(_ ending: RowArithmetic.Ending) -> RowArithmetic? {
    guard isExactAtZero else { return nil }
    var model = RowArithmetic(shift: .maximum, ending: ending)
    model.exponential = self
    return model
  }
}

extension Algorithm {
  /// Those with exponentials made in a shorter way, and those that sample the sum, which are run where they are named.
  public static func approximate(for operation: RowOperation) -> [Algorithm] {
    func kernels<M: ExponentialMethod>(_: M.Type) -> [any Kernel.Type] {
      [ApproximateSoftmax<M>.self, ApproximateLogSumExp<M>.self]
    }
    let sampled: [any Kernel.Type] = [SampledSoftmax.self, SampledLogSumExp.self]
    return (ExponentialMethods.all.flatMap { kernels($0) } + sampled).filter { $0.operation == operation }
      .map { Algorithm($0) }
  }
}
