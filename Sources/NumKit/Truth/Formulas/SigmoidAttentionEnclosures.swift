import CMPFR
import NumKitNumbers
import NumKitQuestions

extension SigmoidAttentionFormula: ProvenFormula {
  package typealias Enclosures = SigmoidAttentionEnclosures
}

/// Σ σ(zⱼ)vⱼ, z = s·q·k + b. Scores are sums of products of Doubles, exact once the precision holds them. Those that are 0 have rational
/// weights, 1/(1 + n) with b = −log n and ½ with b = 0, and are counted together; keys of opposite scores have weights that add up to
/// 1 where b = 0, so that σ(z)v + σ(−z)w = w + σ(z)(v − w). Equal scores are one. What is left is a sum of different σ(z) with
/// coefficients that are not 0; that it is no tie is not proven: refining ends all the same, or says that it did not.
package final class SigmoidAttentionEnclosures: FormulaEnclosures {
  package typealias F = SigmoidAttentionFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = SigmoidAttentionFormula(keys: [], values: [])
  private var keyCount = 0
  private var isFinite = false
  /// Scores q·k, then weights.
  private let scores = EnclosureStorage()
  private let weights = EnclosureStorage()
  private let work = EnclosureStorage()
  /// The key whose weight each key's is, and whether it is 1 less that.
  private var likeness: [(key: Int, isOpposite: Bool)] = []

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: SigmoidAttentionFormula) {
    (self.x, self.formula, keyCount) = (x, formula, formula.reach(row))
    isFinite = x.allSatisfy(\.isFinite)
  }

  package func prepare(precision: Int) {
    guard isFinite else { return }
    work.reserve(3, precision: precision)
    scores.reserve(keyCount, precision: precision)
    weights.reserve(keyCount, precision: precision)
    for j in 0..<keyCount {
      let score = scores[j]
      score.set(0)
      for i in x.indices {
        work[0].set(x[i])
        work[0].multiply(bySigned: formula.keys[j][i])
        score.add(work[0])
      }
    }
    findLikeness()
    for j in 0..<keyCount where likeness[j].key == j { weigh(j) }
  }

  private func findLikeness() {
    likeness = []
    for j in 0..<keyCount {
      let mine = scores[j]
      let known = mine.isExact ? (0..<j).first { isLike($0, mine) } : nil
      guard let known else {
        likeness.append((j, false))
        continue
      }
      // Of 0 nothing is opposite.
      likeness.append((known, scores[known].sign != mine.sign))
    }
  }

  private func isLike(_ other: Int, _ score: Enclosure) -> Bool {
    guard likeness[other].key == other, scores[other].isExact,
      mpfr_cmpabs(scores[other].lower, score.lower) == 0
    else { return false }
    return formula.bias == 0 || scores[other].sign == score.sign
  }

  /// 1/(1 + e^−z), relative to its size.
  private func weigh(_ j: Int) {
    let (z, one) = (work[0], work[1])
    one.set(1)
    if scores[j].isExactZero, formula.bias == nil || formula.bias == 0 {
      work[2].set(formula.bias == nil ? 1 + formula.keys.count : 2)
      return weights[j].setQuotient(one, positive: work[2])
    }
    z.set(scores[j])
    if let scale = formula.scale {
      z.multiply(by: scale)
    } else {
      work[2].setReciprocalSquareRoot(x.count)
      z.setProduct(nonnegative: work[2], scores[j])
    }
    if let bias = formula.bias {
      z.add(bias)
    } else {
      work[2].setLog(formula.keys.count)
      work[2].negate()
      z.add(work[2])
    }
    z.negate()
    work[2].setExponential(z)
    work[2].add(1)
    weights[j].setQuotient(one, positive: work[2])
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    guard isFinite else { return .known(.nan) }
    result.set(0)
    var isRational = true
    let factor = work[2]
    for j in 0..<keyCount where likeness[j].key == j {
      // Of all keys that share a weight: what it is multiplied by, and what is left of 1 less it.
      factor.set(0)
      for other in j..<keyCount where likeness[other].key == j {
        let value = formula.values[other][i]
        if likeness[other].isOpposite {
          factor.add(-value)
          result.add(value)
        } else {
          factor.add(value)
        }
      }
      if factor.isExactZero { continue }
      guard scores[j].isExactZero, formula.bias == nil || formula.bias == 0 else {
        isRational = false
        addProduct(weights[j], factor, to: result)
        continue
      }
      work[1].set(formula.bias == nil ? 1 + formula.keys.count : 2)
      work[0].setQuotient(factor, positive: work[1])
      result.add(work[0])
    }
    if result.isExactZero { return .known(0) }
    return isRational ? .rational : .irrational
  }

  private func addProduct(_ weight: Enclosure, _ factor: Enclosure, to sum: Enclosure) {
    work[0].setProduct(nonnegative: weight, factor)
    sum.add(work[0])
  }
}
