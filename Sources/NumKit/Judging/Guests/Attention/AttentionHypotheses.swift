import NumKitNumbers
import NumKitQuestions
import NumKitTruth
import RealModule

/// A family of wrong questions about attention.
public protocol AttentionHypotheses: Sendable {
  /// Those that differ from what was asked.
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?]
}

/// What kernels of attention get wrong: one line a family.
public enum AttentionHypothesisRegistry {
  /// Other questions.
  public static let families: [any AttentionHypotheses.Type] = [
    ScoreScaleHypotheses.self,
    CausalHypotheses.self,
    MaskHypotheses.self,
    WindowHypotheses.self,
    SoftmaxHypotheses.self,
    HeadHypotheses.self,
    KeyHypotheses.self,
    NarrowInputs.self,
  ]

  /// All that may be wrong where this was asked.
  static func suspects(
    _ verification: AttentionVerification, _ results: any ResultSource<AttentionForward>
  ) -> Suspects<AttentionForward> {
    var suspects = Suspects<AttentionForward>()
    let (format, parameters) = (verification.format, verification.parameters)
    suspects.signs = {
      [
        NarrowResultSign<AttentionForward>(format), UnshiftedSign(parameters, format), CutOutputSign(format),
      ]
    }
    let context = AttentionContext(verification.tensors, parameters, format)
    suspects.alternatives =
      families.map { family in
        { @Sendable in
          family.alternatives(context).compactMap { $0.flatMap { verification.alternative($0, results) } }
        }
      } + [
        { verification.alternatives(AttentionSlipRegistry.slips(context)) },
        { verification.shorter },
      ]
    suspects.forEachPair = { body in
      guard context.shape.queries * context.shape.keys <= mostOfPairs else { return }
      for (k, family) in families.enumerated() {
        for first in family.alternatives(context) {
          guard let first, first.number == nil else { continue }
          // The second of what the first made of the question.
          let then = AttentionContext(first.tensors, first.parameters, format)
          for second in families[(k + 1)...].flatMap({ $0.alternatives(then) }) {
            guard let second else { continue }
            let both = OtherAttention(
              name: "\(first.name) and \(second.name)", tensors: second.tensors,
              parameters: second.parameters, number: second.number)
            if let pair = verification.alternative(both, results) { try body(pair) }
          }
        }
      }
    }
    return suspects
  }

  /// The most scores of a head for which pairs are tried: each may hold a mask of its own.
  private static let mostOfPairs = 1 << 22
}

/// Another question about attention, forward or backward.
public struct OtherAttention: Sendable {
  /// What the kernel got wrong, that answers it.
  public let name: String
  /// Of what it is asked.
  public let tensors: AttentionInputs
  /// What is asked.
  public let parameters: AttentionParameters
  /// Whose answer stands where a query's ought to, as head·queries + query; nil for its own.
  public var number: (@Sendable (_ head: Int, _ query: Int) -> Int)?
}

/// Scores multiplied by something else.
enum ScoreScaleHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let d = Double(context.shape.headSize)
    let asked = context.parameters.scale ?? 1 / d.squareRoot()
    let scales: [(String, Double)] = [
      ("scale missing", 1), ("scale squared", asked * asked), ("scale 1/d", 1 / d),
      ("scale 1/sqrt(d)", 1 / d.squareRoot()), ("scale multiplied by d", asked * d),
      ("divided by the scale", 1 / asked), ("base 2 instead of e", asked * Double.log(2)),
      ("log2 e multiplied twice", asked / Double.log(2)),
    ]
    return scales.filter { ($0.1 - asked).magnitude > 1e-6 * asked.magnitude }.map { name, scale in
      context.alternative(name) { $0.scale = scale }
    }
  }
}

