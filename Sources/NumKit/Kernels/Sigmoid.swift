import NumKitNumbers
import NumKitQuestions

/// 1 / (1 + e^−x): e^−x overflows for very negative x, and small results are lost with it.
public enum NaiveSigmoid: Kernel {
  public static let operation = RowOperation.sigmoid
  public static let name = "naive"
  public static let summary = "1 / (1 + e^-x)"
  public static let summations: [Summation] = []
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .none, ending: .reciprocal)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    for i in x.indices { y[i] = -x[i] }
    C.formExponentials(y)
    stages.store(y, .exponential)
    for i in y.indices { y[i] = C.one + y[i] }
    stages.store(y, .sum)
    for i in y.indices { y[i] = C.one / y[i] }
    stages.store(y, .output)
  }
}

/// 1 / (1 + e^−x) for x ≥ 0, e^x / (1 + e^x) below: no exponential exceeds 1.
public enum StableSigmoid: Kernel {
  public static let operation = RowOperation.sigmoid
  public static let name = "stable"
  public static let summary = "e^-|x| only: e^x / (1 + e^x) for negative x"
  public static let summations: [Summation] = []
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .none, ending: .reciprocalOfSmaller)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    for i in x.indices { y[i] = x[i] < C.zero ? x[i] : -x[i] }
    C.formExponentials(y)
    stages.store(y, .exponential)
    let sums = setting.scratch
    for i in y.indices { sums[i] = C.one + y[i] }
    stages.store(sums, .sum)
    for i in y.indices { y[i] = (x[i] < C.zero ? y[i] : C.one) / sums[i] }
    stages.store(y, .output)
  }
}

/// ½ (1 + tanh(x/2)): cheap where there is a tanh instruction; small results lose every digit to the sum.
public enum TanhSigmoid: Kernel {
  public static let operation = RowOperation.sigmoid
  public static let name = "tanh"
  public static let summary = "(1 + tanh(x/2)) / 2"
  public static let summations: [Summation] = []
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .none, ending: .hyperbolicTangent)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let half = C(rounding: 0.5)
    for i in x.indices { y[i] = half * x[i] }
    stages.store(y, .scale)
    for i in y.indices { y[i] = C.one + C.tanh(y[i]) }
    stages.store(y, .sum)
    for i in y.indices { y[i] = half * y[i] }
    stages.store(y, .output)
  }
}
