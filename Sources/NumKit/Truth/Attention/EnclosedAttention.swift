import CMPFR
import NumKitNumbers
import NumKitQuestions
import RealModule

/// The tier that answers what pairs leave open: one query's scores, weights and sums as MPFR enclosures, refined until they decide.
final class EnclosedAttention {
  private let scores: AttentionScores
  private let outputs: GroupedOutputs
  private let exact = ExactDot()
  private lazy var exactScores = ExactScores(scores)
  let scoreStorage = EnclosureStorage()
  let weightStorage = EnclosureStorage()
  private let registers = EnclosureStorage()
  private(set) var anchor = 0
  private var column: [Double] = []
  /// Where refinement gives up.
  static let precisionLimit = 1 << 13

  init(_ scores: AttentionScores) {
    self.scores = scores
    outputs = GroupedOutputs(scores, scores: scoreStorage, weights: weightStorage)
  }

  /// The bits to begin with where scores have so many before the point: enough to tell apart what differs by 2⁻¹²⁸.
  static func firstPrecision(_ wholeBits: Int) -> Int { 192 + (Swift.max(0, wholeBits - 32) + 63) / 64 * 64 }

  private var keyCount: Int { scores.profile.keys.count }
  private var rest: Enclosure { registers[0] }
  var sum: Enclosure { registers[1] }
  private func scratch(_ k: Int) -> Enclosure { registers[2 + k] }

  /// Answers for the `columns` of the outputs and, if asked, the log-sum-exp.
  func answer(
    _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ v: UnsafePointer<Double>, columns: [Int],
    needsLSE: Bool, formats: (NumberFormat, NumberFormat), into truth: inout Truth, _ lse: inout Truth
  ) {
    let width = scores.tensors.shape.valueSize
    var pending = columns
    // Equal values need no scores.
    pending.removeAll { c in
      guard let first = commonValue(v, c, width) else { return false }
      truth.setKnown(first, at: c, formats.0)
      return true
    }
    if !pending.isEmpty { outputs.find(q, k) }
    var needsLSE = needsLSE && !settleSingle(q, k, formats.1, &lse)
    var precision = Self.firstPrecision(scores.wholeBits)
    while !pending.isEmpty || needsLSE {
      let isLast = precision >= Self.precisionLimit
      prepare(q, k, precision: precision)
      if needsLSE {
        logSumExp(into: scratch(3))
        needsLSE = !decide(scratch(3), at: 0, formats.1, precision, isLast, &lse)
      }
      if !pending.isEmpty {
        let isKnown = outputs.prepare(largest: anchor, precision: precision)
        pending.removeAll { c in
          for j in 0..<keyCount { column.append(v[scores.profile.keys[j] * width + c]) }
          defer { column.removeAll(keepingCapacity: true) }
          guard column.allSatisfy(\.isFinite) else {
            return settleSpecial(c, v, isKnown, isLast, formats.0, &truth)
          }
          let isRational = isKnown && outputs.output(c, v, into: scratch(3))
          if !isKnown { clippedSum(into: scratch(3)) }
          return decide(scratch(3), at: c, formats.0, precision, isLast, &truth, isRational: isRational)
        }
      }
      precision *= 2
    }
  }

  /// Writes the profile from the last enclosures, where pairs could not.
  func describe() {
    let sizes = UnsafeMutableBufferPointer(start: scores.high.base, count: scores.count)
    let top = sizes.reduce(-Double.infinity) { $1 > $0 ? $1 : $0 }
    guard top.isFinite, sizes.allSatisfy({ !$0.isNaN }) else { return }
    let total = sizes.reduce(0) { $0 + Double.exp($1 - top) }
    scores.finish({ Double.exp(sizes[$0] - top) / total }, logSumExp: top + Double.log(total))
  }

  /// The mean of finite numbers, or what clipped equal weights make of them.
  func level(
    _ values: [Double], clipped: Bool, at i: Int, _ format: NumberFormat, into truth: inout Truth
  ) {
    registers.reserve(8, precision: 256)
    outputs.level(values, clipped: clipped, into: scratch(3))
    _ = decide(scratch(3), at: i, format, 256, true, &truth, isRational: true)
  }

  /// Whether n equal weights are more than 0 after clipping.
  func hasLevelWeight(_ n: Int) -> Bool { outputs.hasLevelWeight(n) }

  /// A column with values that are not finite, once it is known which weights clipping made 0.
  private func settleSpecial(
    _ c: Int, _ v: UnsafePointer<Double>, _ isKnown: Bool, _ isLast: Bool, _ format: NumberFormat,
    _ truth: inout Truth
  ) -> Bool {
    if isKnown {
      truth.setKnown(outputs.special(c, v), at: c, format)
    } else if isLast {
      truth.set(format.round(.nan), ScaledValue(high: .nan), at: c)
      truth.certificate.undecided += 1
    }
    return isKnown || isLast
  }

  // MARK: Rational results

  private var isClipped: Bool {
    if case .clipped = scores.parameters.softmax { return true }
    return false
  }

  /// The number that all values of a column are, if a sink does not move it.
  private func commonValue(_ v: UnsafePointer<Double>, _ c: Int, _ width: Int) -> Double? {
    let keys = scores.profile.keys
    let first = v[keys[0] * width + c]
    guard keys.allSatisfy({ v[$0 * width + c] == first }) else { return nil }
    let isMoved = scores.profile.sink != nil || isClipped
    return first == 0 ? 0 : isMoved ? nil : first
  }

