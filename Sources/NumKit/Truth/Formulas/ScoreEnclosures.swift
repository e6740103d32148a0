import CMPFR
import NumKitNumbers
import NumKitQuestions

extension ScoreFormula: ProvenFormula {
  package typealias Enclosures = ScoreEnclosures
}

/// Dot products and sᵀWh are sums of products of Doubles: exact, ties and all, once the precision holds them. vᵀ tanh a is a sum of
/// tanhs of dyadic numbers; tanh is odd, so those of equal |a| are counted together as soon as a is exact, and a sum whose counts
/// cancel is 0. That no other sum is rational follows from Lindemann and Weierstrass for one |a|, and is not known for more: then
/// refining ends all the same, or says that it did not. Weights are shares of e^score; scores of equal keys are equal.
package final class ScoreEnclosures: FormulaEnclosures {
  package typealias F = ScoreFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = ScoreFormula(.dot, keys: [])
  private var isFinite = false
  private let scores = EnclosureStorage()
  private let inner = EnclosureStorage()
  private let arguments = EnclosureStorage()
  private let work = EnclosureStorage()
  private var precision = 0
  /// The key whose score weights are relative to: the largest, as Double has it.
  private var reference = 0
  private var isKnownZero: [Bool] = []

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: ScoreFormula) {
    (self.x, self.formula) = (x, formula)
    isFinite = x.allSatisfy(\.isFinite)
  }

  package func prepare(precision: Int) {
    self.precision = precision
    guard isFinite else { return }
    work.reserve(4, precision: precision)
    scores.reserve(2 * formula.keys.count + 1, precision: precision)
    isKnownZero = Array(repeating: false, count: formula.keys.count)
    switch formula.function {
    case .dot: for j in formula.keys.indices { dot(j, formula.keys[j]) { work[0].set(x[$0]) } }
    case .general:
      let width = formula.keys[0].count
      inner.reserve(width, precision: precision)
      for c in 0..<width {
        inner[c].set(0)
        for i in x.indices { addProduct(x[i], formula.queryWeights[i][c], to: inner[c]) }
      }
      for j in formula.keys.indices { dot(j, formula.keys[j]) { work[0].set(inner[$0]) } }
    case .additive: additive()
    }
    if formula.isNormalized { weigh() }
  }

  private func addProduct(_ a: Double, _ b: Double, to sum: Enclosure) {
    work[1].set(a)
    work[1].multiply(bySigned: b)
    sum.add(work[1])
  }

  /// Σ key·(what `factor` puts into the first place to work in).
  private func dot(_ j: Int, _ key: [Double], _ factor: (Int) -> Void) {
    scores[j].set(0)
    for c in key.indices {
      factor(c)
      work[0].multiply(bySigned: key[c])
      scores[j].add(work[0])
    }
  }

  private func additive() {
    let hidden = formula.combination.count
    inner.reserve(hidden, precision: precision)
    arguments.reserve(hidden, precision: precision)
    for m in 0..<hidden {
      inner[m].set(0)
      for i in x.indices { addProduct(x[i], formula.queryWeights[m][i], to: inner[m]) }
    }
    for j in formula.keys.indices {
      for m in 0..<hidden {
        arguments[m].set(inner[m])
        for c in formula.keys[j].indices {
          addProduct(formula.keys[j][c], formula.keyWeights[m][c], to: arguments[m])
        }
      }
      combine(j, hidden)
    }
  }

  private func combine(_ j: Int, _ hidden: Int) {
    scores[j].set(0)
    var isDone = [Bool](repeating: false, count: hidden)
    var isEmpty = true
    for m in 0..<hidden where !isDone[m] {
      // What stands before tanh |a|: of all that are exact and have that |a|.
      let count = work[2]
      count.set(formula.combination[m])
      if let sign = arguments[m].sign, arguments[m].isExact {
        if sign == 0 { continue }
        for other in m + 1..<hidden where !isDone[other] && arguments[other].isExact {
          guard mpfr_cmpabs(arguments[m].lower, arguments[other].lower) == 0 else { continue }
          isDone[other] = true
          count.add(arguments[other].sign == sign ? formula.combination[other] : -formula.combination[other])
        }
      }
      if count.isExactZero { continue }
      isEmpty = false
      let t = work[0]
      t.set(arguments[m])
      t.takeTanh()
      multiply(t, count, into: work[1])
      scores[j].add(work[1])
    }
    isKnownZero[j] = isEmpty
  }

  /// The product of a tanh and a count of either sign.
  private func multiply(_ t: Enclosure, _ count: Enclosure, into result: Enclosure) {
    guard let sign = count.sign, sign < 0 else { return result.setProduct(nonnegative: count, t) }
    count.negate()
    result.setProduct(nonnegative: count, t)
    result.negate()
  }

  /// e^(score − that of the reference), and their sum.
  private func weigh() {
    let n = formula.keys.count
    func near(_ j: Int) -> Double { scores[j].middle(in: .f64) }
    reference = (0..<n).max { near($0) < near($1) } ?? 0
    let sum = scores[2 * n]
    sum.set(0)
    for j in 0..<n {
      // Of equal keys exactly 1.
      if formula.keys[j] == formula.keys[reference] {
        work[0].set(0)
      } else {
        work[0].setDifference(scores[j], scores[reference])
      }
      scores[n + j].setExponential(work[0])
      sum.add(scores[n + j])
    }
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    if !isFinite { return .known(.nan) }
    if formula.isNormalized {
      let n = formula.keys.count
      result.setQuotient(scores[n + i], positive: scores[2 * n])
      return result.isExact ? .rational : .irrational
    }
    if isKnownZero[i] { return .known(0) }
    if scores[i].isExactZero { return .known(0) }
    result.set(scores[i])
    return result.isExact ? .rational : .irrational
  }
}
