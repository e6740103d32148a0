import NumKit

extension ThroughSoftmax {
  /// What a treatment does to a tensor of logits, read band by band, and the bits it stores for it.
  public static func measured(
    _ logits: TensorBands, _ treatment: Treatment, context: CureContext, threads: Int = 1
  ) throws -> (found: ThroughSoftmax, bits: Int) {
    var found = ThroughSoftmax()
    let bits = try treatment.prepared(for: logits, context: context).forEachBand { _, band, decoded in
      found.merge(try ThroughSoftmax(band, decoded, threads: threads))
    }
    return (found, bits)
  }
}

extension ThroughProduct {
  /// What a treatment does to weights, outputs × inputs, read band by band, and to activations, tokens × inputs, where both are
  /// multiplied; and the bits it stores for the weights.
  public static func measured(
    _ weights: TensorBands, _ treatment: Treatment, activations x: TensorMatrix, context: CureContext,
    threads: Int = 1
  ) throws -> (found: ThroughProduct, bits: Int) {
    let ready = try treatment.prepared(for: weights, context: context)
    let decodedX = try ready.opposite(x)
    var found = ThroughProduct()
    let bits = try ready.forEachBand { _, band, decoded in
      found.merge(
        try ThroughProduct(weights: band, decoded, activations: x, decodedX, threads: threads))
    }
    return (found, bits)
  }
}

/// Queries, keys and values that need not be in memory: read head by head.
public struct AttentionBands: Sendable {
  /// Query heads; a multiple of `kvHeads`: neighbours share a head of keys and values.
  public let heads: Int
  /// Heads of keys and values.
  public let kvHeads: Int
  /// Whether a query sees only the keys up to its own, the last query the last key.
  public let isCausal: Bool
  public let q: TensorBands
  public let k: TensorBands
  public let v: TensorBands

  /// Throws `CureError.shape` where the tensors do not fit each other.
  public init(
    q: TensorBands, k: TensorBands, v: TensorBands, heads: Int, kvHeads: Int, isCausal: Bool
  ) throws {
    try AttentionTensors.check(
      q: (q.rows, q.columns), k: (k.rows, k.columns), v: (v.rows, v.columns), heads: heads, kvHeads: kvHeads,
      isCausal: isCausal)
    (self.q, self.k, self.v) = (q, k, v)
    (self.heads, self.kvHeads, self.isCausal) = (heads, kvHeads, isCausal)
  }

  /// Queries of a head.
  public var queries: Int { q.rows / heads }
  /// Keys of a head.
  public var keys: Int { k.rows / kvHeads }

  /// A head of keys and values and the query heads that share it, read, and as a treatment decodes them.
  fileprivate func part(
    _ head: Int, _ treated: [PreparedTreatment]
  ) throws -> (exact: AttentionTensors, decoded: AttentionTensors) {
    let shared = heads / kvHeads
    let parts = try zip([q, k, v], treated).enumerated().map { i, one in
      let count = i == 0 ? shared * queries : keys
      return try one.1.rows(head * count..<(head + 1) * count, of: one.0)
    }
    func tensors(_ path: KeyPath<(given: TensorMatrix, decoded: TensorMatrix), TensorMatrix>) throws
      -> AttentionTensors
    {
      try AttentionTensors(
        q: parts[0][keyPath: path], k: parts[1][keyPath: path], v: parts[2][keyPath: path], heads: shared,
        kvHeads: 1, isCausal: isCausal)
    }
    return (try tensors(\.given), try tensors(\.decoded))
  }
}

extension PreparedTreatment {
  /// Some rows of the tensor as it is and as they are decoded.
  fileprivate func rows(_ range: Range<Int>, of tensor: TensorBands) throws
    -> (given: TensorMatrix, decoded: TensorMatrix)
  {
    // Bands of whole units about them.
    let first = range.lowerBound / rowUnit * rowUnit
    let end = min((range.upperBound + rowUnit - 1) / rowUnit * rowUnit, tensor.rows)
    let band = try tensor.read(first..<end)
    let made = try decoded(band, firstRow: first).decoded
    func cut(_ m: TensorMatrix) -> TensorMatrix {
      let n = m.columns
      return TensorMatrix(
        rows: range.count, columns: n,
        values: Array(m.values[(range.lowerBound - first) * n..<(range.upperBound - first) * n]))
    }
    return (cut(band), cut(made))
  }
}

extension ThroughAttention {
  /// What a treatment does to queries, keys and values, and the bits it stores for them: memory is that of one head of keys and
  /// values and the query heads that share it.
  public static func measured(
    _ tensors: AttentionBands, _ treatment: Treatment, context: CureContext, threads: Int = 1
  ) throws -> (found: ThroughAttention, bits: Int) {
    let ready = try [tensors.q, tensors.k, tensors.v].map {
      try treatment.prepared(for: $0, context: context)
    }
    var found = ThroughAttention()
    for head in 0..<tensors.kvHeads {
      let (exact, decoded) = try tensors.part(head, ready)
      found.merge(try ThroughAttention(exact, decoded, threads: threads))
    }
    return (found, try ready.reduce(0) { $0 + (try $1.bits()) })
  }
}
