import CVector
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
  private let body: PairBody

  /// nil where the algorithm is no softmax over `Scalar` or the format is wider than 16 bits.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration) {
    guard algorithm.operation == .softmax, !algorithm.isInteger,
      let format = configuration.storage.numberFormat,
      format.bitWidth <= 16, format.hasZero
    else { return nil }
    let request = PairRequest(algorithm: algorithm, storage: format, overflow: configuration.overflow)
    guard let body = ScalarDispatch.visit(configuration, request) else { return nil }
    self.format = format
    self.body = body
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
        body(x, values, n, &worker.larger, &worker.smaller)
        let s = numcheck_pair_errors(
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

/// Runs a kernel on (x, values[i]) for the first `count` values.
typealias PairBody =
  @Sendable (
    _ x: Double, _ values: [Double], _ count: Int, _ larger: inout [Double], _ smaller: inout [Double]
  ) -> Void

/// Makes the body of a sweep for a pair of formats.
struct PairRequest: FormatPairVisitor {
  let algorithm: Algorithm
  let storage: NumberFormat
  let overflow: Overflow

  func visit<C: Scalar, A: Scalar>(_: C.Type, _: A.Type) -> PairBody? {
    switch algorithm.kernel {
    case NaiveSoftmax.name: return body(NaiveSoftmax.self, C.self, A.self)
    case ShiftedSoftmax.name: return body(ShiftedSoftmax.self, C.self, A.self)
    case OnlineSoftmax.name: return body(OnlineSoftmax.self, C.self, A.self)
    case TwoPassLogSoftmax.name: return body(TwoPassLogSoftmax.self, C.self, A.self)
    case Base2Softmax.name: return body(Base2Softmax.self, C.self, A.self)
    default: return nil
    }
  }

  private func body<K: Kernel, C: Scalar, A: Scalar>(_: K.Type, _: C.Type, _: A.Type) -> PairBody {
    let summation = algorithm.summation
    let (storage, overflow) = (storage, overflow)
    let stores = storage != C.format
    return { x, values, count, larger, smaller in
      withUnsafeTemporaryAllocation(of: C.self, capacity: 6) { memory in
        memory.initialize(repeating: .zero)
        let logits = UnsafeMutableBufferPointer(rebasing: memory[0..<2])
        let results = UnsafeMutableBufferPointer(rebasing: memory[2..<4])
        let setting = KernelSetting(
          summation: summation, target: 0, cotangent: UnsafeMutableBufferPointer(rebasing: memory[4..<4]),
          scratch: UnsafeMutableBufferPointer(rebasing: memory[4..<6]))
        let first = C(rounding: x)
        var stages = Unobserved()
        for i in 0..<count {
          logits[0] = first
          logits[1] = C(rounding: values[i])
          K.run(logits, into: results, setting, accumulator: A.self, stages: &stages)
          larger[i] = stores ? storage.round(results[0].exact, overflow: overflow) : results[0].exact
          smaller[i] = stores ? storage.round(results[1].exact, overflow: overflow) : results[1].exact
        }
      }
    }
  }
}
