import NumKitNumbers
import NumKitQuestions

/// The proven gradients of one key head, row by row.
public struct BackwardTruth: Sendable {
  /// dQ of each query of the heads that use the key head.
  public internal(set) var q: [Truth] = []
  /// dK of each key.
  public internal(set) var k: [Truth] = []
  /// dV of each key.
  public internal(set) var v: [Truth] = []

  /// Nothing.
  public init() {}

  /// One of the three.
  public subscript(gradient: AttentionGradient) -> [Truth] {
    switch gradient {
    case .dq: q
    case .dk: k
    case .dv: v
    }
  }

  /// What proved them.
  public var certificate: Certificate {
    var all = Certificate()
    for truth in q + k + v { all.merge(truth.certificate) }
    return all
  }
}

/// A key head's part of the tensors.
struct BackwardHead {
  let q: UnsafePointer<Double>
  let k: UnsafePointer<Double>
  let v: UnsafePointer<Double>
  let gradient: UnsafePointer<Double>
  let firstHead: Int
  let rows: Int
  let queries: Int
  let keys: Int
  let headSize: Int
  let valueSize: Int

  func head(of row: Int) -> Int { firstHead + row / queries }
}

/// The truth of attention's backward pass: with L = Σ dO·o,
///
///     dVⱼ = Σᵢ pᵢⱼ dOᵢ    dSᵢⱼ = pᵢⱼ (dOᵢ·vⱼ − Σₗ pᵢₗ dOᵢ·vₗ)    dQᵢ = scale Σⱼ cap′(sᵢⱼ) dSᵢⱼ kⱼ    dKⱼ = scale Σᵢ cap′(sᵢⱼ) dSᵢⱼ qᵢ
///
/// each rounded correctly, with digits enough to measure errors in ulps; dK and dV are sums over all query heads that use the key
/// head. Pairs with proven bounds decide most, MPFR enclosures the rest. One instance serves one thread.
///
/// A query that sees nothing has no gradient under policy `safe`, that of a mean under `uniform`, and makes dK and dV of its key head
/// NaN under `ieee`, as its probabilities are.
public final class BackwardReference {
  /// The inputs, taken exactly as they are.
  public let tensors: AttentionInputs
  /// dO [heads, queries, valueSize].
  public let gradient: [Double]
  /// What is asked of them.
  public let parameters: AttentionParameters
  /// What results are rounded to.
  public let format: NumberFormat
  /// What results too large are rounded to.
  public let overflow: Overflow

  private let usesFastTiers: Bool
  private let weights: BackwardWeights
  private lazy var enclosed = EnclosedBackward(weights)
  private let columns = CompensatedColumns()
  private let keyColumns = CompensatedColumns()
  private let valueColumns = CompensatedColumns()
  private var pending = EnclosedBackward.Pending()

