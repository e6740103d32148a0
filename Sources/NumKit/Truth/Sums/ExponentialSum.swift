/// An exact exponent root/√d + rest, where root = 0 unless √d is irrational.
struct Exponent: Comparable {
  let root: Rational
  let rest: Rational
  private let d: Int

  init(root: Rational = .zero, rest: Rational, _ d: Int) {
    self.root = root
    self.rest = rest
    self.d = d
  }

  static func + (a: Exponent, b: Exponent) -> Exponent {
    Exponent(root: a.root.isZero ? b.root : a.root + b.root, rest: a.rest + b.rest, a.d)
  }

  static func - (a: Exponent, b: Exponent) -> Exponent {
    Exponent(root: a.root - b.root, rest: a.rest - b.rest, a.d)
  }

  static func == (a: Exponent, b: Exponent) -> Bool { a.root == b.root && a.rest == b.rest }

  static func < (a: Exponent, b: Exponent) -> Bool {
    let difference = b - a
    let (x, y) = (difference.root.sign, difference.rest.sign)
    if x == 0 || y == 0 || x == y { return x + y > 0 }
    // root/√d against −rest, by their squares.
    let larger = difference.root.squared > difference.rest.squared * Rational(a.d)
    return (larger ? x : y) > 0
  }

  var isZero: Bool { root.isZero && rest.isZero }

  /// Overwrites `scratch`.
  func enclose(into result: Enclosure, scratch: Enclosure) {
    result.set(rest)
    if root.isZero { return }
    // √(root²/d), one rounding each way.
    scratch.set(root.squared / Rational(d))
    scratch.takeSquareRoot()
    if root.sign < 0 { scratch.negate() }
    result.add(scratch)
  }
}

/// Σ c·e^x with distinct exact exponents x, the largest first, and exact coefficients c ≠ 0. By Lindemann–Weierstrass it is 0 only
/// if it has no terms.
struct ExponentialSum {
  typealias Term = (exponent: Exponent, coefficient: Rational)
  private(set) var terms: [Term]

  /// Sorts terms and adds those of one exponent.
  init(_ given: [Term]) {
    terms = []
    terms.reserveCapacity(given.count)
    for term in given.sorted(by: { $0.exponent > $1.exponent }) {
      if let last = terms.last, last.exponent == term.exponent {
        terms[terms.count - 1].coefficient = last.coefficient + term.coefficient
      } else {
        terms.append(term)
      }
    }
    terms.removeAll { $0.coefficient.isZero }
  }

  var lead: Term? { terms.first }

  func squared() -> ExponentialSum {
    var products: [Term] = []
    products.reserveCapacity(terms.count * (terms.count + 1) / 2)
    for (i, a) in terms.enumerated() {
      products.append((a.exponent + a.exponent, a.coefficient.squared))
      for b in terms[(i + 1)...] {
        let product = a.coefficient * b.coefficient
        products.append((a.exponent + b.exponent, product + product))
      }
    }
    return ExponentialSum(products)
  }

  static func + (a: ExponentialSum, b: ExponentialSum) -> ExponentialSum { ExponentialSum(a.terms + b.terms) }

  static func * (a: ExponentialSum, b: ExponentialSum) -> ExponentialSum {
    var products: [Term] = []
    products.reserveCapacity(a.terms.count * b.terms.count)
    for x in a.terms {
      for y in b.terms { products.append((x.exponent + y.exponent, x.coefficient * y.coefficient)) }
    }
    return ExponentialSum(products)
  }

  /// self − c·e^x·other.
  func subtracting(_ c: Rational, _ x: Exponent, times other: ExponentialSum) -> ExponentialSum {
    ExponentialSum(terms + other.terms.map { ($0.exponent + x, -(c * $0.coefficient)) })
  }

  static func == (a: ExponentialSum, b: ExponentialSum) -> Bool {
    a.terms.count == b.terms.count
      && zip(a.terms, b.terms).allSatisfy { $0.coefficient == $1.coefficient && $0.exponent == $1.exponent }
  }

  /// Adds the sum to number `i` of `wide`. Overwrites `scratch`, of which there are four, and the wide number behind `i`.
  func add(to i: Int, of wide: WideStorage, scratch: (Int) -> Enclosure) {
    for term in terms {
      term.exponent.enclose(into: scratch(0), scratch: scratch(1))
      wide.setExponential(i + 1, of: scratch(0))
      scratch(1).set(term.coefficient)
      scratch(2).setProduct(nonnegative: wide[i + 1], scratch(1))
      wide.add(i, scratch(2), wide.far[i + 1])
    }
  }
}

