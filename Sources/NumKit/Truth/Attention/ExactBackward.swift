import NumKitNumbers
import NumKitQuestions

/// Gradients as exact fractions of sums of exponentials, for what cancels or stands beside a tie in structured inputs: equal and
/// opposite queries, duplicate keys, saturated heads. Without a cap (and under one for a query of zeros) every score is an exact exponent (`Exponent`), and with
/// the groups g of a query's equal scores, P = Σ m_g e^g and E_l = dO·v_l:
///
///     dVⱼ = Σᵢ dO e^j/P    dKⱼ = F Σᵢ q Σ_g e^(j+g)(m_g Eⱼ − W_g)/P²    dQ = F Σ_{g,h} e^(g+h)(X_g m_h − K_g W_h)/P²
///
/// with W_g = Σ E, K_g = Σ k and X_g = Σ k·E over a group. Queries whose scores are one multiset but for a common shift share P:
/// their numerators are added, so that what cancels between them is gone.
final class ExactBackward {
  private let weights: BackwardWeights
  private let enclosed: EnclosedAttention
  private lazy var exact = ExactScores(weights.scores)
  private lazy var groups = AttentionGroups(weights.scores)
  private let wide = WideStorage()
  private let registers = EnclosureStorage()
  private var queries: [Query?] = []
  private var classes: [ExponentialSum] = []
  /// Terms that may still be made: what is left behind is large and its results stay with the enclosures.
  private var budget = 0
  private static let budget = 1 << 22
  /// Products of terms that one result may take where fractions are multiplied out.
  private static let productLimit = 1 << 14

  private var scores: AttentionScores { weights.scores }

  init(_ weights: BackwardWeights, _ enclosed: EnclosedAttention) {
    self.weights = weights
    self.enclosed = enclosed
  }

  /// What one query has of exact numbers.
  private struct Query {
    /// Which P it has.
    var denominator = 0
    /// The scores of its groups less the largest, and how many share each.
    var exponents: [Exponent] = []
    var counts: [Rational] = []
    /// The group of each key of the head; nil where it is not seen.
    var group: [Int?] = []
    /// E of each key, and W; empty where dS is 0.
    var products: [Rational] = []
    var sums: [Rational] = []
  }

  /// Answers what it can of `pending`.
  func answer(
    _ head: BackwardHead, _ pending: inout EnclosedBackward.Pending, _ format: NumberFormat,
    into truth: inout BackwardTruth
  ) {
    let isCapped = scores.parameters.softcap != nil
    budget = Self.budget
    guard head.rows * head.keys <= budget / 4 else { return }
    classes = []
    queries = (0..<head.rows).map { isCapped && !isZero($0, head) ? nil : query($0, head) }
    func settle(
      _ list: inout [Int], _ width: Int, _ truths: inout [Truth], isScaled: Bool,
      _ fractions: (Int, Int) -> [ExponentialFractions.Fraction]?
    ) {
      list.removeAll { place in
        guard budget > 0, let found = fractions(place / width, place % width) else { return false }
        return decide(
          ExponentialFractions(found), isScaled, head.headSize, format, at: place % width,
          &truths[place / width])
      }
    }
    settle(&pending.q, head.headSize, &truth.q, isScaled: true) { queryGradient($0, $1, head) }
    if !isCapped {
      settle(&pending.k, head.headSize, &truth.k, isScaled: true) { keyGradient($0, $1, head) }
      settle(&pending.v, head.valueSize, &truth.v, isScaled: false) { valueGradient($0, $1, head) }
    }
    queries = []
  }

  // MARK: What queries have

  /// Whether all scores are biases and a cap has no say.
  private func isZero(_ row: Int, _ head: BackwardHead) -> Bool {
    (0..<head.headSize).allSatisfy { head.q[row * head.headSize + $0] == 0 }
  }

  private func query(_ row: Int, _ head: BackwardHead) -> Query? {
    let (q, gradient) = (head.q + row * head.headSize, head.gradient + row * head.valueSize)
    let kind = weights.look(head: head.head(of: row), query: row % head.queries, head.v, gradient)
    var query = Query()
    query.group = Array(repeating: nil, count: head.keys)
    switch kind {
    case .none, .nan: return nil
    case .uniform:
      query.exponents = [Exponent(rest: .zero, head.headSize)]
      query.counts = [Rational(head.keys)]
      query.group = Array(repeating: 0, count: head.keys)
    case .level, .regular: find(&query, q, head)
    }
    query.denominator = classOf(query)
    if case .regular = kind { differentiate(&query, gradient, head) }
    return query
  }

  /// The groups of equal scores.
  private func find(_ query: inout Query, _ q: UnsafePointer<Double>, _ head: BackwardHead) {
    scores.compute(q, head.k)
    groups.find(q, head.k)
    let members = groups.members
    let exponents = members.map { exact.exponent($0[0], q, head.k) }
    guard let top = exponents.max() else { return }
    let order = exponents.indices.sorted { exponents[$0] > exponents[$1] }
    for (number, g) in order.enumerated() {
      query.exponents.append(exponents[g] - top)
      query.counts.append(Rational(members[g].count))
      for place in members[g] where place < scores.profile.keys.count {
        query.group[scores.profile.keys[place]] = number
      }
    }
  }

  /// The number of the query's P among those met.
  private func classOf(_ query: Query) -> Int {
    let sum = ExponentialSum(zip(query.exponents, query.counts).map { ($0, $1) })
    if let known = classes.firstIndex(where: { $0 == sum }) { return known }
    classes.append(sum)
    return classes.count - 1
  }

