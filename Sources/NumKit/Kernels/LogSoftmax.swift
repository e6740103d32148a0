import NumKitNumbers
import NumKitQuestions

/// The logarithm of the shifted softmax: −∞ where the probability underflows.
public enum NaiveLogSoftmax: Kernel {
  public static let operation = RowOperation.logSoftmax
  public static let name = "naive"
  public static let summary = "log of the (shifted) softmax"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(
    shift: .maximum, ending: .logarithmOfProbability)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let s = shiftedExponentials(x, into: y, setting.summation, in: A.self, &stages).sum
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .probabilities)
    for i in y.indices { y[i] = C.log(y[i]) }
    stages.store(y, .logarithm)
    stages.store(y, .output)
  }
}

/// (xᵢ − m) − log Σⱼ e^(xⱼ − m) with m = max x.
public enum ShiftedLogSoftmax: Kernel {
  public static let operation = RowOperation.logSoftmax
  public static let name = "shifted"
  public static let summary = "(x - max) - log of the sum of e^(x - max)"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .difference)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let (m, s) = shiftedExponentials(x, into: y, setting.summation, in: A.self, &stages)
    let l = stages.store(A.log(s), .logarithm)
    for i in x.indices { y[i] = (x[i] - m).adding(-l) }
    stages.store(y, .output)
  }
}