/// Σ N/P^k over fractions of exponential sums, P beginning with e⁰ and N with nothing larger: what gradients are, exactly.
///
/// Long division in falling exponents, over all fractions at once, shows the rational part (the coefficient of e⁰) and the first
/// exponent that does not cancel, after which an enclosure of what is left has a sign. If all remainders vanish the sum is
/// rational. Where fractions of different P cancel in term after term (`combined`) one fraction of them all shows it.
struct ExponentialFractions {
  struct Fraction {
    var numerator: ExponentialSum
    let denominator: ExponentialSum
    let power: Int
    private var expanded: ExponentialSum?

    init(_ numerator: ExponentialSum, _ denominator: ExponentialSum, power: Int) {
      self.numerator = numerator
      self.denominator = denominator
      self.power = power
    }

    /// The first term of the quotient: a coefficient; its exponent is the numerator's.
    var quotient: Rational {
      guard let n = numerator.lead, let p = denominator.lead else { return .zero }
      return power == 2 ? n.coefficient / p.coefficient.squared : n.coefficient / p.coefficient
    }

    /// P^k.
    var divisor: ExponentialSum { power == 2 ? denominator.squared() : denominator }

    /// Takes the first term of the quotient away.
    mutating func divide() {
      guard let lead = numerator.lead else { return }
      let whole = expanded ?? divisor
      expanded = whole
      numerator = numerator.subtracting(quotient, lead.exponent, times: whole)
    }
  }

  private(set) var fractions: [Fraction]
  /// The coefficient of e⁰.
  private(set) var whole = Rational.zero
  /// Where division gives up.
  private static let stepLimit = 64

  init(_ fractions: [Fraction]) { self.fractions = fractions.filter { $0.numerator.lead != nil } }

  /// Whether nothing but the whole is left.
  var isRational: Bool { fractions.isEmpty }

  /// Divides until the whole is known and what is left begins with a term that does not cancel; false where none was found.
  mutating func divide() -> Bool {
    for _ in 0..<Self.stepLimit {
      guard let top = fractions.compactMap(\.numerator.lead?.exponent).max() else { return true }
      let leading = fractions.indices.filter { fractions[$0].numerator.lead?.exponent == top }
      let coefficient = leading.reduce(Rational.zero) { $0 + fractions[$1].quotient }
      if top.isZero { whole = coefficient } else if !coefficient.isZero { return true }
      for i in leading { fractions[i].divide() }
      fractions.removeAll { $0.numerator.lead == nil }
    }
    return false
  }

  /// The same as one fraction N/D, D the product of all P^k; nil where that takes more than `limit` products of terms. Division then
  /// ends: N either is the whole's times D, or has a first term that is not.
  func combined(limit: Int) -> ExponentialFractions? {
    var products = 0
    /// Whether there is room for so many more.
    func take(_ a: Int, _ b: Int) -> Bool {
      products += a * b
      return products <= limit
    }
    guard var numerator = fractions.first?.numerator, let first = fractions.first,
      take(first.denominator.terms.count, first.denominator.terms.count)
    else { return nil }
    var denominator = first.divisor
    for fraction in fractions.dropFirst() {
      guard take(fraction.denominator.terms.count, fraction.denominator.terms.count) else { return nil }
      let divisor = fraction.divisor
      let (n, d) = (numerator.terms.count + denominator.terms.count, divisor.terms.count)
      guard take(n, d), take(fraction.numerator.terms.count, denominator.terms.count) else { return nil }
      numerator = numerator * divisor + fraction.numerator * denominator
      denominator = denominator * divisor
    }
    return ExponentialFractions([Fraction(numerator, denominator, power: 1)])
  }

  /// Adds what is left to number 0 of `wide`, which has two more behind it. Overwrites `scratch`, of which there are six.
  func encloseRest(in wide: WideStorage, scratch: (Int) -> Enclosure) {
    wide.setZero(0)
    for fraction in fractions {
      let (denominator, power) = (scratch(3), scratch(4))
      wide.setZero(1)
      fraction.denominator.add(to: 1, of: wide, scratch: scratch)
      wide.collapse(1, into: denominator)
      if fraction.power == 2 {
        power.setProduct(nonnegative: denominator, denominator)
      } else {
        power.set(denominator)
      }
      wide.setZero(1)
      fraction.numerator.add(to: 1, of: wide, scratch: scratch)
      scratch(5).setQuotient(wide[1], positive: power)
      wide.add(0, scratch(5), wide.far[1])
    }
  }
}
