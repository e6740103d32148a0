import NumKit

/// Attention as a scheme computes it, ready to answer query by query.
public struct LowPrecisionAttention: Sendable {
  /// The scheme.
  public let scheme: AttentionScheme
  /// Queries, keys and values as it stores them.
  public let q, k, v: EncodedOperand
  /// The tensors' sizes.
  public let shape: AttentionShape
  private let parameters: AttentionParameters
  private let factor: Float

  /// Storage for one row, and what was counted over all rows it served.
  public struct Work: Sendable {
    /// Pairs of a query and a key it sees.
    public internal(set) var pairs = 0
    /// Those whose P became 0.
    public internal(set) var flushed = 0
    var scores: [Float] = []
    var weights: [Float] = []
    var integerWeights: [Int32] = []
    var integers: [Int32] = []
    var tile: [Float] = []
    var sums: [Float] = []
    /// Nothing yet.
    public init() {}
    package mutating func merge(_ other: Work) {
      pairs += other.pairs
      flushed += other.flushed
    }
  }

  /// Encodes the tensors; nil where the scheme cannot do it: rotation needs a head size that is a power of two, int32 sums one of at most
  /// 2^17, a shift of the keys a plain softmax without a cap, P·V a scale that does not change within a tile.
  public init?(
    _ scheme: AttentionScheme, _ tensors: AttentionInputs, _ parameters: AttentionParameters,
    using random: inout some RandomNumberGenerator
  ) {
    let s = tensors.shape
    guard scheme.tile > 0, parameters.fits(s), parameters.softmax == .plain, parameters.norm == nil,
      parameters.softcap == nil, parameters.specialValues != .uniform, s.headSize <= 1 << 17,
      scheme.tile <= 1 << 17
    else { return nil }
    var (q, k) = (tensors.q, tensors.k)
    if scheme.smoothsKeys { k = EncodedOperand.withoutMean(k, tokens: s.keys, width: s.headSize) }
    if scheme.rotates {
      guard s.headSize & (s.headSize - 1) == 0 else { return nil }
      let signs = (0..<s.headSize).map { _ in random.next() & 1 == 0 ? 1.0 : -1 }
      ScaledInputs.rotate(&q, signs)
      ScaledInputs.rotate(&k, signs)
    }
    self.scheme = scheme
    self.parameters = parameters
    shape = s
    guard
      let codedQ = try? EncodedOperand(
        q, heads: s.heads, tokens: s.queries, width: s.headSize, scheme.queries),
      let codedK = try? EncodedOperand(
        k, heads: s.keyHeads, tokens: s.keys, width: s.headSize, scheme.keys),
      let codedV = try? EncodedOperand(
        tensors.v, heads: s.keyHeads, tokens: s.keys, width: s.valueSize, scheme.values)
    else { return nil }
    (self.q, self.k, v) = (codedQ, codedK, codedV)
    factor = parameters.scale.map { Float($0) } ?? Float(1 / Double(s.headSize).squareRoot())
    let whole: Bool
    if case .integer = scheme.probabilities { whole = true } else { whole = false }
    guard self.q.codes.isEmpty == self.k.codes.isEmpty, whole == !v.codes.isEmpty,
      self.q.channelScales.isEmpty, self.k.channelScales.isEmpty
    else { return nil }
    for h in 0..<s.keyHeads {
      for j in 0..<s.keys
      where v.tokenScales[h * s.keys + j] != v.tokenScales[h * s.keys + j / scheme.tile * scheme.tile] {
        return nil
      }
    }
  }

  /// Σ ab over int8 codes or narrower, in int32: exact for at most 2^17 of them.
  package static func integerDot(_ a: UnsafePointer<Int32>, _ b: UnsafePointer<Int32>, _ count: Int) -> Int32
  {
    var sum: Int32 = 0
    for c in 0..<count { sum &+= a[c] &* b[c] }
    return sum
  }

  /// The score of a query and a key before scale and mask, scales of the codes multiplied in.
  package func product(head: Int, query: Int, key: Int) -> Float {
    let d = shape.headSize
    let (a, b) = (head * shape.queries + query, shape.keyHead(of: head) * shape.keys + key)
    let scale = q.tokenScales[a] * k.tokenScales[b]
    if !q.codes.isEmpty {
      return q.codes.withUnsafeBufferPointer { x in
        k.codes.withUnsafeBufferPointer { y in
          guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
          return Float(Self.integerDot(x + a * d, y + b * d, d)) * scale
        }
      }
    }
    return q.numbers.withUnsafeBufferPointer { x in
      k.numbers.withUnsafeBufferPointer { y in
        var sum: Float = 0
        for c in 0..<d { sum += x[a * d + c] * y[b * d + c] }
        return sum * scale
      }
    }
  }

