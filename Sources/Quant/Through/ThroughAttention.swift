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
    guard heads > 0, kvHeads > 0, heads % kvHeads == 0, q.rows % heads == 0, k.rows % kvHeads == 0,
      k.rows == v.rows, q.columns == k.columns, q.rows > 0, k.rows > 0
    else {
      throw CureError.shape(
        "q of \(q.rows) x \(q.columns), k of \(k.rows) x \(k.columns) and v of \(v.rows) x \(v.columns) "
          + "are no attention of \(heads) and \(kvHeads) heads")
    }
    (self.heads, self.kvHeads, self.isCausal) = (heads, kvHeads, isCausal)
    (queries, keys) = (q.rows / heads, k.rows / kvHeads)
    guard !isCausal || keys >= queries else {
      throw CureError.shape("causal attention needs at least as many keys (\(keys)) as queries (\(queries))")
    }
    (self.q, self.k, self.v) = (q, k, v)
  }
}

/// What errors in queries, keys and values do to the output o = softmax(qkᵀ/√d)v: the exact attention of what was decoded against
/// the exact attention of what was given (`SumReference`). No error of a kernel is in it.
public struct ThroughAttention: Sendable {
  /// The queries' error alone.
  public private(set) var queries = ResultErrors()
  /// The keys' alone.
  public private(set) var keys = ResultErrors()
  /// The values' alone.
  public private(set) var values = ResultErrors()
  /// All together: what accumulates.
  public private(set) var all = ResultErrors()

  fileprivate init() {}

  /// Compares; both have the same shapes.
  public init(_ exact: AttentionTensors, _ decoded: AttentionTensors, threads: Int = 1) throws {
    let pair = AttentionPair(exact, decoded)
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: exact.heads * exact.queries, progress: nil, make: { ThroughAttentionWorker(pair) },
      body: { $0.add(row: $1) }, merge: { $0.found.merge($1.found) })
    self = worker.found
  }

  fileprivate mutating func merge(_ other: ThroughAttention) {
    queries.merge(other.queries)
    keys.merge(other.keys)
    values.merge(other.values)
    all.merge(other.all)
  }

  fileprivate mutating func add(_ exact: Truth, _ parts: [Truth]) {
    for i in exact.high.indices {
      func difference(_ t: Truth) -> Double { (t.high[i] - exact.high[i]) + (t.low[i] - exact.low[i]) }
      queries.add(exact: exact.high[i], difference: difference(parts[0]))
      keys.add(exact: exact.high[i], difference: difference(parts[1]))
      values.add(exact: exact.high[i], difference: difference(parts[2]))
      all.add(exact: exact.high[i], difference: difference(parts[3]))
    }
  }
}

/// Both versions as Doubles.
private struct AttentionPair: Sendable {
  let shape: AttentionTensors
  let q: [[Double]]
  let k: [[Double]]
  let v: [[Double]]

  init(_ a: AttentionTensors, _ b: AttentionTensors) {
    shape = a
    q = [a.q.values.map(Double.init), b.q.values.map(Double.init)]
    k = [a.k.values.map(Double.init), b.k.values.map(Double.init)]
    v = [a.v.values.map(Double.init), b.v.values.map(Double.init)]
  }
}

private final class ThroughAttentionWorker {
  var found = ThroughAttention()
  private let pair: AttentionPair
  private let reference = SumReference(format: .f64)
  private var high: [Double] = []
  private var low: [Double] = []
  private var truth = Truth()

  init(_ pair: AttentionPair) { self.pair = pair }

  func add(row: Int) {
    // Which of q, k and v are decoded ones.
    let exact = answer(row, 0, 0, 0)
    found.add(
      exact, [answer(row, 1, 0, 0), answer(row, 0, 1, 0), answer(row, 0, 0, 1), answer(row, 1, 1, 1)])
  }

  private func answer(_ row: Int, _ q: Int, _ k: Int, _ v: Int) -> Truth {
    let s = pair.shape
    let (head, query) = (row / s.queries, row % s.queries)
    let kvHead = head / (s.heads / s.kvHeads)
    let count = s.isCausal ? s.keys - s.queries + query + 1 : s.keys
    let (d, width) = (s.q.columns, s.v.columns)
    high = [Double](repeating: 0, count: count)
    low = high
    pair.q[q].withUnsafeBufferPointer { q in
      pair.k[k].withUnsafeBufferPointer { k in
        pair.v[v].withUnsafeBufferPointer { v in
          high.withUnsafeMutableBufferPointer { high in
            low.withUnsafeMutableBufferPointer { low in
              let start = kvHead * s.keys
              let error = reference.dotPairs(
                UnsafeBufferPointer(rebasing: q[row * d..<(row + 1) * d]),
                UnsafeBufferPointer(rebasing: k[start * d..<(start + count) * d]),
                scale: 1 / Double(d).squareRoot(), high: high, low: low)
              reference.weightedSums(
                high: UnsafeBufferPointer(high), low: UnsafeBufferPointer(low), error: error,
                values: UnsafeBufferPointer(rebasing: v[start * width..<(start + count) * width]),
                into: &truth)
            }
          }
        }
      }
    }
    return truth
  }
}
