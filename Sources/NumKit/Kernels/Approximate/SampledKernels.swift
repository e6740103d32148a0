import NumKitNumbers
import NumKitQuestions

/// Softmax whose denominator is estimated: the largest term as it is, the others from a sample that grows until it is steady (as in
/// Baharav, Kang, Sullivan, Tiwari, Luxenberg, Tse, Pilanci, "Adaptive Sampling for Efficient Softmax Approximation", NeurIPS 2024).
/// It has no bound: how far a sample is off is a matter of chance, and one that meets none of a few large terms looks steady.
public enum SampledSoftmax: Kernel {
  public static var operation: RowOperation { .softmax }
  public static var name: String { "sampled" }
  public static var summary: String {
    "the denominator from a sample of its terms, drawn until its standard error is 2^-8 of it"
  }
  public static var summations: [Summation] { [.sequential] }
  public static var arithmetic: RowArithmetic? { nil }

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let m = x.maximum()
    for i in y.indices { y[i] = x[i] - m }
    stages.store(y, .shift)
    let s = stages.store(DenominatorSample(y).estimate(y, in: A.self), .sum)
    C.formExponentials(y)
    stages.store(y, .exponential)
    for i in y.indices { y[i] = y[i].divided(by: s) }
    stages.store(y, .output)
  }
}

/// Log-sum-exp with the same.
public enum SampledLogSumExp: Kernel {
  public static var operation: RowOperation { .logSumExp }
  public static var name: String { SampledSoftmax.name }
  public static var summary: String { "the sum from a sample of its terms, likewise" }
  public static var summations: [Summation] { [.sequential] }
  public static var arithmetic: RowArithmetic? { nil }

  @inlinable
  public static func run<C: Scalar, A: Scalar, S: Stages>(
    _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
    _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
  ) {
    let m = x.maximum()
    if m.isInfinite {
      y[0] = m
      return stages.store(y, .output)
    }
    let rest = setting.scratch
    for i in rest.indices { rest[i] = x[i] - m }
    stages.store(rest, .shift)
    let s = stages.store(DenominatorSample(rest).estimate(rest, in: A.self), .sum)
    y[0] = m.adding(stages.store(A.log(s), .logarithm))
    stages.store(y, .output)
  }
}

/// Draws terms of a sum: the same of the same row.
@usableFromInline
struct DenominatorSample {
  @usableFromInline var random: RandomSource
  /// Terms that are drawn at a time, standard errors that an estimate is held to, and their size relative to it.
  @usableFromInline static let batch = 16
  @usableFromInline static let deviations = 1.0
  @usableFromInline static let tolerance = 0x1p-8

  @inlinable
  init<C: Scalar>(_ shifted: UnsafeMutableBufferPointer<C>) {
    random = RandomSource(
      seed: shifted.reduce(UInt64(shifted.count)) { ($0 ^ $1.exact.bitPattern) &* 0x9e37_79b9_7f4a_7c15 },
      row: 0)
  }

  /// Σ e^x of logits less their largest, the first of which counts as 1; of all terms where as many would be drawn.
  @inlinable
  func estimate<C: Scalar, A: Scalar>(_ shifted: UnsafeMutableBufferPointer<C>, in: A.Type) -> A {
    var random = random
    let n = shifted.count - 1
    let largest = shifted.firstIndex { $0 == .zero } ?? 0
    /// Term k of those beside the largest.
    func term(_ k: Int) -> A { A(converting: C.exp(shifted[k < largest ? k : k + 1])) }
    var (sum, squares, drawn) = (A.zero, 0.0, 0)
    while drawn + Self.batch <= n {
      for _ in 0..<Self.batch {
        let e = term(Int(random.next() % UInt64(n)))
        sum = sum + e
        squares += e.exact * e.exact
      }
      drawn += Self.batch
      let mean = sum.exact / Double(drawn)
      let variance = Swift.max(0, squares / Double(drawn) - mean * mean) / Double(drawn - 1)
      let (total, error) = (1 + Double(n) * mean, Double(n) * variance.squareRoot())
      if Self.deviations * error <= Self.tolerance * total {
        return A.one + sum * A(rounding: Double(n) / Double(drawn))
      }
    }
    var all = A(converting: C.exp(shifted[largest]))
    for k in 0..<Swift.max(n, 0) { all = all + term(k) }
    return all
  }
}
