import NumKitNumbers
import NumKitQuestions

/// The truth of attention: each output and log-sum-exp of given queries, keys and values, rounded correctly, with digits enough to
/// measure errors in ulps. One instance serves one thread.
///
/// Scores, weights and weighted sums are pairs (double-doubles) with proven bounds; a result that they do not decide, because terms
/// cancel or it is beside a tie, is refined by MPFR enclosures. o is rational if over every group of equal scores the mean of v is
/// one number (see `AttentionGroups`), which it then is. The scale 1/√d is the real number.
///
/// A query that sees nothing answers by policy, its log-sum-exp is −∞ (with a sink: 0 and the sink's logit). A NaN among the scores
/// makes every result NaN, a score of +∞ does under policy `ieee`, else the keys that have it share the mass. A value that is not
/// finite makes its column infinite or NaN.
public final class AttentionReference {
  /// The inputs, taken exactly as they are.
  public let tensors: AttentionInputs
  /// What is asked of them.
  public let parameters: AttentionParameters
  /// What outputs are rounded to.
  public let format: NumberFormat
  /// What log-sum-exps are rounded to.
  public let lseFormat: NumberFormat
  /// What results too large, and exact infinities, are rounded to.
  public let overflow: Overflow

  private let usesFastTiers: Bool
  private let scores: AttentionScores
  private let sums = AttentionSums()
  private lazy var enclosed = EnclosedAttention(scores)
  private var pending: [Int] = []
  /// The columns that are asked for.
  private var wanted: [Int] = []
  /// The first tier, where it can answer anything.
  let tier0: AttentionTier0?
  let blocks = AttentionBlocks()
  private var unasked = Truth()
  /// A head as Doubles, where it is not held so: which it is, its keys, its values.
  private var widened = -1
  private let keyRoom = Buffer<Double>()
  private let valueRoom = Buffer<Double>()
  /// Whether values that errors are measured against may be those of the first tier.
  let answersInDouble: Bool
  /// So many products pairs answer in seconds; what reports call exact is then so to its last digit.
  private static let fewProducts = 0x1p31
  /// The relative error that values of the first tier may have.
  var accuracy: Double

  /// What the last query's attention looked like.
  public var profile: AttentionProfile {
    blocks.describe(self)
    return blocks.isOwn ? blocks.profile : scores.profile
  }

  /// Says which rows, head·queries + query, will be asked for one after the other: the first tier computes them together.
  func expect(_ rows: Range<Int>) { blocks.asked = rows }

