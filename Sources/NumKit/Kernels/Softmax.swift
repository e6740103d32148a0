import NumKitNumbers
import NumKitQuestions

/// pᵢ = e^xᵢ / Σⱼ e^xⱼ as the formula stands: overflows where e^max xᵢ does.
public enum NaiveSoftmax: Kernel {
  public static let operation = RowOperation.softmax
  public static let name = "naive"
  public static let summary = "e^x / sum of e^x, without a shift"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .none, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    _ = y.update(fromContentsOf: x)
    C.formExponentials(y)
    stages.store(y, .exponential)
    let s = stages.total(y, setting.summation, in: A.self)
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// pᵢ = e^(xᵢ − m) / Σⱼ e^(xⱼ − m) with m = max x: no exponential exceeds 1.
public enum ShiftedSoftmax: Kernel {
  public static let operation = RowOperation.softmax
  public static let name = "shifted"
  public static let summary = "the maximum subtracted first"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .maximum, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let s = shiftedExponentials(x, into: y, setting.summation, in: A.self, &stages).sum
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// One pass for maximum and sum together, the sum rescaled whenever the maximum grows (Milakov, Gimelshein,
/// "Online normalizer calculation for softmax", arXiv 1805.02867); a second for the quotients.
public enum OnlineSoftmax: Kernel {
  public static let operation = RowOperation.softmax
  public static let name = "online"
  public static let summary = "running maximum and rescaled sum in one pass"
  public static let summations: [Summation] = [.sequential]
  public static let arithmetic: RowArithmetic? = RowArithmetic(shift: .runningMaximum, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let (m, sum) = onlineNormalizer(x, in: A.self, &stages)
    // 0, but NaN for an infinite maximum: then no entry has an answer.
    let s = sum + A(converting: m - m)
    for i in x.indices { y[i] = x[i] - m }
    stages.store(y, .shift)
    C.formExponentials(y)
    stages.store(y, .exponential)
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// pᵢ = e^(xᵢ − LSE(x)): a second pass without division.
public enum TwoPassLogSoftmax: Kernel {
  public static let operation = RowOperation.softmax
  public static let name = "two-pass-log"
  public static let summary = "e^(x - LSE), no division"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(
    shift: .maximum, ending: .exponentialOfDifference)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let (m, s) = shiftedExponentials(x, into: y, setting.summation, in: A.self, &stages)
    let l = stages.store(m.adding(A.log(s)), .logarithm)
    for i in x.indices { y[i] = x[i] - l }
    stages.store(y, .shift)
    C.formExponentials(y)
    stages.store(y, .output)
  }
}

/// pᵢ = 2^(zᵢ − max z) / Σⱼ 2^(zⱼ − max z) with z = x·log₂e: what kernels do on hardware that has 2^x.
public enum Base2Softmax: Kernel {
  public static let operation = RowOperation.softmax
  public static let name = "base2"
  public static let summary = "log2(e) folded into the scale, 2^x instead of e^x"
  public static let summations: [Summation] = [.sequential, .pairwise]
  public static let arithmetic: RowArithmetic? = RowArithmetic(
    shift: .maximum, isBase2: true, ending: .quotient)

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let log2e = C(rounding: 1.442695040888963407359924681)
    for i in x.indices { y[i] = x[i] * log2e }
    stages.store(y, .scale)
    let m = y.maximum()
    for i in y.indices { y[i] = y[i] - m }
    stages.store(y, .shift)
    C.formExponentials2(y)
    stages.store(y, .exponential)
    let s = stages.total(y, setting.summation, in: A.self)
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// Puts e^(xᵢ − m) into `y`; returns m = max x and the sum.
@inlinable
func shiftedExponentials<C: Scalar, A: Scalar, S: Stages>(
  _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>, _ order: Summation, in: A.Type,
  _ stages: inout S
) -> (maximum: C, sum: A) {
  let m = x.maximum()
  for i in x.indices { y[i] = x[i] - m }
  stages.store(y, .shift)
  C.formExponentials(y)
  stages.store(y, .exponential)
  return (m, stages.total(y, order, in: A.self))
}

/// The maximum and Σ e^(xᵢ − m), in one pass.
@inlinable
func onlineNormalizer<C: Scalar, A: Scalar, S: Stages>(
  _ x: UnsafeMutableBufferPointer<C>, in: A.Type, _ stages: inout S
) -> (maximum: C, sum: A) {
  var m = x[0]
  var s = A.one
  withUnsafeTemporaryAllocation(of: C.self, capacity: onlineBlock) { block in
    block.initialize(repeating: .zero)
    var i = 1
    while i < x.count {
      // Exponentials of a run below the maximum do not wait for each other; they are added in order all the same.
      var count = 0
      while count < onlineBlock, i + count < x.count, x[i + count] < m {
        block[count] = x[i + count] - m
        count += 1
      }
      if count > 0 {
        let run = UnsafeMutableBufferPointer(rebasing: block[..<count])
        C.formExponentials(run)
        s = run.sequentialSum(from: s)
        i += count
        continue
      }
      let xi = x[i]
      if xi == m {
        // Two infinities among them: their difference would be NaN.
        s = s + A.one
      } else if xi > m {
        s = s * A(converting: C.exp(m - xi)) + A.one
        m = xi
      } else {
        s = s + A(converting: C.exp(xi - m))
      }
      i += 1
    }
  }
  return (m, stages.store(s, .sum))
}

@usableFromInline let onlineBlock = 64
