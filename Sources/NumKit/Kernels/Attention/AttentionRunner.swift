import NumKitNumbers
import NumKitQuestions

/// What attention gave for some rows: the outputs, each query's log-sum-exp, and what was seen on the way.
public struct AttentionResult: Sendable {
  /// o [rows, valueSize], numbers of the output format.
  public internal(set) var output: [Double] = []
  /// log Σ e^s of each row, numbers of the wider of compute and accumulator.
  public internal(set) var logSumExp: [Double] = []
  /// NaN, overflow and headroom by stage; rows are head·queries + query.
  public internal(set) var trace = StageTrace()
  /// Whether a NaN or an infinity was born on the way of each row.
  package internal(set) var wentWrong: [Bool] = []
  /// By stage.
  var nanBirths = [Int](repeating: 0, count: Stage.allCases.count)
  var overflowBirths = [Int](repeating: 0, count: Stage.allCases.count)

  /// Nothing yet.
  package init() {}

  /// Rows whose first NaN was born in `stage`.
  public func nanRows(_ stage: Stage) -> Int { nanBirths[stage.position] }
  /// Rows whose first overflow was born in `stage`.
  public func overflowRows(_ stage: Stage) -> Int { overflowBirths[stage.position] }

  /// Adds what was seen on the way of other rows; outputs are left alone.
  package mutating func mergeSights(_ other: AttentionResult) {
    trace.merge(other.trace)
    for i in nanBirths.indices {
      nanBirths[i] += other.nanBirths[i]
      overflowBirths[i] += other.overflowBirths[i]
    }
  }
}

extension AttentionResult: Portable {
  /// What was seen; outputs are left alone.
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&trace)
    try c.carry(fixed: &nanBirths) { try $0.carry(count: &$1) }
    try c.carry(fixed: &overflowBirths) { try $0.carry(count: &$1) }
  }
}

/// One attention algorithm in one configuration.
public struct AttentionRunner: Sendable {
  /// The algorithm.
  public var algorithm: AttentionAlgorithm
  /// Storage, compute and accumulator formats. Integer storage holds q, k and v on a grid for each token; outputs are then of the
  /// compute format.
  public var configuration: KernelConfiguration
  /// What probabilities are cast to before P·V; nil for the compute format.
  public var probabilities: NumberFormat?
  /// A power of two that probabilities are multiplied by before the cast and divided by after P·V, so that fewer underflow.
  public var probabilityScale: Double
  /// Keys a tile (flash) or a share (split-kv).
  public var blockKeys: Int
  /// Shares of the keys (split-kv), in place of `blockKeys`.
  public var splits: Int?
  /// For flash: how far the maximum may grow, in nats, before the accumulator is rescaled; 0 rescales always.
  public var laziness: Double
  /// A finite score in place of hidden ones, as kernels without an exact mask use; nil leaves hidden keys out.
  public var sentinel: Double?

  /// Whether hidden keys' values are multiplied by their weight of 0, as kernels do that hide by adding to scores: a NaN or an
  /// infinity among them then spoils what does not see it. Tiles in which nothing is seen are passed over all the same.
  public var multipliesHidden: Bool

  /// Tiles of 64 keys unless given.
  public init(
    _ algorithm: AttentionAlgorithm, _ configuration: KernelConfiguration,
    probabilities: NumberFormat? = nil, probabilityScale: Double = 1, blockKeys: Int = 64, splits: Int? = nil,
    laziness: Double = 0,
    sentinel: Double? = nil, multipliesHidden: Bool = false
  ) {
    self.algorithm = algorithm
    self.configuration = configuration
    self.probabilities = probabilities
    self.probabilityScale = probabilityScale
    self.blockKeys = blockKeys
    self.splits = splits
    self.laziness = laziness
    self.sentinel = sentinel
    self.multipliesHidden = multipliesHidden
  }

  /// The format of the outputs.
  public var outputFormat: NumberFormat { configuration.storage.numberFormat ?? configuration.compute }

