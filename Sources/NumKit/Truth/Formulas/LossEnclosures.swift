import CMPFR
import NumKitNumbers
import NumKitQuestions

extension BinaryCrossEntropyFormula: ProvenFormula {
  package typealias Enclosures = BinaryCrossEntropyEnclosures
}
extension SigmoidGradientFormula: ProvenFormula {
  package typealias Enclosures = SigmoidGradientEnclosures
}
extension SmoothedCrossEntropyFormula: ProvenFormula {
  package typealias Enclosures = SmoothedCrossEntropyEnclosures
}
extension ZLossFormula: ProvenFormula {
  package typealias Enclosures = ZLossEnclosures
}

/// Of logits: log(1 + e^−|x|) and a rational number. The logarithm is irrational: e^r = 1 + e^−|x| for a rational r would be one
/// relation too many between exponentials (Lindemann, Weierstrass); at 0 it is log 2. Of probabilities: rational combinations of
/// logarithms of rational numbers, 0 or transcendental (Baker), and 0 only where every term is.
package final class BinaryCrossEntropyEnclosures: FormulaEnclosures {
  package typealias F = BinaryCrossEntropyFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = BinaryCrossEntropyFormula(targets: [])
  private var row = 0
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: BinaryCrossEntropyFormula) {
    (self.row, self.x, self.formula) = (row, x, formula)
  }

  package func prepare(precision: Int) { work.reserve(3, precision: precision) }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let y = formula.target(row, i, length: x.count)
    return formula.isOnProbabilities
      ? encloseProbability(x[i], y, into: result) : encloseLogit(x[i], y, into: result)
  }

  private func encloseLogit(_ x: Double, _ y: Double, into result: Enclosure) -> Enclosed {
    if x.isNaN { return .known(.nan) }
    if x.isInfinite { return .known(x > 0 ? (y == 1 ? 0 : .infinity) : (y == 0 ? 0 : .infinity)) }
    work[0].set(-x.magnitude)
    work[1].setExponential(work[0])
    result.setLogOnePlus(work[1])
    // x(1 − y) above 0, −xy below: nothing cancels.
    work[0].set(x > 0 ? 1 : 0)
    work[0].add(-y)
    work[0].multiply(bySigned: x)
    result.add(work[0])
    return .irrational
  }

  private func encloseProbability(_ p: Double, _ y: Double, into result: Enclosure) -> Enclosed {
    if !(p >= 0 && p <= 1) { return .known(.nan) }
    if p == 0 || p == 1 { return .known(p == y ? 0 : .infinity) }
    result.set(0)
    if y > 0 {
      work[0].set(p)
      work[0].takeLog()
      work[0].multiply(bySigned: -y)
      result.add(work[0])
    }
    if y < 1 {
      work[0].set(1)
      work[0].add(-p)
      work[0].takeLog()
      work[0].negate()
      work[1].set(1)
      work[1].add(-y)
      work[2].setProduct(nonnegative: work[0], work[1])
      result.add(work[2])
    }
    return .irrational
  }
}

/// e^−|x|/(1 + e^−|x|)², a rational function of a transcendental number; ¼ at 0.
package final class SigmoidGradientEnclosures: FormulaEnclosures {
  package typealias F = SigmoidGradientFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: SigmoidGradientFormula) {
    self.x = x
  }

  package func prepare(precision: Int) { work.reserve(4, precision: precision) }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let x = x[i]
    if x.isNaN { return .known(.nan) }
    if x.isInfinite { return .known(0) }
    if x == 0 { return .known(0.25) }
    let (t, e, one) = (work[0], work[1], work[2])
    t.set(-x.magnitude)
    e.setExponential(t)
    one.set(1)
    // e ≤ 1.
    if result.setProductOfShares(e, one, scratch: work[3]) { return .irrational }
    result.setShare(of: e, beside: one)
    return .irrational
  }
}

