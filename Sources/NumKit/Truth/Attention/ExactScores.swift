import NumKitQuestions

/// A score in normal form, so that two are one number exactly where all parts are equal.
///
/// Without a cap it is sign·√square + rest with a square that is no rational number's. If √A + b = √A′ + b′ for two such and
/// c = b′ − b ≠ 0, then √A′ = (A − A′ − c²)/2c were rational; so c = 0 and √A = √A′. With a cap it is c·tanh((sign·√square +
/// inner)/c) + rest, and two are equal only if both x and both biases are: tanh x/c = (E − 1)/(E + 1), E = e^(2x/c), and
/// c·tanh(x/c) − c·tanh(x′/c) rational but not 0 contradicts the linear independence of 1, E, E′ and EE′ over the algebraic
/// numbers, also where x or x′ is 0 or x + x′ is.
struct ExactScore: Comparable {
  var sign = 0
  var square = Rational.zero
  var inner = Rational.zero
  var rest: Rational

  /// An order that brings equal scores together; not that of the numbers.
  static func < (a: ExactScore, b: ExactScore) -> Bool {
    if a.sign != b.sign { return a.sign < b.sign }
    if a.square != b.square { return a.square < b.square }
    if a.inner != b.inner { return a.inner < b.inner }
    return a.rest < b.rest
  }
}

/// The scores of one query as exact numbers: rational, or with one square root (1/√d, norms).
final class ExactScores {
  private let scores: AttentionScores
  private let exact = ExactDot()
  private let register = EnclosureStorage()

  init(_ scores: AttentionScores) {
    self.scores = scores
    register.reserve(1, precision: ExactDot.precision)
  }

  /// a·b.
  func dot(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int) -> Rational {
    exact.dot(a, b, n, scale: 1, into: register[0])
    return Rational(register[0].lower)
  }

  /// The score at a place; nil where a norm is 0.
  func score(_ place: Int, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) -> ExactScore? {
    let profile = scores.profile
    guard place < profile.keys.count else { return ExactScore(rest: Rational(profile.sink ?? 0)) }
    let d = scores.tensors.shape.headSize
    guard let x = product(q, k + profile.keys[place] * d, d) else { return nil }
    var score = ExactScore(sign: x.sign, square: x.square, rest: Rational(profile.biases[place]))
    if scores.parameters.softcap == nil { score.rest = score.rest + x.inner } else { score.inner = x.inner }
    return score
  }

  /// The score at a place where there is neither norm nor cap, as an exponent to compute with.
  func exponent(_ place: Int, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>) -> Exponent {
    let profile = scores.profile
    let d = scores.tensors.shape.headSize
    guard place < profile.keys.count else { return Exponent(rest: Rational(profile.sink ?? 0), d) }
    let x = dot(q, k + profile.keys[place] * d, d)
    let bias = Rational(profile.biases[place])
    if let scale = scores.parameters.scale { return Exponent(rest: x * Rational(scale) + bias, d) }
    if let root = Rational(d).squareRoot { return Exponent(rest: x / root + bias, d) }
    return Exponent(root: x, rest: bias, d)
  }

  /// The scaled, normed product as ±√square + inner, of which one is 0.
  private func product(_ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ d: Int) -> (
    sign: Int, square: Rational, inner: Rational
  )? {
    let p = scores.parameters
    var x = dot(q, k, d)
    if let scale = p.scale { x = x * Rational(scale) }
    var divisor = Rational(1)
    if let norm = p.norm {
      // √(A/w) of each, A = Σ x² + wε.
      let width = norm.kind == .rms ? d : 1
      let floor = Rational(norm.epsilon) * Rational(width)
      let (a, b) = (dot(q, q, d) + floor, dot(k, k, d) + floor)
      guard !a.isZero, !b.isZero else { return nil }
      x = x * Rational(width)
      divisor = a * b
    }
    if p.scale == nil { divisor = divisor * Rational(d) }
    if x.isZero { return (0, .zero, x) }
    if let root = divisor.squareRoot { return (0, .zero, x / root) }
    return (x.sign, x.squared / divisor, .zero)
  }
}