  /// The output of one query, f32, into `output` [valueSize].
  public func answer(head: Int, query: Int, into output: inout [Double], _ w: inout Work) {
    let width = shape.valueSize
    let kv = shape.keyHead(of: head)
    w.sums = Array(repeating: 0, count: width)
    var maximum = -Float.infinity
    var denominator: Float = 0
    let scale = Float(scheme.probabilityScale)
    for first in stride(from: 0, to: shape.keys, by: scheme.tile) {
      let count = Swift.min(scheme.tile, shape.keys - first)
      let old = maximum
      w.scores.removeAll(keepingCapacity: true)
      for j in first..<first + count {
        let bias = parameters.mask.bias(
          head: head, query: query, key: j, queries: shape.queries, keys: shape.keys)
        guard bias > -.infinity else {
          w.scores.append(-.infinity)
          continue
        }
        let s = product(head: head, query: query, key: j) * factor + Float(bias)
        w.scores.append(s)
        maximum = Swift.max(maximum, s)
        w.pairs += 1
      }
      guard maximum > -.infinity else { continue }
      let keep = old > -.infinity ? Float.exp(old - maximum) : 0
      denominator *= keep
      cast(maximum, scale, &denominator, &w)
      multiply(first, count, kv, &w)
      let valueScale = v.tokenScales[kv * shape.keys + first]
      for c in 0..<width { w.sums[c] = w.sums[c] * keep + w.tile[c] * valueScale }
    }
    if maximum == -.infinity {
      for c in 0..<width { output[c] = parameters.specialValues == .safe ? 0 : .nan }
      return
    }
    for c in 0..<width {
      let channel = v.channelScales.isEmpty ? 1 : v.channelScales[kv * width + c]
      output[c] = Double(w.sums[c] * channel / (denominator * scale))
    }
  }

  /// P of a tile from its scores, cast; the denominator grows by P before the cast.
  private func cast(_ maximum: Float, _ scale: Float, _ denominator: inout Float, _ w: inout Work) {
    w.weights.removeAll(keepingCapacity: true)
    w.integerWeights.removeAll(keepingCapacity: true)
    for s in w.scores {
      guard s > -.infinity || s.isNaN else {
        w.weights.append(0)
        w.integerWeights.append(0)
        continue
      }
      let p = Float.exp(s - maximum)
      denominator += p
      switch scheme.probabilities {
      case .float(let format):
        let y = Float(format.round(Double(p * scale), overflow: .saturate))
        w.weights.append(y)
        if y == 0 { w.flushed += 1 }
      case .integer(let format):
        let whole = (p * scale).rounded(.toNearestOrEven)
        let y = whole.isNaN ? 0 : Int32(Swift.min(Swift.max(whole, 0), Float(format.max)))
        w.integerWeights.append(y)
        if y == 0 { w.flushed += 1 }
      }
    }
  }

  /// P·V of a tile, without V's scales.
  private func multiply(_ first: Int, _ count: Int, _ kv: Int, _ w: inout Work) {
    let width = shape.valueSize
    let start = (kv * shape.keys + first) * width
    w.tile = Array(repeating: 0, count: width)
    if !v.codes.isEmpty {
      w.integers = Array(repeating: 0, count: width)
      for j in 0..<count where w.integerWeights[j] != 0 {
        let p = w.integerWeights[j]
        for c in 0..<width { w.integers[c] &+= p &* v.codes[start + j * width + c] }
      }
      for c in 0..<width { w.tile[c] = Float(w.integers[c]) }
      return
    }
    let isFloat = scheme.accumulator == .f32
    for j in 0..<count where w.weights[j] != 0 {
      let p = w.weights[j]
      if isFloat {
        for c in 0..<width { w.tile[c] += p * v.numbers[start + j * width + c] }
      } else {
        // The product is exact in Double, and the sum rounded once.
        for c in 0..<width {
          let exact = Double(p) * Double(v.numbers[start + j * width + c]) + Double(w.tile[c])
          w.tile[c] = Float(scheme.accumulator.round(exact))
        }
      }
    }
  }
}
