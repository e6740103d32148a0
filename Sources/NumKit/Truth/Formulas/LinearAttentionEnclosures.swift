import CMPFR
import NumKitNumbers
import NumKitQuestions

extension LinearAttentionFormula: ProvenFormula {
  package typealias Enclosures = LinearAttentionEnclosures
}

/// N/D with N = Σ wⱼvⱼ, D = Σ wⱼ. Where all that is mapped is rational both are exact once the precision holds them, and so is a tie. A
/// result is rational as well where the values of all different keys have one mean: those are found, and known. That no other is a tie
/// is not proven: refining ends all the same, or says that it did not.
package final class LinearAttentionEnclosures: FormulaEnclosures {
  package typealias F = LinearAttentionFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = LinearAttentionFormula(.elu, keys: [], values: [])
  private var tokens = 0
  private var hasAnswer = false
  /// Keys mapped, at a precision, for every row; weights, their sum, the query mapped.
  private var mapped: [Int: EnclosureStorage] = [:]
  private var mappedKeys: [[Double]] = []
  private var mapOfKeys = LinearAttentionFormula.FeatureMap.elu
  private let weights = EnclosureStorage()
  private let query = EnclosureStorage()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: LinearAttentionFormula) {
    (tokens, self.x, self.formula) = (formula.tokens(row), x, formula)
    hasAnswer = formula.hasAnswer(row, Array(x))
    if mappedKeys != formula.keys || mapOfKeys != formula.map {
      mapped = [:]
      (mappedKeys, mapOfKeys) = (formula.keys, formula.map)
    }
  }

  private func map(_ x: Double, into result: Enclosure) {
    switch formula.map {
    case .relu: result.set(Swift.max(x, 0))
    case .elu where x > 0:
      result.set(x)
      result.add(1)
    case .elu, .exp:
      work[0].set(x)
      result.setExponential(work[0])
    }
  }

  private func keys(_ precision: Int) -> EnclosureStorage {
    if let known = mapped[precision] { return known }
    let storage = EnclosureStorage()
    let d = x.count
    storage.reserve(formula.keys.count * d, precision: precision)
    for (j, key) in formula.keys.enumerated() {
      for i in 0..<d { map(key[i], into: storage[j * d + i]) }
    }
    mapped[precision] = storage
    return storage
  }

  package func prepare(precision: Int) {
    guard hasAnswer else { return }
    let d = x.count
    work.reserve(3, precision: precision)
    query.reserve(d, precision: precision)
    weights.reserve(tokens + 1, precision: precision)
    let keys = keys(precision)
    for i in 0..<d { map(x[i], into: query[i]) }
    let total = weights[tokens]
    total.set(0)
    for j in 0..<tokens {
      weights[j].set(0)
      for i in 0..<d {
        work[1].setProduct(nonnegative: query[i], keys[j * d + i])
        weights[j].add(work[1])
      }
      total.add(weights[j])
    }
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    guard hasAnswer else { return .known(.nan) }
    if tokens == 0 { return .known(0) }
    if !formula.isNormalized {
      addValues(i, to: result)
      return result.isExactZero ? .known(0) : result.isExact ? .rational : .irrational
    }
    // Equal values are met exactly.
    let first = formula.values[0][i]
    if (0..<tokens).allSatisfy({ formula.values[$0][i] == first }) { return .known(first) }
    if let mean = commonMean(i) {
      work[0].set(mean.sum)
      work[1].set(Double(mean.count))
      result.setQuotient(work[0], positive: work[1])
      return .rational
    }
    let sum = work[0]
    addValues(i, to: sum)
    if sum.isExactZero { return .known(0) }
    result.setQuotient(sum, positive: weights[tokens])
    return sum.isExact && weights[tokens].isExact ? .rational : .irrational
  }

  /// Σ wⱼvⱼ.
  private func addValues(_ i: Int, to sum: Enclosure) {
    sum.set(0)
    for j in 0..<tokens {
      work[1].set(weights[j])
      work[1].multiply(bySigned: formula.values[j][i])
      sum.add(work[1])
    }
  }

  /// Sum and count of the values of one key, where every different key has values of the same mean.
  private func commonMean(_ i: Int) -> (sum: Rational, count: Int)? {
    var groups: [[Double]: (sum: Rational, count: Int)] = [:]
    for j in 0..<tokens {
      let known = groups[formula.keys[j]] ?? (Rational.zero, 0)
      groups[formula.keys[j]] = (known.sum + Rational(formula.values[j][i]), known.count + 1)
      // Far from it, mostly.
      if groups.count > 1, groups.count == j + 1 { if differ(groups) { return nil } }
    }
    return differ(groups) ? nil : groups.first?.value
  }

  private func differ(_ groups: [[Double]: (sum: Rational, count: Int)]) -> Bool {
    guard let first = groups.first?.value else { return true }
    return groups.contains { $0.value.sum * Rational(first.count) != first.sum * Rational($0.value.count) }
  }
}
