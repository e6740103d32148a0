import NumKitNumbers
import NumKitQuestions

/// log Σ e^xᵢ as the formula stands.
public enum NaiveLogSumExp: Kernel {
  public static let operation = RowOperation.logSumExp
  public static let name = "naive"
  public static let summary = "log of the sum of e^x, without a shift"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .none, ending: .logarithmOfSum)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let e = setting.scratch
    _ = e.update(fromContentsOf: x)
    C.formExponentials(e)
    stages.store(e, .exponential)
    let s = stages.total(e, setting.summation, in: A.self)
    y[0] = C(converting: stages.store(A.log(s), .logarithm))
    stages.store(y, .output)
  }
}

/// m + log Σ e^(xᵢ − m) with m = max x.
public enum ShiftedLogSumExp: Kernel {
  public static let operation = RowOperation.logSumExp
  public static let name = "shifted"
  public static let summary = "max + log of the sum of e^(x - max)"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .logarithmOfSum)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let m = x.maximum()
    if m.isInfinite {
      // ∞ − ∞ is not asked: LSE is the infinity itself.
      y[0] = m
      return stages.store(y, .output)
    }
    let s = shiftedExponentials(x, into: setting.scratch, setting.summation, in: A.self, &stages).sum
    y[0] = m.adding(stages.store(A.log(s), .logarithm))
    stages.store(y, .output)
  }
}

/// m + log1p(Σ e^(xᵢ − m) over all but one maximum): accurate where one term dominates (Blanchard, Higham, Higham
/// 2021, algorithm 4.1).
public enum ShiftedLog1pLogSumExp: Kernel {
  public static let operation = RowOperation.logSumExp
  public static let name = "shifted-log1p"
  public static let summary = "the maximum left out of the sum, log1p of the rest"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .logarithmOfOnePlus)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let m = x.maximum()
    if m.isInfinite || x.count == 1 {
      y[0] = m
      return stages.store(y, .output)
    }
    let e = setting.scratch
    let largest = x.firstIndex(of: m) ?? 0
    for i in x.indices { e[i] = x[i] - m }
    stages.store(e, .shift)
    C.formExponentials(e)
    stages.store(e, .exponential)
    // The place of the maximum takes the last term, so that n − 1 are added.
    e[largest] = e[e.count - 1]
    let rest = UnsafeMutableBufferPointer(rebasing: e[..<(e.count - 1)])
    let s = stages.total(rest, setting.summation, in: A.self)
    y[0] = m.adding(stages.store(A.log1p(s), .logarithm))
    stages.store(y, .output)
  }
}

/// m + log s with running maximum and sum, in one pass.
public enum OnlineLogSumExp: Kernel {
  public static let operation = RowOperation.logSumExp
  public static let name = "online"
  public static let summary = "running maximum and rescaled sum in one pass"
  public static let summations: [Summation] = [.sequential]
  public static let arithmetic: RowArithmetic? = RowArithmetic(
    shift: .runningMaximum, ending: .logarithmOfSum)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let (m, s) = onlineNormalizer(x, in: A.self, &stages)
    y[0] = m.isInfinite && !s.isNaN ? m : m.adding(stages.store(A.log(s), .logarithm))
    stages.store(y, .output)
  }
}