  /// One key alone: its score, where that is rational.
  private func settleSingle(
    _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ format: NumberFormat, _ lse: inout Truth
  ) -> Bool {
    guard scores.count == 1, scores.profile.sink == nil, let score = exactScores.score(0, q, k),
      score.sign == 0, score.inner.isZero
    else { return false }
    registers.reserve(8, precision: 8000)
    scratch(5).set(score.rest)
    guard let y = scratch(5).rounded(to: format), let value = scratch(5).scaled(scratch: scratch(4))
    else { return false }
    lse.set(y, value, at: 0)
    lse.certificate.exact += 1
    return true
  }

  // MARK: Enclosures

  /// Scores and weights at a precision.
  func prepare(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, precision: Int) {
    let n = scores.count
    prepareScores(q, k, precision: precision)
    weightStorage.reserve(n, precision: precision)
    rest.set(0)
    for i in 0..<n where i != anchor {
      scratch(0).setDifference(scoreStorage[i], scoreStorage[anchor])
      weightStorage[i].setExponential(scratch(0))
      rest.add(weightStorage[i])
    }
    weightStorage[anchor].set(1)
    sum.setSum(rest, weightStorage[anchor])
  }

  /// Scores alone, and which is the largest.
  ///
  /// - Precondition: no norm is 0.
  func prepareScores(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, precision: Int) {
    let n = scores.count
    let d = scores.tensors.shape.headSize
    scoreStorage.reserve(n, precision: precision)
    registers.reserve(8, precision: precision)
    for place in 0..<keyCount {
      setScore(
        q, k + scores.profile.keys[place] * d, d, scores.profile.biases[place], into: scoreStorage[place])
    }
    if let sink = scores.profile.sink { scoreStorage[n - 1].set(sink) }
    anchor = 0
    for i in 1..<Swift.max(n, 1)
    where nc_mpfr_cmp(scoreStorage[i].upper, scoreStorage[anchor].upper) > 0 { anchor = i }
  }

  /// One division by one root, so that a score of few bits is found to be one.
  private func setScore(
    _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ d: Int, _ bias: Double, into result: Enclosure
  ) {
    let p = scores.parameters
    let (dot, factor, other) = (scratch(0), scratch(1), scratch(2))
    exact.dot(q, k, d, scale: 1, into: dot)
    if let scale = p.scale {
      if scale < 0 { dot.negate() }
      factor.set(scale.magnitude)
      other.setProduct(nonnegative: factor, dot)
    } else {
      other.set(dot)
    }
    if p.norm != nil || p.scale == nil {
      setDivisor(q, k, d, into: factor)
      dot.set(other)
      other.setQuotient(dot, positive: factor)
    }
    if let cap = p.softcap {
      other.divide(by: cap)
      other.takeTanh()
      other.multiply(by: cap)
    }
    factor.set(bias)
    result.setSum(other, factor)
  }

  /// What the product is divided by, √d and the norms in one: √(d·A_q·A_k)/w with A = Σ x² + wε. Overwrites scratch 3 to 5.
  private func setDivisor(
    _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ d: Int, into result: Enclosure
  ) {
    let (a, b, square) = (scratch(3), scratch(4), scratch(5))
    result.set(scores.parameters.scale == nil ? d : 1)
    if let norm = scores.parameters.norm {
      for x in [q, k] {
        b.set(norm.epsilon)
        square.setProduct(b, norm.kind == .rms ? d : 1)
        exact.dot(x, x, d, scale: 1, into: a)
        a.add(square)
        b.set(result)
        result.setProduct(nonnegative: a, b)
      }
    }
    result.takeSquareRoot()
    if scores.parameters.norm?.kind == .rms { result.divide(by: Double(d)) }
  }

  /// max s + log(1 + Σ of the others').
  private func logSumExp(into result: Enclosure) {
    scratch(0).setLogOnePlus(rest)
    result.setSum(scoreStorage[anchor], scratch(0))
  }

  /// Σ min(1, max(0, (upper − lower)p + lower)) v, where it is not known of each weight whether it is clipped.
  private func clippedSum(into result: Enclosure) {
    guard case .clipped(let lower, let upper) = scores.parameters.softmax else { return }
    let (a, b, stretch) = (scratch(0), scratch(1), scratch(2))
    result.set(0)
    stretch.setDifference(upper, lower)
    for i in 0..<keyCount {
      a.setQuotient(weightStorage[i], positive: sum)
      b.setProduct(nonnegative: stretch, a)
      a.set(lower)
      b.add(a)
      b.clamp()
      registers[6].set(column[i])
      a.setProduct(nonnegative: b, registers[6])
      result.add(a)
    }
  }

  /// Makes room to `decide` at a precision where no scores have been prepared.
  func reserve(precision: Int) { registers.reserve(8, precision: precision) }

  /// Whether an enclosure settles a result; at the limit it always does, decided or not.
  func decide(
    _ x: Enclosure, at i: Int, _ format: NumberFormat, _ precision: Int, _ isLast: Bool, _ truth: inout Truth,
    isRational: Bool = false
  ) -> Bool {
    truth.settle(
      x, at: i, format, precision: precision, isLast: isLast, isRational: isRational, scratch: registers[7])
  }
}
