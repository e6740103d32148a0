import NumKitKernels
import RealModule

/// A running bound on the error of a computed sum of positive terms, with the terms' own errors.
///
/// An addition â + b̂ rounded to nearest errs by at most u·(â + b̂), and by at most min(â, b̂), because â and b̂ are
/// themselves candidates (Jeannerod, Rump, "Improved error bounds for inner products in floating-point arithmetic", SIAM
/// J. Matrix Anal. Appl. 34(2), 2013, use the same fact). The second keeps a bound small where a few terms carry the sum,
/// however long the row.
struct SumErrors {
  let u: Double
  /// λ of a bound that may fail: roundings of additions are then taken to be random, each of mean zero whatever those before it were.
  /// nil for one that cannot.
  var confidence: Double?

  /// â + b̂, rounded.
  func adding(_ a: Computed, _ b: Computed) -> Computed {
    let exact = a.exact + b.exact
    let error = a.error + b.error
    return Computed(exact: exact, error: error + Swift.min(u * (exact + error), Swift.min(a.upper, b.upper)))
  }

  /// Σ of `count` terms in the order of `summation`.
  func sum(_ order: Summation, count: Int, _ term: (Int) -> Computed) -> Computed {
    guard count > 0 else { return Computed(exact: 0, error: 0) }
    if let confidence {
      return RandomSum(order, 0, count, self, term).computed(confidence)
    }
    switch order {
    case .sequential: return sequential(0, count, term)
    case .pairwise: return pairwise(0, count, term)
    }
  }

  private func sequential(_ start: Int, _ end: Int, _ term: (Int) -> Computed) -> Computed {
    var s = term(start)
    for i in start + 1..<Swift.max(end, start + 1) { s = adding(s, term(i)) }
    return s
  }

  private func pairwise(_ start: Int, _ end: Int, _ term: (Int) -> Computed) -> Computed {
    if end - start <= 8 { return sequential(start, end, term) }
    let middle = start + (end - start) / 2
    return adding(pairwise(start, middle, term), pairwise(middle, end, term))
  }
}

/// A sum as far as it has come, and how much of its error is that of its additions.
struct RunningSum {
  let u: Double
  private(set) var computed = Computed(exact: 0, error: 0)
  private(set) var additions = 0.0
  /// Σ cₖ² of `RandomSum`.
  private var squares = 0.0

  init(u: Double) { self.u = u }

  mutating func add(_ x: Computed) {
    let before = computed
    computed = SumErrors(u: u).adding(before, x)
    // As in `adding`: what is rounded, not what is left of a difference.
    let rounding = Swift.min(
      u * (before.exact + x.exact + (before.error + x.error)), Swift.min(before.upper, x.upper))
    additions += rounding
    squares += rounding * rounding
  }

  /// Adds another sum.
  mutating func add(_ other: RunningSum) {
    add(other.computed)
    additions += other.additions
    squares += other.squares
  }

  /// What its additions err by, exceeded with a probability of 2·e^(−λ²/2) at most where `confidence` is λ and roundings are random.
  func additions(_ confidence: Double?) -> Double {
    confidence.map { Swift.min(additions, $0 * squares.squareRoot()) } ?? additions
  }

  /// What additions come to in any order, relative to the sum, of terms that are not negative.
  mutating func round(by growth: Double) {
    let error = growth * computed.upper
    computed.error += error
    additions += error
  }
}

/// A sum whose additions' roundings are random: they are a martingale's differences, ρₖ with |ρₖ| ≤ cₖ, and nothing multiplies them, so
/// that by Azuma and Hoeffding |Σ ρₖ| > λ·√Σ cₖ² with a probability of 2·e^(−λ²/2) at most (Higham, Mary, "A new approach to
/// probabilistic rounding error analysis", SIAM J. Sci. Comput. 41(5), 2019; as a martingale: Connolly, Higham, Mary, ibid. 43(1), 2021).
private struct RandomSum {
  private var exact: Double
  /// Errors of the terms, which are not taken to be random.
  private var terms: Double
  /// Σ cₖ, which cannot be exceeded, and Σ cₖ².
  private var largest = 0.0
  private var squares = 0.0

  private init(_ term: Computed) {
    exact = term.exact
    terms = term.error
  }

  init(_ order: Summation, _ start: Int, _ end: Int, _ errors: SumErrors, _ term: (Int) -> Computed) {
    if order == .sequential || end - start <= 8 {
      self.init(term(start))
      for i in start + 1..<Swift.max(end, start + 1) { add(RandomSum(term(i)), errors.u) }
    } else {
      let middle = start + (end - start) / 2
      self.init(order, start, middle, errors, term)
      add(RandomSum(order, middle, end, errors, term), errors.u)
    }
  }

  private var upper: Double { exact + terms + largest }

  private mutating func add(_ other: RandomSum, _ u: Double) {
    let c = Swift.min(u * (upper + other.upper), Swift.min(upper, other.upper))
    exact += other.exact
    terms += other.terms
    largest += other.largest + c
    squares += other.squares + c * c
  }

  func computed(_ confidence: Double) -> Computed {
    Computed(exact: exact, error: terms + Swift.min(largest, confidence * squares.squareRoot()))
  }
}
