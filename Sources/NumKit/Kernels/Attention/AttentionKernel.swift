import CKernels
import NumKitNumbers
import NumKitQuestions

/// The ways to attend.
public enum AttentionAlgorithm: String, Sendable, CaseIterable {
  /// Unshifted softmax: e^s overflows where s does not.
  case naive
  /// Shifted softmax over the whole row, probabilities divided before they are cast and multiplied with V.
  case standard
  /// Tiles of keys, online softmax, the accumulator rescaled and divided once at the end (FlashAttention, arXiv
  /// 2205.14135). Tiles of queries do not change a row's arithmetic, so only the keys' tile is a parameter.
  case flash
  /// Normalised partial results of each share of the keys, merged by their LSE (flash decoding, ring attention).
  case splitKV = "split-kv"

  /// One line for a person.
  public var summary: String {
    switch self {
    case .naive: return "softmax without a shift: e^s overflows where s does not"
    case .standard: return "softmax of the whole row, divided, cast to the format of P, times V"
    case .flash: return "tiles of keys, online softmax, rescaled accumulator, divided once at the end"
    case .splitKV: return "shares of the keys, each normalised, merged by their log-sum-exps"
    }
  }
}

/// One query with its head's keys and values: storage that is kept from query to query.
///
/// Elements are of the compute format C; sums of products of the accumulator format A, in which q, k and v stand ready. Keys lie
/// transposed, so that the sums of many keys run side by side, each in its own order.
struct AttentionRow<C: Scalar, A: Scalar> {
  let query: UnsafeMutableBufferPointer<A>
  /// Where products of many queries are made together: panels of 16, each [headSize, 16].
  private(set) var keys = UnsafeMutableBufferPointer<A>(start: nil, count: 0)
  private(set) var values = UnsafeMutableBufferPointer<A>(start: nil, count: 0)
  /// What is added to each score.
  let bias: UnsafeMutableBufferPointer<Double>
  let seen: UnsafeMutableBufferPointer<Bool>
  /// Σ q·k of each key, and once scores are made of them room for weights.
  var products: UnsafeMutableBufferPointer<A>
  let scores: UnsafeMutableBufferPointer<C>
  var total: UnsafeMutableBufferPointer<A>
  var output: UnsafeMutableBufferPointer<C>
  /// What scores are multiplied by after the product; nil where queries were before.
  let scale: C?
  let cap: C?
  /// A finite score put in place of a hidden one, as some kernels do; nil leaves hidden keys out.
  let sentinel: C?
  let softmax: AttentionSoftmax
  /// Whether hidden keys' values are multiplied, by 0.
  let multipliesHidden: Bool
  /// How far a maximum may grow before the accumulator is rescaled.
  let laziness: C
  /// What probabilities are multiplied by before the cast, and what undoes it; nil for 1.
  let spread: (C, A)?
  /// The sink's logit.
  var sink: C?
  /// The keys that any query of these may see.
  var range: Range<Int>
  /// Whether some seen key has something added to its score.
  var isBiased = false
  /// Whether all keys in `range` are seen, and nothing is added to their scores; `bias` and `seen` then say nothing.
  var isDense = false
  /// Whether `products` holds the query's already.
  var isMultiplied = false

  /// Meets the keys and values of `head`.
  mutating func take(_ head: KeyHead<A>?) {
    guard let head else { return }
    (keys, values) = (head.keys, head.values)
  }

  /// Scores of the keys in `range`: products and sum in A, the rest in C.
  func score<S: Stages>(_ range: Range<Int>, _ stages: inout S) {
    if range.isEmpty { return }
    if !isMultiplied { multiply(range) }
    if isDense {
      for j in range { scores[j] = C(converting: products[j]) }
    } else {
      for j in range { scores[j] = seen[j] ? C(converting: products[j]) : .zero }
    }
    let part = UnsafeMutableBufferPointer(rebasing: scores[range])
    stages.store(part, .scores)
    if isDense {
      if let scale { for j in range { scores[j] = scores[j] * scale } }
      if let cap { for j in range { scores[j] = cap * C.tanh(scores[j] / cap) } }
    } else {
      for j in range {
        guard seen[j] else { continue }
        if bias[j] == -.infinity {
          scores[j] = sentinel ?? .zero
          continue
        }
        var s = scores[j]
        if let scale { s = s * scale }
        if let cap { s = cap * C.tanh(s / cap) }
        scores[j] = s
      }
    }
    stages.store(part, .scale)
    guard isBiased else { return }
    for j in range where seen[j] && bias[j] != 0 && bias[j] != -.infinity {
      scores[j] = scores[j] + C(rounding: bias[j])
    }
    stages.store(part, .mask)
  }

