/// Which keys a query sees, and with what added to its score.
public struct AttentionMask: Sendable, Hashable {
  /// Where the diagonal of a causal mask lies when there are more keys than queries.
  public enum Alignment: String, Sendable, CaseIterable {
    /// The last query sees the last key: cached decoding.
    case bottomRight = "bottom-right"
    /// The first query sees the first key only.
    case topLeft = "top-left"
  }

  /// Query i sees no key after its own position.
  public var causal: Bool
  /// What a query's own position is.
  public var alignment: Alignment
  /// How many keys before its own position a query sees; nil for all.
  public var left: Int?
  /// How many keys after its own position a query sees; nil for all.
  public var right: Int?
  /// How many first keys stay visible whatever the window (attention sinks; StreamingLLM, arXiv 2309.17453).
  public var sinks: Int
  /// Added to the scores, queries × keys; −∞ hides. Empty for none.
  public var additive: [Double]

  /// Everything is seen unless said otherwise.
  public init(
    causal: Bool = false, alignment: Alignment = .bottomRight, left: Int? = nil, right: Int? = nil,
    sinks: Int = 0, additive: [Double] = []
  ) {
    self.causal = causal
    self.alignment = alignment
    self.left = left
    self.right = right
    self.sinks = sinks
    self.additive = additive
  }

  /// What is added to the score of query `i` and key `j`: −∞ where it is hidden.
  public func bias(query i: Int, key j: Int, queries: Int, keys: Int) -> Double {
    let position = alignment == .bottomRight ? i &+ (keys &- queries) : i
    if causal && j > position { return -.infinity }
    if j >= sinks {
      if let left, j < position, position &- j > left { return -.infinity }
      if let right, j > position, j &- position > right { return -.infinity }
    }
    let place = i &* keys &+ j
    return additive.indices.contains(place) ? additive[place] : 0
  }
}

/// The sizes of q [heads, queries, headSize], k [keyHeads, keys, headSize] and v [keyHeads, keys, valueSize].
public struct AttentionShape: Sendable, Hashable {
  /// Query heads H.
  public var heads: Int
  /// Key and value heads; fewer than `heads` is grouped-query attention, 1 multi-query.
  public var keyHeads: Int
  /// Queries a head.
  public var queries: Int
  /// Keys a head.
  public var keys: Int
  /// The length of a query and of a key.
  public var headSize: Int
  /// The length of a value.
  public var valueSize: Int

  /// All sizes; `valueSize` is `headSize` unless given.
  public init(
    heads: Int = 1, keyHeads: Int? = nil, queries: Int, keys: Int, headSize: Int, valueSize: Int? = nil
  ) {
    self.heads = heads
    self.keyHeads = keyHeads ?? heads
    self.queries = queries
    self.keys = keys
    self.headSize = headSize
    self.valueSize = valueSize ?? headSize
  }

  /// Whether all sizes are positive, below 2^20, and the key heads divide the heads.
  public var isValid: Bool {
    let sizes = [heads, keyHeads, queries, keys, headSize, valueSize]
    return sizes.allSatisfy { $0 > 0 && $0 < 1 << 20 } && heads % keyHeads == 0
  }

  /// The key head of query head h: ⌊h·Hkv/H⌋.
  public func keyHead(of head: Int) -> Int { head * keyHeads / heads }
}

/// What is asked: oᵢ = Σⱼ pᵢⱼ vⱼ with pᵢ = softmax(cap(scale·q·k) + mask).
public struct AttentionParameters: Sendable, Hashable {
  /// How the 1/√d that keeps scores small comes in.
  public enum Placement: String, Sendable, CaseIterable {
    /// The query is multiplied before the product.
    case before
    /// The score is multiplied after the product.
    case after
  }

  /// The factor of the scores; nil for 1/√headSize, 1 for none.
  public var scale: Double?
  /// Where the factor is applied.
  public var placement: Placement
  /// c of c·tanh(s/c), applied to scaled scores; nil for none.
  public var softcap: Double?
  /// What is seen.
  public var mask: AttentionMask
  /// What a fully masked query answers; its LSE is −∞.
  public var specialValues: SpecialValues

  /// 1/√headSize after the product, no cap, nothing masked, IEEE special values.
  public init(
    scale: Double? = nil, placement: Placement = .after, softcap: Double? = nil,
    mask: AttentionMask = AttentionMask(), specialValues: SpecialValues = .ieee
  ) {
    self.scale = scale
    self.placement = placement
    self.softcap = softcap
    self.mask = mask
    self.specialValues = specialValues
  }
}