  private func differentiate(_ query: inout Query, _ gradient: UnsafePointer<Double>, _ head: BackwardHead) {
    query.sums = query.exponents.map { _ in .zero }
    for j in 0..<head.keys {
      guard let g = query.group[j] else {
        query.products.append(.zero)
        continue
      }
      let product = exact.dot(gradient, head.v + j * head.valueSize, head.valueSize)
      query.products.append(product)
      query.sums[g] = query.sums[g] + product
    }
  }

  // MARK: Fractions

  private func fractions(_ numerators: [Int: [ExponentialSum.Term]], power: Int) -> [ExponentialFractions
    .Fraction]
  {
    numerators.sorted { $0.key < $1.key }.map {
      budget -= $0.value.count
      return ExponentialFractions.Fraction(ExponentialSum($0.value), classes[$0.key], power: power)
    }
  }

  private func valueGradient(_ j: Int, _ c: Int, _ head: BackwardHead) -> [ExponentialFractions.Fraction] {
    var numerators: [Int: [ExponentialSum.Term]] = [:]
    for (row, query) in queries.enumerated() {
      let x = head.gradient[row * head.valueSize + c]
      guard let query, let g = query.group[j], x != 0 else { continue }
      numerators[query.denominator, default: []].append((query.exponents[g], Rational(x)))
    }
    return fractions(numerators, power: 1)
  }

  private func keyGradient(_ j: Int, _ c: Int, _ head: BackwardHead) -> [ExponentialFractions.Fraction] {
    var numerators: [Int: [ExponentialSum.Term]] = [:]
    for (row, query) in queries.enumerated() {
      let x = head.q[row * head.headSize + c]
      guard let query, let own = query.group[j], x != 0, !query.sums.isEmpty else { continue }
      let factor = Rational(x)
      for g in query.exponents.indices {
        let coefficient = query.counts[g] * query.products[j] - query.sums[g]
        if coefficient.isZero { continue }
        numerators[query.denominator, default: []].append(
          (query.exponents[own] + query.exponents[g], factor * coefficient))
      }
    }
    return fractions(numerators, power: 2)
  }

  /// nil for a query that nothing exact is known of.
  private func queryGradient(_ row: Int, _ c: Int, _ head: BackwardHead) -> [ExponentialFractions.Fraction]? {
    guard let query = queries[row] else { return nil }
    if query.sums.isEmpty { return [] }
    var keySums = query.exponents.map { _ in Rational.zero }
    var productSums = keySums
    for j in 0..<head.keys {
      guard let g = query.group[j] else { continue }
      let x = Rational(head.k[j * head.headSize + c])
      keySums[g] = keySums[g] + x
      productSums[g] = productSums[g] + x * query.products[j]
    }
    var terms: [ExponentialSum.Term] = []
    for g in query.exponents.indices {
      for h in query.exponents.indices {
        let coefficient = productSums[g] * query.counts[h] - keySums[g] * query.sums[h]
        if !coefficient.isZero { terms.append((query.exponents[g] + query.exponents[h], coefficient)) }
      }
    }
    return fractions([query.denominator: terms], power: 2)
  }

  // MARK: Decisions

  /// The scale where it is rational.
  private func scale(_ d: Int) -> Rational? {
    if let scale = scores.parameters.scale { return Rational(scale) }
    return Rational(d).squareRoot.map { Rational(1) / $0 }
  }

  private func decide(
    _ given: ExponentialFractions, _ isScaled: Bool, _ d: Int, _ format: NumberFormat, at i: Int,
    _ truth: inout Truth
  ) -> Bool {
    var sum = given
    for fraction in sum.fractions { budget -= fraction.denominator.terms.count * fraction.power }
    guard budget > 0, divide(&sum) else { return false }
    let factor = isScaled ? scale(d) : Rational(1)
    if sum.isRational && sum.whole.isZero {
      truth.setKnown(0, at: i, format)
      return true
    }
    var precision = EnclosedAttention.firstPrecision(weights.wholeBits)
    while precision <= EnclosedAttention.precisionLimit {
      registers.reserve(8, precision: precision)
      wide.reserve(3, precision: precision)
      enclosed.reserve(precision: precision)
      enclose(sum, factor, d)
      if enclosed.decide(registers[7], at: i, format, precision, false, &truth) { return true }
      precision *= 2
    }
    return false
  }

  /// Divides until what is left begins with a term that does not cancel, by itself or multiplied out.
  private func divide(_ sum: inout ExponentialFractions) -> Bool {
    let given = sum
    if sum.divide() { return true }
    // Sorting them is most of the work.
    budget -= 16 * Self.productLimit
    guard budget > 0, let single = given.combined(limit: Self.productLimit) else { return false }
    sum = single
    return sum.divide()
  }

  /// factor·(whole + rest) in register 7; without a factor 1/√d is meant.
  private func enclose(_ sum: ExponentialFractions, _ factor: Rational?, _ d: Int) {
    sum.encloseRest(in: wide) { registers[$0] }
    let (rest, whole, size, value) = (registers[0], registers[1], registers[2], registers[7])
    if let factor {
      whole.set(factor * sum.whole)
      size.set(factor.sign < 0 ? -factor : factor)
    } else {
      rest.set(sum.whole)
      size.setReciprocalSquareRoot(d)
      whole.setProduct(nonnegative: size, rest)
    }
    wide.collapse(0, into: rest)
    value.setProduct(nonnegative: size, rest)
    if factor.map({ $0.sign < 0 }) ?? false { value.negate() }
    value.add(whole)
  }
}
