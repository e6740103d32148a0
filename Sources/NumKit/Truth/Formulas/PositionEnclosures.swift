import CMPFR
import NumKitNumbers
import NumKitQuestions

/// θᵢ, enclosed, kept for every precision that was asked for.
///
/// θᵢ is algebraic and not 0: base, factor and ramp are rational, the exponents too. So mθᵢ is algebraic, for m ≠ 0 its sine and cosine
/// are transcendental, and so is every combination of the two with rational coefficients that are not both 0 (Lindemann,
/// Weierstrass): never a tie, never a number of a format. With YaRN they are multiplied by 0.1 log s + 1, of which no such thing is
/// known; refining ends all the same, or says that it did not.
final class FrequencyEnclosures {
  private var kept: [Int: EnclosureStorage] = [:]
  private var loaded: (Frequencies, Int)?
  private let work = EnclosureStorage()

  /// What sines and cosines are multiplied by; nil for 1.
  private(set) var amplitude: Enclosure?

  /// θᵢ at `precision` bits, for i < d/2; place d/2 is YaRN's amplitude.
  func storage(_ f: Frequencies, dimensions d: Int, precision: Int) -> EnclosureStorage {
    if loaded?.0 != f || loaded?.1 != d {
      kept = [:]
      loaded = (f, d)
    }
    let storage = kept[precision] ?? make(f, d, precision)
    kept[precision] = storage
    if case .yarn = f.scaling { amplitude = storage[d / 2] } else { amplitude = nil }
    return storage
  }

  private func make(_ f: Frequencies, _ d: Int, _ precision: Int) -> EnclosureStorage {
    let storage = EnclosureStorage()
    storage.reserve(d / 2 + 1, precision: precision)
    work.reserve(3, precision: precision)
    let (log, t, u) = (work[0], work[1], work[2])
    log.set(f.base)
    log.takeLog()
    if case .ntk(let s) = f.scaling {
      t.set(s)
      t.takeLog()
      t.multiply(by: Double(d))
      t.divide(by: Double(d - 2))
      log.add(t)
    }
    for i in 0..<d / 2 {
      t.set(log)
      t.multiply(by: Double(2 * i))
      t.divide(by: Double(d))
      t.negate()
      storage[i].setExponential(t)
      if case .linear(let s) = f.scaling { storage[i].divide(by: s) }
      if case .yarn(let s, _) = f.scaling, let (done, of) = f.rampShare(i, dimensions: d) {
        // θ(ramp/s + 1 − ramp)
        t.set(Double(done))
        t.divide(by: s)
        t.add(Double(of - done))
        t.divide(by: Double(of))
        u.set(storage[i])
        storage[i].setProduct(nonnegative: u, t)
      }
    }
    if case .yarn(let s, _) = f.scaling {
      t.set(s)
      t.takeLog()
      t.divide(by: 10)
      t.add(1)
      storage[d / 2].set(t)
    }
    return storage
  }
}

/// cos and sin of one position's angles, at one precision.
final class TurnEnclosures {
  private let frequencies = FrequencyEnclosures()
  private let turns = EnclosureStorage()
  private let work = EnclosureStorage()
  private var amplitude: Enclosure?

  /// Prepares those of position m ≠ 0.
  func prepare(_ f: Frequencies, position m: Int, dimensions d: Int, precision: Int) {
    let theta = frequencies.storage(f, dimensions: d, precision: precision)
    amplitude = frequencies.amplitude
    turns.reserve(d, precision: precision)
    work.reserve(3, precision: precision)
    for i in 0..<d / 2 {
      let angle = work[0]
      angle.set(theta[i])
      angle.multiply(bySigned: Double(m))
      for (place, isSine) in [(2 * i, false), (2 * i + 1, true)] {
        guard let amplitude else {
          turns[place].setTurning(angle, sine: isSine, scratch: work[2])
          continue
        }
        work[1].setTurning(angle, sine: isSine, scratch: work[2])
        turns[place].setProduct(nonnegative: amplitude, work[1])
      }
    }
  }

  /// cos mθᵢ.
  func cosine(_ i: Int) -> Enclosure { turns[2 * i] }
  /// sin mθᵢ.
  func sine(_ i: Int) -> Enclosure { turns[2 * i + 1] }
}

extension Frequencies {
  /// θᵢ to within a relative 2^−100, as the sum of two Doubles each, and what sines and cosines are multiplied by.
  package func proven(dimensions d: Int) -> (thetas: [(high: Double, low: Double)], amplitude: Double) {
    let enclosures = FrequencyEnclosures()
    let storage = enclosures.storage(self, dimensions: d, precision: 192)
    let room = EnclosureStorage()
    room.reserve(1, precision: 192)
    func pair(_ i: Int) -> (high: Double, low: Double) {
      let value = storage[i].scaled(scratch: room[0])
      return (value?.high ?? .nan, value?.low ?? .nan)
    }
    return ((0..<d / 2).map(pair), enclosures.amplitude == nil ? 1 : pair(d / 2).high)
  }
}