  /// Prepares to answer. Without the fast tiers MPFR answers all.
  ///
  /// - Throws: `BackwardError` where something does not fit, is not finite or has no derivative here.
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, format: NumberFormat,
    overflow: Overflow = .special, usesFastTiers: Bool = true
  ) throws {
    if let fault = ArithmeticFault.here { throw fault }
    try Self.check(tensors, gradient, parameters)
    self.tensors = tensors
    self.gradient = gradient
    self.parameters = parameters
    self.format = format
    self.overflow = overflow
    self.usesFastTiers = usesFastTiers
    weights = BackwardWeights(AttentionScores(tensors, parameters))
  }

  /// Throws what is wrong with a question.
  static func check(_ tensors: AttentionInputs, _ gradient: [Double], _ parameters: AttentionParameters)
    throws
  {
    let s = tensors.shape
    guard gradient.count == s.heads * s.queries * s.valueSize, parameters.fits(s) else {
      throw BackwardError.unfit
    }
    guard parameters.isDifferentiable else { throw BackwardError.notDifferentiable }
    guard [tensors.q, tensors.k, tensors.v, gradient].allSatisfy({ $0.allSatisfy(\.isFinite) }),
      parameters.mask.additive.allSatisfy({ $0 < .infinity })
    else { throw BackwardError.notFinite }
  }

  /// Answers for one key head.
  ///
  /// - Precondition: `keyHead` is within the shape.
  public func answer(keyHead kv: Int, into truth: inout BackwardTruth) {
    let s = tensors.shape
    precondition(kv >= 0 && kv < s.keyHeads, "a key head there is")
    let rows = s.rows(ofKeyHead: kv)
    tensors.q.withUnsafeBufferPointer { q in
      tensors.k.withUnsafeBufferPointer { k in
        tensors.v.withUnsafeBufferPointer { v in
          gradient.withUnsafeBufferPointer { g in
            guard let q = q.baseAddress, let k = k.baseAddress, let v = v.baseAddress, let g = g.baseAddress
            else { return }
            let head = BackwardHead(
              q: q + rows.lowerBound * s.headSize, k: k + kv * s.keys * s.headSize,
              v: v + kv * s.keys * s.valueSize, gradient: g + rows.lowerBound * s.valueSize,
              firstHead: kv * s.group, rows: rows.count, queries: s.queries, keys: s.keys,
              headSize: s.headSize,
              valueSize: s.valueSize)
            answer(head, &truth)
          }
        }
      }
    }
  }

  private func answer(_ head: BackwardHead, _ truth: inout BackwardTruth) {
    Self.reset(&truth.q, head.rows, head.headSize)
    Self.reset(&truth.k, head.keys, head.headSize)
    Self.reset(&truth.v, head.keys, head.valueSize)
    pending = EnclosedBackward.Pending()
    keyColumns.reset(head.keys * head.headSize)
    valueColumns.reset(head.keys * head.valueSize)
    var hasNaN = false
    for row in 0..<head.rows where add(row, head, &truth) { hasNaN = true }
    for j in 0..<head.keys {
      for c in 0..<head.headSize {
        if hasNaN {
          truth.k[j].setKnown(.nan, at: c, format)
        } else if !settle(keyColumns.result(j * head.headSize + c, terms: head.rows), at: c, &truth.k[j]) {
          pending.k.append(j * head.headSize + c)
        }
      }
      for c in 0..<head.valueSize {
        if hasNaN {
          truth.v[j].setKnown(.nan, at: c, format)
        } else if !settle(valueColumns.result(j * head.valueSize + c, terms: head.rows), at: c, &truth.v[j]) {
          pending.v.append(j * head.valueSize + c)
        }
      }
    }
    enclosed.answer(head, &pending, format, into: &truth)
    guard overflow == .saturate else { return }
    for i in truth.q.indices { truth.q[i].saturate(format) }
    for i in truth.k.indices { truth.k[i].saturate(format) }
    for i in truth.v.indices { truth.v[i].saturate(format) }
  }

  /// Adds one query's share and answers its dQ; true where it spoils everything.
  private func add(_ row: Int, _ head: BackwardHead, _ truth: inout BackwardTruth) -> Bool {
    let (q, gradient) = (head.q + row * head.headSize, head.gradient + row * head.valueSize)
    let kind = weights.look(head: head.head(of: row), query: row % head.queries, head.v, gradient)
    let keys = weights.scores.profile.keys
    columns.reset(head.headSize)
    switch kind {
    case .nan:
      for c in 0..<head.headSize { truth.q[row].setKnown(.nan, at: c, format) }
      return true
    case .none: break
    case .uniform:
      let p = Pair(1) / Pair(Double(head.keys))
      for j in 0..<head.keys {
        valueColumns.add(p, 0x1p-101 * p.high, gradient, head.valueSize, from: j * head.valueSize)
      }
    case .level, .regular:
      weights.compute(kind, q, head.k, head.v, gradient)
      for (i, j) in keys.enumerated() {
        valueColumns.add(weights.p[i], weights.pError[i], gradient, head.valueSize, from: j * head.valueSize)
        guard case .regular = kind else { continue }
        let (ds, error) = (weights.ds[i], weights.dsError[i])
        columns.add(ds, error, head.k + j * head.headSize, head.headSize, from: 0)
        keyColumns.add(ds, error, q, head.headSize, from: j * head.headSize)
      }
    }
    for c in 0..<head.headSize where !settle(columns.result(c, terms: keys.count), at: c, &truth.q[row]) {
      if isLevel(c, keys, head) {
        truth.q[row].setKnown(0, at: c, format)
      } else {
        pending.q.append(row * head.headSize + c)
      }
    }
    return false
  }

  /// Whether all keys have one number there: Σ dSⱼ is 0 without a sink and a cap.
  private func isLevel(_ c: Int, _ keys: [Int], _ head: BackwardHead) -> Bool {
    guard let first = keys.first, parameters.softcap == nil, parameters.softmax.sink(head: 0) == nil else {
      return false
    }
    return keys.allSatisfy { head.k[$0 * head.headSize + c] == head.k[first * head.headSize + c] }
  }

  /// Whether a pair decides, or is 0 without an error.
  private func settle(_ sum: (Pair, error: Double), at i: Int, _ truth: inout Truth) -> Bool {
    if sum.0.high == 0 && sum.error == 0 {
      truth.setKnown(0, at: i, format)
      return true
    }
    return usesFastTiers && truth.accept(sum.0, sum.error, at: i, format)
  }

  private static func reset(_ truths: inout [Truth], _ count: Int, _ width: Int) {
    if truths.count != count { truths = Array(repeating: Truth(), count: count) }
    for i in truths.indices { truths[i].reset(count: width) }
  }
}