/// The log-sum-exp of a row of logits that are finite or −∞.
final class LogSumEnclosures {
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var place = 0
  private let work = EnclosureStorage()

  /// Takes a row; returns whether it has a log-sum-exp: no NaN, a finite largest.
  func load(_ x: UnsafeBufferPointer<Double>) -> Bool {
    self.x = x
    place = x.indices.max { x[$0] < x[$1] } ?? 0
    return !x.contains(where: \.isNaN) && !x.isEmpty && maximum.isFinite
  }

  /// The largest.
  var maximum: Double { x[place] }

  /// Encloses log Σ e^(xⱼ − max).
  func enclose(precision: Int, into result: Enclosure) {
    work.reserve(3, precision: precision)
    let (sum, t, e) = (work[0], work[1], work[2])
    sum.set(0)
    for j in x.indices where j != place && x[j] != -.infinity {
      t.setDifference(x[j], maximum)
      e.setExponential(t)
      sum.add(e)
    }
    result.setLogOnePlus(sum)
  }
}

/// The log-sum-exp of two or more logits is transcendental (as in section 2); what is taken from it is rational. Of one logit the loss
/// is 0.
package final class SmoothedCrossEntropyEnclosures: FormulaEnclosures {
  package typealias F = SmoothedCrossEntropyFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = SmoothedCrossEntropyFormula(smoothing: 0, targets: [])
  private var target: Int?
  private var isFinite = false
  private var precision = 0
  private let sum = LogSumEnclosures()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: SmoothedCrossEntropyFormula) {
    (self.x, self.formula, target) = (x, formula, formula.target(row))
    isFinite = sum.load(x)
  }

  package func prepare(precision: Int) {
    self.precision = precision
    work.reserve(3, precision: precision)
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    guard let target else { return .known(0) }
    if !isFinite { return .known(.nan) }
    if x.count == 1 { return .known(0) }
    let hasMasks = formula.smoothing > 0 && x.contains(-.infinity)
    if x[target] == -.infinity || hasMasks { return .known(.infinity) }
    let (t, total) = (work[0], work[1])
    sum.enclose(precision: precision, into: result)
    // max − xₜ, and ε of what the mean lies below xₜ: Σ (xₜ − xⱼ)/n.
    t.setDifference(sum.maximum, x[target])
    result.add(t)
    total.set(0)
    for j in x.indices where x[j] != -.infinity {
      t.setDifference(x[target], x[j])
      total.add(t)
    }
    total.multiply(bySigned: formula.smoothing)
    total.divide(by: Double(x.count))
    result.add(total)
    return .irrational
  }
}

/// λ·(log-sum-exp)²: transcendental where the log-sum-exp is; λx² of a single logit is rational, and exact once the precision holds
/// it.
package final class ZLossEnclosures: FormulaEnclosures {
  package typealias F = ZLossFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = ZLossFormula()
  private var isFinite = false
  private var precision = 0
  private let sum = LogSumEnclosures()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: ZLossFormula) {
    (self.x, self.formula) = (x, formula)
    isFinite = sum.load(x)
  }

  package func prepare(precision: Int) {
    self.precision = precision
    work.reserve(3, precision: precision)
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    if !isFinite { return .known(x.contains(where: \.isNaN) ? .nan : .infinity) }
    let (log, t) = (work[0], work[1])
    sum.enclose(precision: precision, into: log)
    log.add(sum.maximum)
    if log.isExactZero { return .known(0) }
    // The square of what may have either sign, which then is less than its width: refining shows which.
    guard let sign = log.sign else {
      result.set(0)
      t.setNegated(log)
      t.add(log)
      result.add(t)
      result.multiply(by: formula.weight)
      return .irrational
    }
    if sign < 0 { log.negate() }
    t.set(log)
    result.setProduct(nonnegative: t, log)
    result.multiply(by: formula.weight)
    return x.count == 1 ? .rational : .irrational
  }
}
