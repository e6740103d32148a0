/// dQ, dK and dV of one key head: what Σ dO·o is differentiated by.
public struct AttentionGradients: Sendable {
  /// dQ [group·queries, headSize], of the query heads that use this key head, in order.
  public package(set) var q: [Double] = []
  /// dK [keys, headSize], summed over those heads.
  public package(set) var k: [Double] = []
  /// dV [keys, valueSize], likewise.
  public package(set) var v: [Double] = []

  /// Nothing yet.
  package init() {}
}

/// One of the three gradients.
public enum AttentionGradient: String, Sendable, CaseIterable {
  /// Of the queries.
  case dq
  /// Of the keys.
  case dk
  /// Of the values.
  case dv
}

/// Why gradients could not be had.
public enum BackwardError: Error, CustomStringConvertible, Sendable {
  /// No derivative is given of this softmax or norm.
  case notDifferentiable
  /// dO or the parameters do not fit the tensors.
  case unfit
  /// A number is not finite, as stored.
  case notFinite
  /// The algorithm of this name has no backward pass.
  case noBackward(String)

  public var description: String {
    switch self {
    case .notDifferentiable:
      return "backward knows the plain softmax and the one with a sink, without QK-norm"
    case .unfit: return "dO, mask, scale or softmax do not fit the tensors"
    case .notFinite:
      return "backward needs finite q, k, v, dO and mask (-inf hides), also after rounding to the dtype"
    case .noBackward(let algorithm): return "\(algorithm) has no backward pass; standard and flash have"
    }
  }
}

extension AttentionParameters {
  /// Whether gradients are answered for.
  public var isDifferentiable: Bool {
    !softmax.isClipped && norm == nil
  }
}

extension AttentionShape {
  /// Query heads that share a key head.
  public var group: Int { heads / keyHeads }

  /// The rows, head·queries + query, that use a key head.
  public func rows(ofKeyHead kv: Int) -> Range<Int> {
    kv * group * queries..<(kv + 1) * group * queries
  }
}