  /// Σ q·k of the keys in `range`.
  private func multiply(_ range: Range<Int>) {
    guard let sums = products.baseAddress.map({ $0 + range.lowerBound }),
      let k = keys.baseAddress.map({ $0 + range.lowerBound })
    else { return }
    let stride = scores.count
    for j in 0..<range.count { sums[j] = .zero }
    for c in query.indices {
      let x = query[c]
      let row = k + c * stride
      for j in 0..<range.count { sums[j] = A.fusedMultiplyAdd(x, row[j], sums[j]) }
    }
  }

  /// The largest seen score in `range`; nil where none is seen.
  func largest(_ range: Range<Int>) -> C? {
    if isDense && !range.isEmpty { return C.maximum(UnsafeMutableBufferPointer(rebasing: scores[range])) }
    var m: C?
    for j in range where seen[j] { m = m.map { C.larger($0, scores[j]) } ?? scores[j] }
    return m
  }

  /// Puts e^(s − m) in place of the scores in `range`, 0 for what is hidden; returns the sum.
  func exponentials<S: Stages>(_ range: Range<Int>, less m: C?, from start: A, _ stages: inout S) -> A {
    let part = UnsafeMutableBufferPointer(rebasing: scores[range])
    if let m { for j in part.indices { part[j] = part[j] - m } }
    C.formExponentials(part)
    if !isDense { for j in range where !seen[j] { scores[j] = .zero } }
    var sum = start
    for j in range { sum = sum + A(converting: scores[j]) }
    stages.store(part, .exponential)
    return stages.store(sum, .sum)
  }

  /// A probability as it meets V.
  @inline(__always)
  func cast<P: Scalar>(_ p: C, to: P.Type) -> A {
    guard let spread else { return A(converting: P(converting: p)) }
    return A(converting: P(converting: p * spread.0)) * spread.1
  }

  /// Puts P where products were, if sums are in Float.
  func form<P: Scalar>(_ range: Range<Int>, in: P.Type) {
    if A.self == Float.self { for j in range { products[j] = cast(scores[j], to: P.self) } }
  }

  /// total += Σ P(pⱼ) vⱼ over `range`, which was formed.
  func weigh<P: Scalar>(_ range: Range<Int>, in: P.Type) {
    let width = total.count
    guard !range.isEmpty, let sums = total.baseAddress, let v = values.baseAddress else { return }
    let all = isDense || multipliesHidden
    if A.self == Float.self {
      seen.withMemoryRebound(to: UInt8.self) { seen in
        nc_attention_weigh_f32(
          floats(products.baseAddress) + range.lowerBound,
          all ? nil : seen.baseAddress.map { UnsafePointer($0 + range.lowerBound) },
          floats(v) + range.lowerBound * width, range.count, width, floats(sums))
      }
    } else {
      for j in range where all || seen[j] {
        let p = cast(scores[j], to: P.self)
        let row = v + j * width
        for c in 0..<width { sums[c] = A.fusedMultiplyAdd(p, row[c], sums[c]) }
      }
    }
  }

  /// m + log(sum), in the wider of the two formats: what kernels keep for the backward pass and for merging.
  func logSumExp<S: Stages>(_ m: C?, _ sum: A, _ stages: inout S) -> Double {
    if A.format.precision > C.format.precision {
      let log = A.log(sum)
      return stages.store(m.map { A(converting: $0) + log } ?? log, .logarithm).exact
    }
    let log = C(converting: A.log(sum))
    return stages.store(m.map { $0 + log } ?? log, .logarithm).exact
  }
}

/// Numbers of an accumulator that is Float.
@inline(__always)
func floats<A: Scalar>(_ p: UnsafeMutablePointer<A>?) -> UnsafeMutablePointer<Float> {
  UnsafeMutableRawPointer(p!).assumingMemoryBound(to: Float.self)
}
