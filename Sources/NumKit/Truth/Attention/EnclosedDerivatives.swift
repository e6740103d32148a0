import CMPFR
import NumKitQuestions

/// One query's probabilities and dS as enclosures whose signs survive however far apart scores are: section 13 of
/// Documentation/CertifiedReference.md.
final class EnclosedDerivatives {
  private let scores: AttentionScores
  private let enclosed: EnclosedAttention
  private let exact = ExactDot()
  private let exactScores: ExactScores
  private let registers = EnclosureStorage()
  /// Σ of the weights that are not the largest's, D, and passing values.
  private let wide = WideStorage()
  /// pⱼ of each place: keys, and behind them the sink.
  let probability = WideStorage()
  /// dSⱼ of each place, the scale and the cap's derivative in it; for a sink without the cap's.
  let derivative = WideStorage()
  /// Under a cap: dSⱼ with the cap's derivative of the largest weight's key in place of its own, the sink's too (0 for a largest
  /// sink), and which keys have that derivative.
  let anchored = WideStorage()
  private(set) var hasAnchorsSlope: [Bool] = []
  private let slope = WideStorage()
  /// p − 1/m of the m places that have the largest score, in which nothing cancels.
  let shortfall = WideStorage()
  /// The place of a largest weight, which places have the very same score, and how many.
  private(set) var anchor = 0
  private(set) var isTop: [Bool] = []
  private(set) var topCount = 1

  init(_ scores: AttentionScores, _ enclosed: EnclosedAttention) {
    self.scores = scores
    self.enclosed = enclosed
    exactScores = ExactScores(scores)
  }

  /// Computes p, and dS where it is not level.
  func compute(
    _ kind: BackwardWeights.Kind, _ head: BackwardHead, _ q: UnsafePointer<Double>,
    _ gradient: UnsafePointer<Double>, _ precision: Int
  ) {
    let n = scores.count
    enclosed.prepareScores(q, head.k, precision: precision)
    anchor = enclosed.anchor
    registers.reserve(6, precision: precision)
    wide.reserve(3, precision: precision)
    shortfall.reserve(1, precision: precision)
    for storage in [probability, derivative] { storage.reserve(n, precision: precision) }
    findTop(n, q, head.k)
    weigh(n)
    guard case .regular = kind else { return }
    differentiate(n, head, gradient)
    if let cap = scores.parameters.softcap { multiplyBySlopes(cap, n, head, q, precision) }
  }

  /// Which scores are the largest one exactly, of those that its enclosure cannot be told from.
  private func findTop(_ n: Int, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) {
    isTop = (0..<n).map { $0 == anchor }
    topCount = 1
    var top: ExactScore?
    for i in 0..<n where i != anchor {
      if nc_mpfr_cmp(enclosed.scoreStorage[i].upper, enclosed.scoreStorage[anchor].lower) < 0 {
        continue
      }
      let anchors = top ?? exactScores.score(anchor, q, k)
      top = anchors
      guard let anchors, exactScores.score(i, q, k) == anchors else { continue }
      isTop[i] = true
      topCount += 1
    }
  }

  /// p = e^(s − max)/(m + R), of the largest 1/(m + R) = 1/m − R/(m(m + R)).
  private func weigh(_ n: Int) {
    let (a, total) = (registers[0], registers[1])
    wide.setZero(0)
    for i in 0..<n where !isTop[i] {
      a.setDifference(enclosed.scoreStorage[i], enclosed.scoreStorage[anchor])
      probability.setExponential(i, of: a)
      wide.add(0, probability[i], probability.far[i])
    }
    wide.collapse(0, into: a)
    registers[2].set(topCount)
    total.setSum(registers[2], a)
    a.set(1)
    registers[3].setQuotient(a, positive: total)
    for i in 0..<n {
      if isTop[i] {
        probability[i].set(registers[3])
      } else {
        a.set(probability[i])
        probability[i].setQuotient(a, positive: total)
      }
    }
    a.setProduct(nonnegative: registers[2], total)
    shortfall[0].setQuotient(wide[0], positive: a)
    shortfall[0].negate()
    shortfall.setFar(0, wide.far[0])
  }

