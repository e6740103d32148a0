import CProof
import NumKitQuestions
import RealModule

/// The scores of one query as pairs (tier 2), each with a bound on its absolute error: products and sums of section 10 of
/// Documentation/CertifiedReference.md, scale, norm, cap and bias of section 12.
final class AttentionScores {
  let tensors: AttentionInputs
  let parameters: AttentionParameters
  /// The scale as a pair and its relative error.
  let factor: (Pair, error: Double)

  /// The visible keys' scores; a sink's logit stands behind them.
  let high = Buffer<Double>()
  let low = Buffer<Double>()
  let error = Buffer<Double>()
  private(set) var profile = AttentionProfile()
  /// Visible keys, and the sink's logit if there is one.
  private(set) var count = 0
  private(set) var head = 0
  private(set) var query = 0
  private var keyNorms: [(Pair, error: Double)] = []
  private var normedHead = -1

  init(_ tensors: AttentionInputs, _ parameters: AttentionParameters) {
    self.tensors = tensors
    self.parameters = parameters
    factor = Self.factor(parameters, headSize: tensors.shape.headSize)
  }

  /// What scores are multiplied by, a given scale or 1/√d, with its relative error; its high word is the factor correctly rounded.
  static func factor(_ parameters: AttentionParameters, headSize d: Int) -> (Pair, error: Double) {
    if let scale = parameters.scale { return (Pair(scale), 0) }
    let isPowerOfFour = d & (d - 1) == 0 && d.trailingZeroBitCount % 2 == 0
    return (Pair(1) / PairFunctions.squareRoot(Pair(Double(d))), isPowerOfFour ? 0 : 0x1p-100)
  }

  /// The head's part of a tensor.
  func row(_ x: UnsafePointer<Double>, _ index: Int, _ size: Int) -> UnsafePointer<Double> {
    x + index * size
  }

  /// Finds what the query sees.
  func look(head: Int, query: Int) {
    self.head = head
    self.query = query
    let shape = tensors.shape
    let mask = parameters.mask
    profile.keys.removeAll(keepingCapacity: true)
    profile.biases.removeAll(keepingCapacity: true)
    let sight = mask.sight(query: query, queries: shape.queries, keys: shape.keys)
    for range in [sight.ranges.0, sight.ranges.1] {
      for j in range {
        let b =
          mask.additive.isEmpty
          ? 0 : mask.bias(head: head, query: query, key: j, queries: shape.queries, keys: shape.keys)
        if b == -.infinity { continue }
        profile.keys.append(j)
        profile.biases.append(b)
      }
    }
    profile.sink = parameters.softmax.sink(head: head)
    profile.isRegular = false
    profile.hasMinusInfinity = false
    count = profile.keys.count + (profile.sink == nil ? 0 : 1)
  }

  /// Leaves out keys, for what an infinite score hides.
  func keep(where isKept: (Int) -> Bool) {
    let kept = profile.keys.indices.filter(isKept)
    profile.hasMinusInfinity = kept.count < profile.keys.count
    profile.keys = kept.map { profile.keys[$0] }
    profile.biases = kept.map { profile.biases[$0] }
    count = profile.keys.count + (profile.sink == nil ? 0 : 1)
  }

  /// Computes the scores from the query and its head's keys.
  func compute(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) {
    let d = tensors.shape.headSize
    for buffer in [high, low, error] { buffer.reserve(count) }
    profile.scores.removeAll(keepingCapacity: true)
    profile.magnitudes.removeAll(keepingCapacity: true)
    var factor = factor
    if let norm = parameters.norm {
      prepareNorms(k, norm)
      let own = Self.norm(q, d, norm)
      factor = (factor.0 / own.0, factor.error + own.error + 0x1p-100)
    }
    for (place, j) in profile.keys.enumerated() {
      let s = nc_dot2(q, k + j * d, d)
      var e = SumReference.dotError(s, d)
      var f = factor
      if parameters.norm != nil {
        f = (f.0 / keyNorms[j].0, f.error + keyNorms[j].error + 0x1p-100)
      }
      var x = Pair(s.high, s.low) * f.0
      let size = f.0.high.magnitude
      e = 1.01 * (e * size + x.high.magnitude * (f.error + 0x1p-100)) + 0x1p-1060
      if let cap = parameters.softcap { (x, e) = Self.capped(x, e, cap) }
      let bias = profile.biases[place]
      if bias != 0 {
        x = x + Pair(bias)
        e += 0x1p-100 * (x.high.magnitude + bias.magnitude)
      }
      high.base[place] = x.high
      low.base[place] = x.low
      error.base[place] = e
      profile.scores.append(x.high)
      profile.magnitudes.append(s.magnitude * size)
    }
    if let sink = profile.sink {
      high.base[count - 1] = sink
      low.base[count - 1] = 0
      error.base[count - 1] = 0
    }
  }