  /// Prepares to answer. Without the fast tiers MPFR answers all. `usesFirstTier` says whether answers in Double will do where they
  /// can; nil where the problem is so large that pairs would take long. Roundings alone always begin there but for false.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit the tensors.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat = .f32, overflow: Overflow = .special, usesFastTiers: Bool = true,
    usesFirstTier: Bool? = nil
  ) throws {
    if let fault = ArithmeticFault.here { throw fault }
    guard parameters.fits(tensors.shape) else { throw UnfitAttention() }
    self.tensors = tensors
    self.parameters = parameters
    self.format = format
    self.lseFormat = lseFormat
    self.overflow = overflow
    self.usesFastTiers = usesFastTiers
    scores = AttentionScores(tensors, parameters)
    accuracy = Tier0.accuracy(format)
    let isNarrow = Tier0.target(format) != nil
    tier0 = usesFastTiers && usesFirstTier != false && isNarrow ? AttentionTier0(tensors, parameters) : nil
    let s = tensors.shape
    let products = Double(s.heads * s.queries) * Double(s.keys) * Double(s.headSize + s.valueSize)
    answersInDouble = usesFirstTier ?? (products > Self.fewProducts)
  }

  /// Answers for one query: its `valueSize` outputs.
  ///
  /// - Precondition: `head` and `query` are within the shape.
  public func answer(head: Int, query: Int, into truth: inout Truth) {
    unasked.reset(count: 1)
    // As good as known.
    unasked.certificate.exact = 1
    answer(head: head, query: query, into: &truth, logSumExp: &unasked, isAsked: false)
  }

  /// Answers for one query: its `valueSize` outputs and its log-sum-exp.
  ///
  /// - Precondition: `head` and `query` are within the shape.
  public func answer(head: Int, query: Int, into truth: inout Truth, logSumExp: inout Truth) {
    answer(head: head, query: query, into: &truth, logSumExp: &logSumExp, isAsked: true)
  }

  private func answer(
    head: Int, query: Int, into truth: inout Truth, logSumExp: inout Truth, isAsked: Bool
  ) {
    let shape = tensors.shape
    precondition(head >= 0 && head < shape.heads && query >= 0 && query < shape.queries, "a query there is")
    truth.reset(count: shape.valueSize)
    if isAsked { logSumExp.reset(count: 1) }
    let open = answerInDouble(head * shape.queries + query, &truth, &logSumExp)
    if let open, open.isEmpty, logSumExp.certificate.total == 1 { return }
    answerInPairs(head: head, query: query, columns: open, &truth, &logSumExp)
  }

  /// What the first tier leaves: the results of `columns` (nil for all), and the log-sum-exp if that is not known.
  func answerInPairs(
    head: Int, query: Int, columns: [Int]?, _ truth: inout Truth, _ logSumExp: inout Truth
  ) {
    let shape = tensors.shape
    wanted = columns ?? Array(0..<shape.valueSize)
    scores.look(head: head, query: query)
    let row = head * shape.queries + query
    tensors.numbers.q.withNumbers(row * shape.headSize..<(row + 1) * shape.headSize) { q in
      withHead(shape.keyHead(of: head)) { k, v in
        guard let q = q.baseAddress else { return }
        answer(q, k, v, &truth, &logSumExp)
      }
    }
    if overflow == .saturate {
      truth.saturate(format)
      logSumExp.saturate(lseFormat)
    }
  }

  /// A head's keys and values as Doubles.
  private func withHead(
    _ keyHead: Int, _ body: (UnsafePointer<Double>, UnsafePointer<Double>) -> Void
  ) {
    let shape = tensors.shape
    let keys = keyHead * shape.keys..<(keyHead + 1) * shape.keys
    func room(_ buffer: Buffer<Double>, _ width: Int) -> UnsafeMutablePointer<Double> {
      buffer.reserve(shape.keys * width)
      return buffer.base
    }
    func place(_ width: Int) -> Range<Int> { keys.lowerBound * width..<keys.upperBound * width }
    if widened == keyHead { return body(keyRoom.base, valueRoom.base) }
    tensors.numbers.k.pointer(place(shape.headSize), room: room(keyRoom, shape.headSize)) { k in
      tensors.numbers.v.pointer(place(shape.valueSize), room: room(valueRoom, shape.valueSize)) { v in
        if k == UnsafePointer(keyRoom.base), v == UnsafePointer(valueRoom.base) { widened = keyHead }
        body(k, v)
      }
    }
  }

  private func answer(
    _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ v: UnsafePointer<Double>, _ truth: inout Truth,
    _ lse: inout Truth
  ) {
    if hasSpecialScores {
      switch AttentionSpecials.scores(scores, q, k) {
      case .nan: return known(.nan, lse: .nan, &truth, &lse)
      case .infinite(let keys):
        if parameters.specialValues == .ieee { return known(.nan, lse: .infinity, &truth, &lse) }
        scores.keep { keys.contains(scores.profile.keys[$0]) }
        lse.setKnown(.infinity, at: 0, lseFormat)
        return average(scores.profile.keys, v, clipped: true, &truth)
      case .finite(let keys): scores.keep { keys.contains(scores.profile.keys[$0]) }
      }
    }
    if scores.profile.keys.isEmpty { return answerUnseen(v, &truth, &lse) }
    scores.compute(q, k)
    let isKnown = sums.weigh(scores)
    if !isKnown && scores.hasUndefinedNorm(q, k) { return known(.nan, lse: .nan, &truth, &lse) }
    let needsLSE = lse.certificate.total == 0
    if isKnown {
      let log = sums.logSumExp()
      scores.finish({ sums.probability($0) }, logSumExp: log?.0.high ?? .nan)
      fast(v, needsLSE ? log : nil, &truth, &lse)
    } else {
      pending = wanted
    }
    let stillNeedsLSE = lse.certificate.total == 0
    if pending.isEmpty && !stillNeedsLSE { return }
    pending.removeAll { c in settleSpecial(c, v, &truth) }
    enclosed.answer(
      q, k, v, columns: pending, needsLSE: stillNeedsLSE, formats: (format, lseFormat), into: &truth, &lse)
    if !isKnown { enclosed.describe() }
  }

  /// Tier 2; `pending` receives what it does not prove.
  private func fast(
    _ v: UnsafePointer<Double>, _ log: (Pair, error: Double)?, _ truth: inout Truth, _ lse: inout Truth
  ) {
    let width = tensors.shape.valueSize
    pending.removeAll(keepingCapacity: true)
    if !usesFastTiers {
      pending.append(contentsOf: wanted)
      return
    }
    if let log { _ = lse.accept(log.0, log.error, at: 0, lseFormat) }
    if case .clipped(let lower, let upper) = parameters.softmax { sums.clip(lower: lower, upper: upper) }
    sums.sum(v, scores, width: width, columns: wanted)
    for c in wanted {
      let (value, error) = sums.result(c, largest: tensors.largestValue)
      if tensors.isFinite.v || value.high.isFinite, truth.accept(value, error, at: c, format) { continue }
      pending.append(c)
    }
  }

  private var hasSpecialScores: Bool {
    !(tensors.isFinite.q && tensors.isFinite.k) || !scores.profile.biases.allSatisfy(\.isFinite)
  }

  /// A column with a value that is not finite, which has weight.
  private func settleSpecial(_ c: Int, _ v: UnsafePointer<Double>, _ truth: inout Truth) -> Bool {
    if tensors.isFinite.v { return false }
    // Clipping may have taken its weight.
    if case .clipped = parameters.softmax { return false }
    var sum = 0.0
    for j in scores.profile.keys where !v[j * tensors.shape.valueSize + c].isFinite {
      sum += v[j * tensors.shape.valueSize + c]
    }
    if sum == 0 { return false }
    truth.setKnown(sum, at: c, format)
    return true
  }

  private func known(_ value: Double, lse: Double, _ truth: inout Truth, _ log: inout Truth) {
    for c in 0..<tensors.shape.valueSize { truth.setKnown(value, at: c, format) }
    log.setKnown(lse, at: 0, lseFormat)
  }

  /// A query that sees no key.
  private func answerUnseen(_ v: UnsafePointer<Double>, _ truth: inout Truth, _ lse: inout Truth) {
    if let sink = scores.profile.sink { return known(0, lse: sink, &truth, &lse) }
    switch parameters.specialValues {
    case .ieee: known(.nan, lse: -.infinity, &truth, &lse)
    case .safe: known(0, lse: -.infinity, &truth, &lse)
    case .uniform:
      lse.setKnown(-.infinity, at: 0, lseFormat)
      average(Array(0..<tensors.shape.keys), v, clipped: false, &truth)
    }
  }

  /// What equal weights of `keys` make of their values, which is rational.
  private func average(_ keys: [Int], _ v: UnsafePointer<Double>, clipped: Bool, _ truth: inout Truth) {
    for c in 0..<tensors.shape.valueSize {
      let column = keys.map { v[$0 * tensors.shape.valueSize + c] }
      if column.allSatisfy(\.isFinite) {
        enclosed.level(column, clipped: clipped, at: c, format, into: &truth)
      } else {
        let isWeighted = !clipped || enclosed.hasLevelWeight(keys.count)
        truth.setKnown(
          isWeighted ? column.reduce(0) { $1.isFinite ? $0 : $0 + $1 } : .nan, at: c, format)
      }
    }
  }
}

/// What scores that are not finite make of a query.
enum AttentionSpecials {
  /// A score is NaN.
  case nan
  /// These keys' scores are +∞.
  case infinite(Set<Int>)
  /// These keys' scores are finite; the others' are −∞.
  case finite(Set<Int>)

  static func scores(_ s: AttentionScores, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) -> Self {
    let d = s.tensors.shape.headSize
    var infinite: Set<Int> = []
    var finite: Set<Int> = []
    for (place, j) in s.profile.keys.enumerated() {
      var score = 0.0
      for c in 0..<d where !(q[c].isFinite && k[j * d + c].isFinite) { score += q[c] * k[j * d + c] }
      if !score.isFinite {
        // ∞/∞ has no answer, and none is given to an infinite product under a cap.
        if s.parameters.norm != nil || s.parameters.softcap != nil { return .nan }
        score *= s.parameters.scale ?? 1
      }
      score += s.profile.biases[place]
      if score.isNaN { return .nan }
      if score == .infinity { infinite.insert(j) } else if score > -.infinity { finite.insert(j) }
    }
    return infinite.isEmpty ? .finite(finite) : .infinite(infinite)
  }
}