  /// dSⱼ = pⱼ(Eⱼ − D)·scale, E against the largest weight's product, D = Σ pE.
  private func differentiate(_ n: Int, _ head: BackwardHead, _ gradient: UnsafePointer<Double>) {
    let keys = scores.profile.keys
    let width = head.valueSize
    let (a, b, d) = (registers[0], registers[1], registers[2])
    func value(_ i: Int) -> UnsafePointer<Double>? { i < keys.count ? head.v + keys[i] * width : nil }
    exact.keep(gradient, value(anchor), width)
    wide.setZero(1)
    for i in 0..<n {
      if i == anchor {
        derivative.setZero(i)
        continue
      }
      exact.differenceFromKept(gradient, value(i), width, into: derivative[i])
      a.setProduct(nonnegative: probability[i], derivative[i])
      wide.add(1, a, probability.far[i])
    }
    wide.collapse(1, into: d)
    let scale = registers[3]
    setScale(head.headSize, into: scale)
    for i in 0..<n {
      var far = probability.far[i]
      if derivative[i].isExactZero {
        a.setNegated(wide[1])
        far = WideStorage.product(far, wide.far[1])
      } else {
        a.setDifference(derivative[i], d)
      }
      b.setProduct(nonnegative: probability[i], a)
      derivative[i].setProduct(nonnegative: scale, b)
      if scores.parameters.scale ?? 1 < 0 { derivative[i].negate() }
      derivative.setFar(i, far)
    }
  }

  /// The scale's magnitude.
  private func setScale(_ d: Int, into factor: Enclosure) {
    if let scale = scores.parameters.scale { return factor.set(scale.magnitude) }
    factor.setReciprocalSquareRoot(d)
  }

  /// Brings the cap's derivatives in.
  private func multiplyBySlopes(
    _ cap: Double, _ n: Int, _ head: BackwardHead, _ q: UnsafePointer<Double>, _ precision: Int
  ) {
    let keys = scores.profile.keys
    let d = head.headSize
    for storage in [slope, anchored] { storage.reserve(n, precision: precision) }
    hasAnchorsSlope = Array(repeating: false, count: n)
    for i in keys.indices { setSlope(i, cap, q, head.k + keys[i] * d, d) }
    if anchor < keys.count {
      exact.keep(q, head.k + keys[anchor] * d, d)
      for i in keys.indices { hasAnchorsSlope[i] = exact.isKeptMagnitude(q, head.k + keys[i] * d, d) }
    }
    for i in 0..<n {
      if anchor < keys.count {
        anchored[i].setProduct(nonnegative: slope[anchor], derivative[i])
        anchored.setFar(i, WideStorage.product(slope.far[anchor], derivative.far[i]))
      } else {
        anchored.setZero(i)
      }
      guard i < keys.count else { continue }
      registers[0].set(derivative[i])
      derivative[i].setProduct(nonnegative: slope[i], registers[0])
      derivative.setFar(i, WideStorage.product(slope.far[i], derivative.far[i]))
    }
  }

  /// 1 − tanh²(x/c) = 4t/(1 + t)² with t = e^(−2|x/c|) of the scaled score x: nothing cancels where the cap is reached.
  private func setSlope(
    _ i: Int, _ cap: Double, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ d: Int
  ) {
    let (a, b, t) = (registers[0], registers[1], registers[2])
    exact.dot(q, k, d, scale: 1, into: a)
    if nc_mpfr_sgn(a.lower) < 0 { a.negate() }
    setScale(d, into: b)
    t.setProduct(nonnegative: a, b)
    t.divide(by: cap / 2)
    t.negate()
    wide.setExponential(2, of: t)
    wide.collapse(2, into: a)
    b.set(1)
    t.setSum(a, b)
    b.setProduct(nonnegative: t, t)
    t.set(4)
    registers[4].setProduct(nonnegative: t, wide[2])
    slope[i].setQuotient(registers[4], positive: b)
    slope.setFar(i, wide.far[2])
  }
}