  /// The format of the log-sum-exps.
  public var lseFormat: NumberFormat {
    if algorithm == .splitKV { return configuration.accumulator }
    return configuration.accumulator.precision > configuration.compute.precision
      ? configuration.accumulator : configuration.compute
  }

  /// Keys a tile, for so many keys.
  public func tile(keys: Int) -> Int {
    guard algorithm == .splitKV, let splits else { return blockKeys }
    return (keys + splits - 1) / splits
  }

  /// Answers for q, k, v, numbers of the storage format or rounded to it first; nil where sizes do not fit, the mask has another
  /// size, a format cannot be computed in or the algorithm cannot do it (clipped softmax needs a whole row).
  public func run(
    q: [Double], k: [Double], v: [Double], shape: AttentionShape, parameters: AttentionParameters
  ) -> AttentionResult? {
    guard let tensors = AttentionInputs(q: q, k: k, v: v, shape: shape) else { return nil }
    return run(tensors, parameters, rows: 0..<shape.heads * shape.queries)
  }

  /// The same for some rows, each head·queries + query; `inspect` is shown each row's probabilities as they were cast, from the first
  /// key that any query sees, where the algorithm has them (naive, standard).
  public func run(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, rows: Range<Int>,
    inspect: ((_ row: Int, _ firstKey: Int, UnsafeBufferPointer<Double>) -> Void)? = nil
  ) -> AttentionResult? {
    run(tensors, parameters, rows: rows, keeping: nil, inspect: inspect)
  }

  /// The same; what the next call with these tensors and parameters needs too stays in `kept`, which serves this runner alone.
  package func run(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, rows: Range<Int>,
    keeping kept: AttentionKept?,
    inspect: ((_ row: Int, _ firstKey: Int, UnsafeBufferPointer<Double>) -> Void)? = nil
  ) -> AttentionResult? {
    let shape = tensors.shape
    guard parameters.fits(shape), blockKeys > 0, probabilityScale > 0,
      probabilityScale.significand == 1, probabilityScale.exponent.magnitude < 100, splits ?? 1 > 0,
      laziness >= 0,
      rows.lowerBound >= 0, rows.upperBound <= shape.heads * shape.queries,
      let compute = ScalarDispatch.type(configuration.compute, configuration.overflow),
      let accumulator = ScalarDispatch.type(configuration.accumulator, configuration.overflow),
      let cast = ScalarDispatch.type(probabilities ?? configuration.compute, configuration.overflow)
    else { return nil }
    if case .clipped = parameters.softmax, algorithm == .flash || algorithm == .splitKV { return nil }
    let call = AttentionCall(
      runner: self, tensors: tensors, parameters: parameters, rows: rows, inspect: inspect, kept: kept)
    /// Runs specialised code where the formats are these.
    func special<C: Scalar, A: Scalar, P: Scalar>(_: C.Type, _: A.Type, _: P.Type) -> AttentionResult? {
      compute == C.self && accumulator == A.self && cast == P.self ? call.run(C.self, A.self, P.self) : nil
    }
    if let done = special(Float.self, Float.self, Float.self)
      ?? special(Float16.self, Float.self, Float16.self) ?? special(Float16.self, Float16.self, Float16.self)
      ?? special(BFloat16.self, Float.self, BFloat16.self)
      ?? special(Float.self, Float.self, Float16.self) ?? special(Float.self, Float.self, BFloat16.self)
      ?? special(Float.self, Float.self, Float8E4M3FN.self)
      ?? special(Float16.self, Float.self, Float8E4M3FN.self)
      ?? special(Double.self, Double.self, Double.self)
    {
      return done
    }
    // Other triples run generic code, with the same answer.
    func first<C: Scalar>(_: C.Type) -> AttentionResult {
      func second<A: Scalar>(_: A.Type) -> AttentionResult {
        func third<P: Scalar>(_: P.Type) -> AttentionResult { call.run(C.self, A.self, P.self) }
        return third(cast)
      }
      return second(accumulator)
    }
    return first(compute)
  }
}