/// The causal diagonal elsewhere.
enum CausalHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let (p, shape) = (context.parameters, context.shape)
    guard p.mask.causal else {
      return [
        context.alternative("causal, though not asked for") { $0.mask.causal = true },
        context.alternative("causal, aligned top-left, though not asked for") {
          $0.mask.causal = true
          $0.mask.alignment = .topLeft
        },
      ]
    }
    var list = [context.alternative("causal mask ignored") { $0.mask.causal = false }]
    if shape.queries != shape.keys {
      let isTop = p.mask.alignment == .topLeft
      list.append(
        context.alternative("causal, aligned \(isTop ? "bottom-right" : "top-left")") {
          $0.mask.alignment = isTop ? .bottomRight : .topLeft
        })
    }
    // One key more: no causal mask, but a window that ends one key after one's own.
    if p.mask.left == nil && p.mask.right == nil && p.mask.sinks == 0 {
      list.append(
        context.alternative("causal mask one key too far right") {
          $0.mask.causal = false
          $0.mask.right = 1
        })
    }
    let offset = p.mask.alignment == .bottomRight ? shape.keys - shape.queries : 0
    list.append(
      masked(context, "causal mask one key too far left") { _, i, j in j >= i + offset ? -.infinity : 0 })
    for (name, own) in [
      ("causal mask inverted", 0), ("causal mask inverted, but for the query's own key", 1),
    ] {
      list.append(
        masked(context, name) {
          $0.mask.causal = false
        } _: { _, i, j in
          j <= i + offset - own ? -.infinity : 0
        })
    }
    return list
  }

  /// With an additive mask besides.
  private static func masked(
    _ context: AttentionContext, _ name: String, _ change: (inout AttentionParameters) -> Void = { _ in },
    _ more: (Int, Int, Int) -> Double
  ) -> OtherAttention? {
    let shape = context.shape
    guard shape.queries * shape.keys <= 1 << 20 else { return nil }
    let own = context.parameters.mask.additive
    let each = shape.queries * shape.keys
    let mask = context.additive { h, i, j in
      let place = (own.count > each ? h * each : 0) + i * shape.keys + j
      return (own.isEmpty ? 0 : own[place]) + more(h, i, j)
    }
    return context.alternative(name) {
      change(&$0)
      $0.mask.additive = mask
    }
  }
}

/// The additive mask otherwise.
enum MaskHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let own = context.parameters.mask.additive
    guard !own.isEmpty else { return [] }
    let shape = context.shape
    var list = [context.alternative("mask ignored") { $0.mask.additive = [] }]
    func with(_ name: String, _ other: [Double]) {
      list.append(context.alternative(name) { $0.mask.additive = other })
    }
    with("mask subtracted", own.map { -$0 }.map { $0 == .infinity ? -.infinity : $0 })
    if own.allSatisfy({ $0 == 0 || $0 == -.infinity }) {
      with("mask inverted", own.map { $0 == 0 ? -.infinity : 0 })
      with("mask added as 0 and 1", own.map { $0 == 0 ? 1 : 0 })
      with("mask added as 1 and 0, inverted", own.map { $0 == 0 ? 0 : 1 })
      with("a finite -1e4 in place of the mask's infinity", own.map { $0 == 0 ? 0 : -1e4 })
    }
    let (n, m) = (shape.queries, shape.keys)
    func moved(_ step: Int) -> [Double] {
      own.indices.map { place in
        let j = place % m + step
        return (0..<m).contains(j) ? own[place + step] : 0
      }
    }
    with("mask one key too far right", moved(-1))
    with("mask one key too far left", moved(1))
    if n == m {
      with(
        "mask transposed",
        own.indices.map { place in
          let (head, rest) = (place / (n * m), place % (n * m))
          return own[head * n * m + rest % m * m + rest / m]
        })
    }
    if own.count > n * m {
      with("the first head's mask for every head", Array(own[..<(n * m)]))
    }
    return list
  }
}

/// The window, its sinks and the padding otherwise.
enum WindowHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let mask = context.parameters.mask
    var list: [OtherAttention?] = []
    if let left = mask.left {
      list.append(context.alternative("window one key too long") { $0.mask.left = left + 1 })
      if left > 0 { list.append(context.alternative("window one key too short") { $0.mask.left = left - 1 }) }
    }
    if let right = mask.right {
      list.append(context.alternative("window one key too far right") { $0.mask.right = right + 1 })
      if right > 0 {
        list.append(context.alternative("window ends one key early") { $0.mask.right = right - 1 })
      }
    }
    if mask.left != nil || mask.right != nil {
      list.append(
        context.alternative("window ignored") {
          $0.mask.left = nil
          $0.mask.right = nil
        })
    }
    if mask.sinks > 0 {
      list.append(context.alternative("sinks left out") { $0.mask.sinks = 0 })
      list.append(context.alternative("one sink too few") { $0.mask.sinks = mask.sinks - 1 })
    }
    if let length = mask.length {
      list.append(context.alternative("padding keys counted") { $0.mask.length = nil })
      if length < context.shape.keys {
        list.append(context.alternative("one padding key counted") { $0.mask.length = length + 1 })
      }
    }
    return list
  }
}

/// The cap, the norm, the softmax itself otherwise.
enum SoftmaxHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let p = context.parameters
    var list: [OtherAttention?] = []
    if p.softcap != nil { list.append(context.alternative("softcap missing") { $0.softcap = nil }) }
    if p.norm != nil {
      list.append(context.alternative("norm of queries and keys missing") { $0.norm = nil })
    }
    if p.softmax != .plain {
      list.append(context.alternative("sinks left out of the softmax") { $0.softmax = .plain })
    }
    if case .sink(let logits) = p.softmax, logits.count > 1 {
      list.append(
        context.alternative("the first head's sink for every head") { $0.softmax = .sink([logits[0]]) })
    }
    for policy in SpecialValues.allCases where policy != p.specialValues {
      list.append(
        context.alternative(
          policy == .uniform
            ? "a finite sentinel leaks: queries that see nothing see all alike"
            : "queries that see nothing by policy '\(policy.rawValue)'"
        ) { $0.specialValues = policy })
    }
    return list
  }
}

