import NumKitNumbers

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
  /// How many keys stand before the first query: query i is at `past` + i, whatever the number of keys. nil for `alignment`.
  public var past: Int?
  /// How many keys before its own position a query sees; nil for all.
  public var left: Int?
  /// How many keys after its own position a query sees; nil for all.
  public var right: Int?
  /// How many first keys stay visible whatever the window (attention sinks; StreamingLLM, arXiv 2309.17453).
  public var sinks: Int
  /// How many keys there are; those after them are padding, which nobody sees. nil for all.
  public var length: Int?
  /// Added to the scores, queries × keys for all heads or heads × queries × keys; −∞ hides. Empty for none.
  public var additive: [Double]

  /// Everything is seen unless said otherwise.
  public init(
    causal: Bool = false, alignment: Alignment = .bottomRight, past: Int? = nil, left: Int? = nil,
    right: Int? = nil,
    sinks: Int = 0, length: Int? = nil, additive: [Double] = []
  ) {
    self.causal = causal
    self.alignment = alignment
    self.past = past
    self.left = left
    self.right = right
    self.sinks = sinks
    self.length = length
    self.additive = additive
  }

  /// What is added to the score of query `i` and key `j`: −∞ where it is hidden.
  public func bias(head: Int = 0, query i: Int, key j: Int, queries: Int, keys: Int) -> Double {
    let position = i &+ (past ?? (alignment == .bottomRight ? keys &- queries : 0))
    if causal && j > position { return -.infinity }
    if let length, j >= length { return -.infinity }
    if j >= sinks {
      if let left, j < position, position &- j > left { return -.infinity }
      if let right, j > position, j &- position > right { return -.infinity }
    }
    if additive.isEmpty { return 0 }
    let each = queries &* keys
    let place = (additive.count > each ? head &* each : 0) &+ i &* keys &+ j
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

/// The inputs of attention: q [heads, queries, headSize], k [keyHeads, keys, headSize], v [keyHeads, keys, valueSize].
public struct AttentionInputs: Sendable {
  /// Their sizes.
  public let shape: AttentionShape
  /// What follows, as it is held.
  @usableFromInline package let numbers: (q: HeldNumbers, k: HeldNumbers, v: HeldNumbers)
  /// The queries.
  @inlinable public var q: [Double] { numbers.q.array }
  /// The keys.
  @inlinable public var k: [Double] { numbers.k.array }
  /// The values.
  @inlinable public var v: [Double] { numbers.v.array }
  /// Whether all numbers of each are finite.
  package let isFinite: (q: Bool, k: Bool, v: Bool)
  /// max |v| over finite numbers.
  package let largestValue: Double

  /// nil where the counts do not fit the shape, or the shape is no good.
  public init?(q: [Double], k: [Double], v: [Double], shape: AttentionShape) {
    guard shape.isValid, q.count == shape.heads * shape.queries * shape.headSize,
      k.count == shape.keyHeads * shape.keys * shape.headSize,
      v.count == shape.keyHeads * shape.keys * shape.valueSize
    else { return nil }
    self.init((HeldNumbers(q), HeldNumbers(k), HeldNumbers(v)), trusted: shape)
  }

  /// The same, each number rounded to `format`.
  public func rounded(to format: NumberFormat, overflow: Overflow = .special) -> AttentionInputs {
    rounded(to: format, overflow: overflow, narrowing: false)
  }

  /// The same; where it is `narrowing` what is rounded is held in as little memory as `narrowed` does.
  package func rounded(to format: NumberFormat, overflow: Overflow, narrowing: Bool) -> AttentionInputs {
    func round(_ x: HeldNumbers) -> HeldNumbers { x.rounded(to: format, overflow, narrowing: narrowing) }
    return AttentionInputs((round(numbers.q), round(numbers.k), round(numbers.v)), trusted: shape)
  }

  /// The same numbers in half of the memory, where they are Floats; each access to all of `q`, `k` or `v` then makes them Doubles anew.
  package func narrowed() -> AttentionInputs {
    AttentionInputs((numbers.q.narrowed(), numbers.k.narrowed(), numbers.v.narrowed()), trusted: shape)
  }

  /// Whether all numbers are the same; a NaN is as good as another.
  package func isSame(as other: AttentionInputs) -> Bool {
    numbers.q.isSame(as: other.numbers.q) && numbers.k.isSame(as: other.numbers.k)
      && numbers.v.isSame(as: other.numbers.v)
  }

  /// How many finite numbers of `given` are not finite here.
  package func overflowed(from given: AttentionInputs) -> Int {
    func count(_ x: HeldNumbers, _ y: HeldNumbers) -> Int { zip(x, y).count { !$0.isFinite && $1.isFinite } }
    return count(numbers.q, given.numbers.q) + count(numbers.k, given.numbers.k)
      + count(numbers.v, given.numbers.v)
  }

  package static func areSame(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
  }

  private init(_ numbers: (q: HeldNumbers, k: HeldNumbers, v: HeldNumbers), trusted: AttentionShape) {
    shape = trusted
    self.numbers = numbers
    let (q, k, v) = numbers
    isFinite = (q.allSatisfy(\.isFinite), k.allSatisfy(\.isFinite), v.allSatisfy(\.isFinite))
    largestValue = v.reduce(0) { $1.isFinite ? Swift.max($0, $1.magnitude) : $0 }
  }
}

/// What queries and keys are divided by before the product, so that scores cannot grow (QK-norm).
public struct QueryKeyNorm: Sendable, Hashable {
  /// The norm.
  public enum Kind: String, Sendable, CaseIterable {
    /// √(Σ x² + ε) (Henry et al., arXiv 2010.04245).
    case l2
    /// √(Σ x²/d + ε), as in many recent models.
    case rms
  }
  /// Which.
  public var kind: Kind
  /// ε.
  public var epsilon: Double

  /// A norm; a vector of zeros with ε = 0 has no answer (NaN).
  public init(_ kind: Kind, epsilon: Double = 0) {
    self.kind = kind
    self.epsilon = epsilon
  }
}

/// What the exponentials of the scores are divided by, and what becomes of the quotient.
public enum AttentionSoftmax: Sendable, Hashable {
  /// Their sum.
  case plain
  /// Their sum and e^b, with a learned sink logit b for each head (one for all where there is one): a head may attend to nothing.
  /// b = 0 is the softmax with a 1 in the denominator.
  case sink([Double])
  /// The sum; then min(1, max(0, (upper − lower)·p + lower)), which reaches 0 and 1 with finite scores (clipped softmax, Bondarenko
  /// et al., arXiv 2306.12929; lower ≤ 0, upper ≥ 1).
  case clipped(lower: Double, upper: Double)

  /// Whether probabilities are clipped.
  package var isClipped: Bool {
    if case .clipped = self { return true }
    return false
  }

  /// The sink logit of `head`, if there is one.
  public func sink(head: Int) -> Double? {
    guard case .sink(let logits) = self, let first = logits.first else { return nil }
    return logits.indices.contains(head) ? logits[head] : first
  }
}

/// What is asked: oᵢ = Σⱼ pᵢⱼ vⱼ with pᵢ = softmax(cap(scale·q·k) + mask), and lseᵢ, the logarithm of that softmax's denominator.
public struct AttentionParameters: Sendable, Hashable {
  /// How the 1/√d that keeps scores small comes in.
  public enum Placement: String, Sendable, CaseIterable {
    /// The query is multiplied before the product.
    case before
    /// The score is multiplied after the product.
    case after
  }

  /// The factor of the scores; nil for 1/√headSize (the real number: kernels round it), 1 for none.
  public var scale: Double?
  /// Where the factor is applied.
  public var placement: Placement
  /// c of c·tanh(s/c), applied to scaled scores; nil for none.
  public var softcap: Double?
  /// What queries and keys are divided by; nil for nothing.
  public var norm: QueryKeyNorm?
  /// What makes probabilities of scores.
  public var softmax: AttentionSoftmax
  /// What is seen.
  public var mask: AttentionMask
  /// What a fully masked query answers; its LSE is −∞.
  public var specialValues: SpecialValues

  /// 1/√headSize after the product, no cap, nothing masked, IEEE special values.
  public init(
    scale: Double? = nil, placement: Placement = .after, softcap: Double? = nil, norm: QueryKeyNorm? = nil,
    softmax: AttentionSoftmax = .plain, mask: AttentionMask = AttentionMask(),
    specialValues: SpecialValues = .ieee
  ) {
    self.scale = scale
    self.placement = placement
    self.softcap = softcap
    self.norm = norm
    self.softmax = softmax
    self.mask = mask
    self.specialValues = specialValues
  }

  /// Whether every number is one that can be computed with: scale finite, cap and norm positive, mask of the right size.
  public func fits(_ shape: AttentionShape) -> Bool {
    let each = shape.queries * shape.keys
    let maskFits = [0, each, each * shape.heads].contains(mask.additive.count)
    let sinkFits: Bool
    switch softmax {
    case .plain: sinkFits = true
    case .sink(let b): sinkFits = (b.count == 1 || b.count == shape.heads) && b.allSatisfy(\.isFinite)
    case .clipped(let lower, let upper):
      sinkFits = lower <= 0 && upper >= 1 && lower.isFinite && upper.isFinite
    }
    let numbers = [scale ?? 1, softcap ?? 1, norm?.epsilon ?? 0]
    return maskFits && sinkFits && numbers.allSatisfy(\.isFinite) && (softcap ?? 1) > 0
      && (norm?.epsilon ?? 0) >= 0
  }
}

/// The parameters of attention do not fit its tensors (`AttentionParameters.fits`).
public struct UnfitAttention: Error, CustomStringConvertible, Sendable {
  /// The error.
  public init() {}
  public var description: String { "mask, scale or softmax do not fit the tensors" }
}