extension Enclosure {
  /// Multiplies by a finite Double of either sign, in place.
  func multiply(bySigned x: Double) {
    if x == 0 { return set(0) }
    if x < 0 { negate() }
    multiply(by: x.magnitude)
  }
}

extension RotaryFormula: ProvenFormula {
  package typealias Enclosures = RotaryEnclosures
}

extension SinusoidalFormula: ProvenFormula {
  package typealias Enclosures = SinusoidalEnclosures
}

extension AlibiFormula: ProvenFormula {
  package typealias Enclosures = AlibiEnclosures
}

/// a cos − b sin and b cos + a sin. At position 0 without an amplitude they are a and b; where a = b = 0 they are 0.
package final class RotaryEnclosures: FormulaEnclosures {
  package typealias F = RotaryFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = RotaryFormula(Frequencies(), positions: RowPositions([]))
  private var position = 0
  private let turns = TurnEnclosures()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: RotaryFormula) {
    (self.x, self.formula, position) = (x, formula, formula.positions[row])
  }

  /// Whether nothing is turned and nothing scaled.
  private var isStill: Bool {
    if case .yarn = formula.frequencies.scaling { return false }
    return position == 0
  }

  package func prepare(precision: Int) {
    work.reserve(2, precision: precision)
    if isStill { return }
    turns.prepare(formula.frequencies, position: position, dimensions: x.count, precision: precision)
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let d = x.count
    let isHalf = formula.pairing == .half
    let pair = isHalf ? i % (d / 2) : i / 2
    let isSecond = isHalf ? i >= d / 2 : i % 2 == 1
    let (first, second) = formula.pairing.places(pair, dimensions: d)
    // What is multiplied by the cosine, and by the sine.
    let (a, b) = isSecond ? (x[second], x[first]) : (x[first], -x[second])
    if !a.isFinite || !b.isFinite { return .known(special(a, b, pair)) }
    if isStill { return .known(a) }
    if a == 0 && b == 0 { return .known(0) }
    result.set(turns.cosine(pair))
    result.multiply(bySigned: a)
    work[0].set(turns.sine(pair))
    work[0].multiply(bySigned: b)
    result.add(work[0])
    return .irrational
  }

  /// What IEEE arithmetic gives: only the signs of sine and cosine count.
  private func special(_ a: Double, _ b: Double, _ pair: Int) -> Double {
    if position == 0 { return a + b * 0 }
    let c = Double(turns.cosine(pair).sign ?? 1)
    let s = Double(turns.sine(pair).sign ?? 1)
    return a * c + b * s
  }
}

/// sin mθᵢ and cos mθᵢ; 0 and 1 at position 0.
package final class SinusoidalEnclosures: FormulaEnclosures {
  package typealias F = SinusoidalFormula
  private var formula = SinusoidalFormula(Frequencies(), positions: RowPositions([]))
  private var position = 0
  private var dimensions = 0
  private let turns = TurnEnclosures()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: SinusoidalFormula) {
    (self.formula, position, dimensions) = (formula, formula.positions[row], x.count)
  }

  package func prepare(precision: Int) {
    turns.prepare(formula.frequencies, position: position, dimensions: dimensions, precision: precision)
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let isSine = i % 2 == 0
    if case .yarn = formula.frequencies.scaling {
    } else if position == 0 {
      return .known(isSine ? 0 : 1)
    }
    result.set(isSine ? turns.sine(i / 2) : turns.cosine(i / 2))
    return position == 0 && isSine ? .known(0) : .irrational
  }
}

/// −m·2^−e: exactly, where e is whole; else irrational and algebraic, a root of a number of the format's kind and none itself.
package final class AlibiEnclosures: FormulaEnclosures {
  package typealias F = AlibiFormula
  private var distance = 0
  private var heads = 0
  private var formula = AlibiFormula(distances: RowPositions([]))
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: AlibiFormula) {
    (distance, heads, self.formula) = (formula.distances[row], x.count, formula)
  }

  package func prepare(precision: Int) { work.reserve(1, precision: precision) }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    let (a, b) = formula.exponent(head: i, of: heads)
    if distance == 0 { return .known(0) }
    if a % b == 0 { return .known(-Double(distance) * Double.powerOfTwo(-(a / b))) }
    let t = work[0]
    t.setLogOfTwo()
    t.multiply(by: Double(a))
    t.divide(by: Double(b))
    t.negate()
    result.setExponential(t)
    result.multiply(bySigned: -Double(distance))
    return .irrational
  }
}