/// Another head's queries, keys or answers.
enum HeadHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    let (shape, t) = (context.shape, context.tensors)
    var list: [OtherAttention?] = []
    // Batches stand among the heads; how many there are is not said.
    for batches in 1...shape.keyHeads where shape.keyHeads % batches == 0 && shape.heads % batches == 0 {
      let (h, kv) = (shape.heads / batches, shape.keyHeads / batches)
      let each = batches == 1 ? "" : ", \(batches) batches"
      if kv > 1 {
        list.append(
          keys(context, "kv heads in reverse order\(each)") { $0 / h * kv + kv - 1 - $0 % h * kv / h })
      }
      if kv == h { continue }
      if kv > 1 { list.append(keys(context, "kv head h mod Hkv\(each)") { $0 / h * kv + $0 % h % kv }) }
      list.append(keys(context, "the first kv head for every head\(each)") { $0 / h * kv })
    }
    if shape.heads > 1 {
      func rows(_ name: String, _ other: @escaping @Sendable (Int, Int) -> Int) {
        list.append(context.answers(name, of: other))
      }
      let n = shape.queries
      rows("heads swapped in pairs") { h, i in ((h ^ 1) < shape.heads ? h ^ 1 : h) * n + i }
      rows("heads in reverse order") { h, i in (shape.heads - 1 - h) * n + i }
      if n > 1 { rows("heads and tokens transposed") { h, i in i * shape.heads + h } }
    }
    if shape.queries > 1 {
      list.append(
        context.alternative(
          "stale: the answer of the query before",
          tensors: AttentionInputs(
            q: shifted(t.q, shape.queries, shape.headSize), k: t.k, v: t.v, shape: shape)))
    }
    if shape.headSize == shape.valueSize {
      list.append(
        context.alternative(
          "keys and values swapped", tensors: AttentionInputs(q: t.q, k: t.v, v: t.k, shape: shape)))
    }
    return list
  }

  /// With the keys and values of other heads.
  private static func keys(_ context: AttentionContext, _ name: String, _ head: (Int) -> Int)
    -> OtherAttention?
  {
    var shape = context.shape
    let t = context.tensors
    func gathered(_ x: [Double], _ size: Int) -> [Double] {
      (0..<shape.heads).flatMap { h in
        let start = head(h) * shape.keys * size
        return x[start..<start + shape.keys * size]
      }
    }
    let (k, v) = (gathered(t.k, shape.headSize), gathered(t.v, shape.valueSize))
    shape.keyHeads = shape.heads
    return context.alternative(name, tensors: AttentionInputs(q: t.q, k: k, v: v, shape: shape))
  }

  /// Each head's queries one further; the first stays.
  private static func shifted(_ q: [Double], _ queries: Int, _ size: Int) -> [Double] {
    let each = queries * size
    return stride(from: 0, to: q.count, by: each).flatMap { start in
      q[start..<start + size] + q[start..<start + each - size]
    }
  }
}

/// Results of rows of another number.
struct OtherRows: ResultSource {
  typealias Q = AttentionForward
  let source: any ResultSource<AttentionForward>
  let number: @Sendable (_ head: Int, _ query: Int) -> Int

  func results(
    of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>
  ) throws {
    var other = item
    other.row = number(item.head, item.query)
    try source.results(of: other, into: results)
  }
}

/// Numbers of queries and keys, and keys, that are left out.
enum KeyHypotheses: AttentionHypotheses {
  static func alternatives(_ context: AttentionContext) -> [OtherAttention?] {
    products(context) + keys(context)
  }

  /// A score is a sum of products too.
  private static func products(_ context: AttentionContext) -> [OtherAttention?] {
    let (shape, t) = (context.shape, context.tensors)
    let d = shape.headSize
    return SumHypotheses.tails(d).map { k in
      let q = t.q.indices.map { $0 % d < d - k ? t.q[$0] : 0 }
      return context.alternative(
        "last \(k == 1 ? "product" : "\(k) products") of each score left out",
        tensors: AttentionInputs(q: q, k: t.k, v: t.v, shape: shape))
    }
  }

  private static func keys(_ context: AttentionContext) -> [OtherAttention?] {
    let shape = context.shape
    guard context.parameters.mask.length == nil, !context.parameters.mask.causal else { return [] }
    return SumHypotheses.tails(shape.keys).map { k in
      context.alternative(k == 1 ? "last key left out" : "last \(k) keys left out") {
        $0.mask.length = shape.keys - k
      }
    }
  }
}
