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
  /// What pairs are asked for.
  private var wanted: OpenGradients
  /// The first tier, where it may answer, and the relative error that its values may have.
  private let tier0: BackwardTier0?
  private let accuracy: Double
  /// So many products pairs answer in seconds; what reports call exact is then so to its last digit.
  private static let fewProducts = 0x1p31

  /// Prepares to answer. Without the fast tiers MPFR answers all. `usesFirstTier` says whether answers in Double will do where they
  /// can; nil where the problem is so large that pairs would take long, and results are of at most 16 bits or so. Where `roundsOnly`
  /// values need tell no more than their roundings, and it begins there but for false.
  ///
  /// - Throws: `BackwardError` where something does not fit, is not finite or has no derivative here.
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, format: NumberFormat,
    overflow: Overflow = .special, usesFastTiers: Bool = true, usesFirstTier: Bool? = nil,
    roundsOnly: Bool = false
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
    let s = tensors.shape
    wanted = OpenGradients(s)
    let products =
      Double(s.heads * s.queries) * Double(s.keys) * Double(3 * s.headSize + 2 * s.valueSize)
    let isLarge = products > Self.fewProducts && format.significandBits < 23
    let isAsked = usesFastTiers && (usesFirstTier ?? (roundsOnly || isLarge)) && Tier0.target(format) != nil
    tier0 = isAsked ? BackwardTier0(s, parameters) : nil
    // Enough to tell a sign, where nothing else is asked.
    accuracy = roundsOnly ? 0x1p-10 : Tier0.accuracy(format)
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
    func reset() {
      Self.reset(&truth.q, head.rows, head.headSize)
      Self.reset(&truth.k, head.keys, head.headSize)
      Self.reset(&truth.v, head.keys, head.valueSize)
    }
    reset()
    let open = Tier0.target(format).flatMap { target in
      tier0?.answer(head, target, needed: accuracy, into: &truth)
    }
    if open == nil { reset() }
    wanted.set(open)
    if !wanted.isEmpty { answerInPairs(head, &truth) }
    guard overflow == .saturate else { return }
    for i in truth.q.indices { truth.q[i].saturate(format) }
    for i in truth.k.indices { truth.k[i].saturate(format) }
    for i in truth.v.indices { truth.v[i].saturate(format) }
  }

  /// Answers what is wanted by sums over all queries that have a part in it.
  private func answerInPairs(_ head: BackwardHead, _ truth: inout BackwardTruth) {
    pending = EnclosedBackward.Pending()
    keyColumns.reset(wanted.k.count * head.headSize)
    valueColumns.reset(wanted.v.count * head.valueSize)
    var hasNaN = false
    for row in 0..<head.rows where add(row, head, &truth) { hasNaN = true }
    func settle(
      _ rows: OpenRows, _ width: Int, _ columns: CompensatedColumns, _ truths: inout [Truth],
      _ pending: inout [Int]
    ) {
      for (slot, j) in rows.rows.enumerated() {
        for c in 0..<width where rows.isOpen(slot, c) {
          if hasNaN {
            truths[j].setKnown(.nan, at: c, format)
          } else if !self.settle(columns.result(slot * width + c, terms: head.rows), at: c, &truths[j]) {
            pending.append(j * width + c)
          }
        }
      }
    }
    settle(wanted.k, head.headSize, keyColumns, &truth.k, &pending.k)
    settle(wanted.v, head.valueSize, valueColumns, &truth.v, &pending.v)
    enclosed.answer(head, &pending, format, into: &truth)
  }

  /// Adds one query's share and answers its dQ; true where it spoils everything.
  private func add(_ row: Int, _ head: BackwardHead, _ truth: inout BackwardTruth) -> Bool {
    let own = wanted.q.slot(of: row)
    if own == nil && wanted.k.isEmpty && wanted.v.isEmpty { return false }
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
      for (slot, _) in wanted.v.rows.enumerated() {
        valueColumns.add(p, 0x1p-101 * p.high, gradient, head.valueSize, from: slot * head.valueSize)
      }
    case .level, .regular:
      if own == nil && !keys.contains(where: { wanted.hasPart(in: $0) }) { return false }
      weights.compute(kind, q, head.k, head.v, gradient)
      let (p, pError) = (weights.p.base, weights.pError.base)
      let (ds, dsError) = (weights.ds.base, weights.dsError.base)
      for (i, j) in keys.enumerated() {
        if let slot = wanted.v.slot(of: j) {
          valueColumns.add(p[i], pError[i], gradient, head.valueSize, from: slot * head.valueSize)
        }
        guard case .regular = kind else { continue }
        if own != nil { columns.add(ds[i], dsError[i], head.k + j * head.headSize, head.headSize, from: 0) }
        if let slot = wanted.k.slot(of: j) {
          keyColumns.add(ds[i], dsError[i], q, head.headSize, from: slot * head.headSize)
        }
      }
    }
    guard let own else { return false }
    for c in 0..<head.headSize
    where wanted.q.isOpen(own, c) && !settle(columns.result(c, terms: keys.count), at: c, &truth.q[row]) {
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

  /// Has `body` shown what the first tier finds, for tests to attack; false where there is none.
  package func watchFirstTier(
    _ body: @escaping (_ gradient: AttentionGradient, _ place: Int, _ value: Double, _ error: Double) -> Void
  ) -> Bool {
    tier0?.watch = body
    return tier0 != nil
  }

  private static func reset(_ truths: inout [Truth], _ count: Int, _ width: Int) {
    if truths.count != count { truths = Array(repeating: Truth(), count: count) }
    for i in truths.indices { truths[i].reset(count: width) }
  }
}
