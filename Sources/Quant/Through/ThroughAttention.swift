import NumKit

/// Queries, keys and values of one attention: heads one after another, each of tokens × size.
public struct AttentionTensors: Sendable {
  /// Query heads; a multiple of `kvHeads`: neighbours share a head of keys and values.
  public let heads: Int
  /// Heads of keys and values.
  public let kvHeads: Int
  /// Queries of a head.
  public let queries: Int
  /// Keys of a head.
  public let keys: Int
  /// Whether a query sees only the keys up to its own, the last query the last key.
  public let isCausal: Bool
  public var q: TensorMatrix
  public var k: TensorMatrix
  public var v: TensorMatrix

  /// Throws `CureError.shape` where the tensors do not fit each other.
  public init(
    q: TensorMatrix, k: TensorMatrix, v: TensorMatrix, heads: Int, kvHeads: Int, isCausal: Bool
  ) throws {
    try Self.check(
      q: (q.rows, q.columns), k: (k.rows, k.columns), v: (v.rows, v.columns), heads: heads, kvHeads: kvHeads,
      isCausal: isCausal)
    (self.heads, self.kvHeads, self.isCausal) = (heads, kvHeads, isCausal)
    (queries, keys) = (q.rows / heads, k.rows / kvHeads)
    (self.q, self.k, self.v) = (q, k, v)
  }

  /// Throws `CureError.shape` where tensors of so many rows and columns do not fit each other.
  static func check(
    q: (rows: Int, columns: Int), k: (rows: Int, columns: Int), v: (rows: Int, columns: Int), heads: Int,
    kvHeads: Int, isCausal: Bool
  ) throws {
    guard heads > 0, kvHeads > 0, heads % kvHeads == 0, q.rows % heads == 0, k.rows % kvHeads == 0,
      k.rows == v.rows, q.columns == k.columns, q.rows > 0, k.rows > 0
    else {
      throw CureError.shape(
        "q of \(q.rows) x \(q.columns), k of \(k.rows) x \(k.columns) and v of \(v.rows) x \(v.columns) "
          + "are no attention of \(heads) and \(kvHeads) heads")
    }
    let (queries, keys) = (q.rows / heads, k.rows / kvHeads)
    guard !isCausal || keys >= queries else {
      throw CureError.shape("causal attention needs at least as many keys (\(keys)) as queries (\(queries))")
    }
  }
}

/// What errors in queries, keys and values do to the output o = softmax(qkᵀ/√d)v: the proven attention of what was decoded against
/// the proven attention of what was given (`AttentionReference`). No error of a kernel is in it.
public struct ThroughAttention: Sendable {
  /// The queries' error alone.
  public private(set) var queries = ResultErrors()
  /// The keys' alone.
  public private(set) var keys = ResultErrors()
  /// The values' alone.
  public private(set) var values = ResultErrors()
  /// All together: what accumulates.
  public private(set) var all = ResultErrors()
  /// What proved the five attentions.
  public private(set) var certificate = Certificate()

  /// Compares; both have the same shapes. Throws `CureError.shape` for sizes from 2^20 on.
  public init(_ exact: AttentionTensors, _ decoded: AttentionTensors, threads: Int = 1) throws {
    let inputs = try Self.inputs(exact, decoded)
    let mask = AttentionMask(causal: exact.isCausal)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: exact.heads * exact.queries, progress: nil,
      make: { try ThroughAttentionWorker(inputs, AttentionParameters(mask: mask)) },
      body: { worker, row in worker.add(head: row / exact.queries, query: row % exact.queries) },
      merge: { $0.found.merge($1.found) })
    self = worker.found
  }

  init() {}

  /// The exact tensors; those with one of q, k and v decoded; all decoded.
  private static func inputs(_ exact: AttentionTensors, _ decoded: AttentionTensors) throws
    -> [AttentionInputs]
  {
    let shape = AttentionShape(
      heads: exact.heads, keyHeads: exact.kvHeads, queries: exact.queries, keys: exact.keys,
      headSize: exact.q.columns, valueSize: exact.v.columns)
    func doubles(_ path: KeyPath<AttentionTensors, TensorMatrix>) -> [[Double]] {
      [exact, decoded].map { $0[keyPath: path].values.map(Double.init) }
    }
    let (q, k, v) = (doubles(\.q), doubles(\.k), doubles(\.v))
    return try [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)].map { which in
      guard let one = AttentionInputs(q: q[which.0], k: k[which.1], v: v[which.2], shape: shape) else {
        throw CureError.shape("attention of these sizes is too large")
      }
      return one
    }
  }

  mutating func merge(_ other: ThroughAttention) {
    queries.merge(other.queries)
    keys.merge(other.keys)
    values.merge(other.values)
    all.merge(other.all)
    certificate.merge(other.certificate)
  }

  fileprivate mutating func add(_ truths: [Truth]) {
    for truth in truths { certificate.merge(truth.certificate) }
    for i in truths[0].high.indices {
      queries.add(truths[1], from: truths[0], at: i)
      keys.add(truths[2], from: truths[0], at: i)
      values.add(truths[3], from: truths[0], at: i)
      all.add(truths[4], from: truths[0], at: i)
    }
  }
}

private final class ThroughAttentionWorker {
  var found = ThroughAttention()
  private let references: [AttentionReference]
  private var truths: [Truth]
  private var logSumExp = Truth()

  init(_ inputs: [AttentionInputs], _ parameters: AttentionParameters) throws {
    references = try inputs.map { try AttentionReference($0, parameters, format: .f64) }
    truths = inputs.map { _ in Truth() }
  }

  func add(head: Int, query: Int) {
    for (k, reference) in references.enumerated() {
      reference.answer(head: head, query: query, into: &truths[k], logSumExp: &logSumExp)
    }
    found.add(truths)
  }
}
