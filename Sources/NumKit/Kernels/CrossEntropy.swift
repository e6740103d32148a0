import NumKitNumbers
import NumKitQuestions

/// −log pₜ with p the shifted softmax: ∞ where pₜ underflows.
public enum NaiveCrossEntropy: Kernel {
  public static let operation = RowOperation.crossEntropy
  public static let name = "naive"
  public static let summary = "-log of the target's (shifted) softmax"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(
    shift: .maximum, ending: .logarithmOfProbability)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let e = setting.scratch
    let s = shiftedExponentials(x, into: e, setting.summation, in: A.self, &stages).sum
    let p = stages.store(e[setting.target].divided(by: s), .probabilities)
    y[0] = -stages.store(C.log(p), .logarithm)
    stages.store(y, .output)
  }
}

/// log Σⱼ e^(xⱼ − m) − (xₜ − m) with m = max x.
public enum ShiftedCrossEntropy: Kernel {
  public static let operation = RowOperation.crossEntropy
  public static let name = "shifted"
  public static let summary = "log of the sum of e^(x - max), less (x - max) of the target"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .difference)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let (m, s) = shiftedExponentials(x, into: setting.scratch, setting.summation, in: A.self, &stages)
    let l = stages.store(A.log(s), .logarithm)
    y[0] = (m - x[setting.target]).adding(l)
    stages.store(y, .output)
  }
}

/// pᵢ − [i = t] with p the shifted softmax: cancels at the target where pₜ is near 1.
public enum ShiftedCrossEntropyGradient: Kernel {
  public static let operation = RowOperation.crossEntropyGradient
  public static let name = "shifted"
  public static let summary = "shifted softmax less one at the target"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let s = shiftedExponentials(x, into: y, setting.summation, in: A.self, &stages).sum
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .probabilities)
    y[setting.target] = y[setting.target] - C.one
    stages.store(y, .output)
  }
}