  /// Bits that the largest score has before the point, as far as the pairs know.
  var wholeBits: Int {
    (0..<count).reduce(0) { bits, i in
      let h = high.base[i]
      return Swift.max(bits, h.isFinite ? h.magnitude < 1 ? 0 : Int(h.exponent) + 1 : 3200)
    }
  }

  /// Hands the finished probabilities to the profile.
  func finish(_ probability: (Int) -> Double, logSumExp: Double) {
    profile.probabilities.removeAll(keepingCapacity: true)
    for place in profile.keys.indices { profile.probabilities.append(probability(place)) }
    profile.logSumExp = logSumExp
    profile.isRegular = true
  }

  /// c·tanh(s/c), from t = e^(−2|s/c|): (1 − t)/(1 + t) errs by less than an absolute 2⁻⁹⁶, tanh spreads no error.
  private static func capped(_ s: Pair, _ error: Double, _ cap: Double) -> (Pair, Double) {
    let x = s / Pair(cap)
    let negative = x.high < 0
    let magnitude = negative ? x : -x
    guard magnitude.high > -350 else {
      let y = magnitude.high.isNaN ? Double.nan : negative ? -cap : cap
      return (Pair(y), error + cap * 0x1p-900)
    }
    let (e, exponent) = PairFunctions.exp(Pair(2 * magnitude.high, 2 * magnitude.low))
    let t = Pair(
      Double(sign: .plus, exponent: exponent, significand: e.high),
      Double(sign: .plus, exponent: exponent, significand: e.low))
    let y = (Pair(1) + -t) / (Pair(1) + t) * Pair(cap)
    return (negative ? -y : y, error + cap * 0x1p-96)
  }

  /// Whether a norm that is seen is 0, which nothing can be divided by.
  func hasUndefinedNorm(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) -> Bool {
    guard let norm = parameters.norm, norm.epsilon == 0 else { return false }
    let d = tensors.shape.headSize
    func isZero(_ x: UnsafePointer<Double>) -> Bool { (0..<d).allSatisfy { x[$0] == 0 } }
    return isZero(q) || profile.keys.contains { isZero(k + $0 * d) }
  }

  private func prepareNorms(_ k: UnsafePointer<Double>, _ norm: QueryKeyNorm) {
    let kv = tensors.shape.keyHead(of: head)
    guard kv != normedHead else { return }
    normedHead = kv
    let d = tensors.shape.headSize
    keyNorms = (0..<tensors.shape.keys).map { Self.norm(k + $0 * d, d, norm) }
  }

  /// √(Σ x²/w + ε) and its relative error; infinite where nothing is known.
  private static func norm(_ x: UnsafePointer<Double>, _ d: Int, _ norm: QueryKeyNorm) -> (
    Pair, error: Double
  ) {
    let s = nc_dot2(x, x, d)
    let e = SumReference.dotError(s, d)
    var y = Pair(s.high, s.low)
    if norm.kind == .rms { y = y / Pair(Double(d)) }
    y = y + Pair(norm.epsilon)
    // Positive terms: their relative error is not larger afterwards.
    let relative = s.high > 0 ? e / s.high : norm.epsilon > 0 ? 0 : Double.infinity
    return (PairFunctions.squareRoot(y), 0.6 * relative + 0x1p-100)
  }
}

extension PairFunctions {
  /// √x for 2⁻⁹⁰⁰ < x < 2⁹⁰⁰ (and 0), relative error below 2⁻¹⁰²: one Newton step from the correctly rounded root (Lefèvre, Louvet,
  /// Muller, Picot, Rideau, "Accurate calculation of Euclidean norms using double-word arithmetic", ACM TOMS 49(1), 2023).
  static func squareRoot(_ x: Pair) -> Pair {
    let s = x.high.squareRoot()
    if s == 0 || !s.isFinite { return Pair(s) }
    let rest = (x.high.addingProduct(-s, s)) + x.low
    return Pair(fast: s, rest / (2 * s))
  }
}
