import CJudging
import NumKitKernels
import NumKitNumbers
import Synchronization

/// Softmax of every pair of finite numbers of a format: a claim about a kernel that is a proof, since nothing is left out.
///
/// Exchanging the two logits exchanges the results of every kernel here to the last bit (maximum, and sum of two terms, do not
/// depend on order), so each unordered pair is run once. The truth is a logistic function of the difference, which is
/// exact in Double, to within 2^−50 of itself.
public struct PairSweep: Sendable {
  /// What was found of one algorithm.
  public struct Result: Sendable, Hashable {
    /// Unordered pairs run.
    public var pairs = 0
    /// The largest error in ulps; the truth's own uncertainty is below 2^−37 of it for formats of up to 11 bits.
    public var maxUlp = 0.0
    /// An upper bound on it of which every digit is proven.
    public var provenMaxUlp: Double { ProvenErrors.outward(maxUlp, error: pairs == 0 ? 0 : 0x1p-37) }
    /// The larger and the smaller logit that have it; the first such pair.
    public var witness: [Double] = []
    /// Pairs with a NaN.
    public var nanPairs = 0
    /// Results that are infinite.
    public var overflow = 0
    /// Results of zero that should round to more.
    public var underflow = 0

    fileprivate mutating func merge(_ other: Result) {
      pairs += other.pairs
      nanPairs += other.nanPairs
      overflow += other.overflow
      underflow += other.underflow
      let isWorse =
        other.maxUlp > maxUlp
        || other.maxUlp == maxUlp && !other.witness.isEmpty
          && (witness.isEmpty || other.witness.lexicographicallyPrecedes(witness))
      if isWorse {
        maxUlp = other.maxUlp
        witness = other.witness
      }
    }
  }

  private let values: [Double]
  private let format: NumberFormat
  private let runner: PairRunner

  /// nil where the algorithm is no softmax over `Scalar` or the format is wider than 16 bits.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration) {
    guard algorithm.operation == .softmax, !algorithm.isInteger,
      let format = configuration.storage.numberFormat,
      format.bitWidth <= 16, format.hasZero
    else { return nil }
    guard let runner = PairRunner(algorithm, configuration) else { return nil }
    self.format = format
    self.runner = runner
    values = format.finiteValues
  }

  /// How many unordered pairs there are.
  public var count: Int { values.count * (values.count + 1) / 2 }

  /// Runs them all; `progress` is told how many of the larger logits are done.
  public func run(threads: Int, progress: (@Sendable (Int) -> Void)? = nil) throws -> Result {
    final class Worker {
      var result = Result()
      var differences: [Double] = []
      var larger: [Double] = []
      var smaller: [Double] = []
    }
    if let fault = ArithmeticFault.here { throw fault }
    let worker = try ParallelRows(threads: threads, chunk: 16).reduce(
      count: values.count, progress: progress, make: { Worker() },
      body: { worker, row in
        let n = row + 1
        if worker.larger.count < n {
          worker.larger = Array(repeating: 0, count: values.count)
          worker.smaller = worker.larger
          worker.differences = worker.larger
        }
        let x = values[row]
        for i in 0..<n { worker.differences[i] = values[i] - x }
        runner.run(x, values, n, &worker.larger, &worker.smaller)
        let s = nc_pair_errors(
          worker.differences, worker.larger, worker.smaller, n, Int32(format.significandBits),
          Int32(format.minExponent))
        worker.result.merge(
          Result(
            pairs: n, maxUlp: s.max_ulp, witness: s.max_ulp > 0 ? [x, values[s.index]] : [], nanPairs: s.nan,
            overflow: s.overflow, underflow: s.underflow))
      },
      merge: { $0.result.merge($1.result) })
    return worker.result
  }
}
