import NumKitNumbers
import NumKitQuestions

/// The tier that answers what pairs leave open of a key head's gradients: passes over its queries with MPFR enclosures of p and dS,
/// each pass with twice the bits of the last, and between them once the exact sums of exponentials.
final class EnclosedBackward {
  /// Results still open, as places in dQ, dK and dV.
  struct Pending {
    var q: [Int] = []
    var k: [Int] = []
    var v: [Int] = []
    var isEmpty: Bool { q.isEmpty && k.isEmpty && v.isEmpty }
    var count: Int { q.count + k.count + v.count }
  }

  private let weights: BackwardWeights
  private let enclosed: EnclosedAttention
  private let derivatives: EnclosedDerivatives
  private lazy var exactSums = ExactBackward(weights, enclosed)
  private let sums = WideStorage()
  private let registers = EnclosureStorage()
  /// What the largest weights contribute to dV, exactly: Σ dO/m over the queries with m largest weights, the key's one of them.
  private var whole: [Rational?] = []
  /// Where refinement gives up: with few terms, and with many.
  private static let limits = (few: 1 << 13, many: 1536)
  private static let fewTerms = 1 << 14

  private var scores: AttentionScores { weights.scores }

  init(_ weights: BackwardWeights) {
    self.weights = weights
    enclosed = EnclosedAttention(weights.scores)
    derivatives = EnclosedDerivatives(weights.scores, enclosed)
  }

  /// Answers for what is pending.
  func answer(
    _ head: BackwardHead, _ pending: inout Pending, _ format: NumberFormat, into truth: inout BackwardTruth
  ) {
    let first = EnclosedAttention.firstPrecision(weights.wholeBits)
    let limit = Swift.max(first, head.rows * head.keys <= Self.fewTerms ? Self.limits.few : Self.limits.many)
    var precision = first
    while !pending.isEmpty {
      if precision == 4 * first {
        exactSums.answer(head, &pending, format, into: &truth)
        if pending.isEmpty { return }
      }
      pass(head, &pending, format, precision, isLast: precision >= limit, into: &truth)
      precision *= 2
    }
  }

  /// One pass over the queries.
  private func pass(
    _ head: BackwardHead, _ pending: inout Pending, _ format: NumberFormat, _ precision: Int, isLast: Bool,
    into truth: inout BackwardTruth
  ) {
    sums.reserve(pending.count, precision: precision)
    for i in 0..<pending.count { sums.setZero(i) }
    whole = Array(repeating: nil, count: pending.v.count)
    registers.reserve(6, precision: precision)
    for row in 0..<head.rows { add(row, head, pending, precision) }
    enclosed.reserve(precision: precision)
    var slot = 0
    let value = registers[0]
    func settle(_ list: inout [Int], _ width: Int, _ truths: inout [Truth], _ whole: [Rational?]) {
      let start = slot
      list.removeAll { place in
        defer { slot += 1 }
        sums.collapse(slot, into: value)
        if !whole.isEmpty, let x = whole[slot - start] {
          registers[1].set(x)
          registers[2].set(value)
          value.setSum(registers[1], registers[2])
        }
        return enclosed.decide(
          value, at: place % width, format, precision, isLast, &truths[place / width])
      }
    }
    settle(&pending.q, head.headSize, &truth.q, [])
    settle(&pending.k, head.headSize, &truth.k, [])
    settle(&pending.v, head.valueSize, &truth.v, whole)
  }

  /// Adds what one query contributes.
  private func add(_ row: Int, _ head: BackwardHead, _ pending: Pending, _ precision: Int) {
    let (q, gradient) = (head.q + row * head.headSize, head.gradient + row * head.valueSize)
    let (d, width) = (head.headSize, head.valueSize)
    let own = pending.q.contains { $0 / d == row }
    if !own && pending.k.isEmpty && pending.v.isEmpty { return }
    let kind = weights.look(head: head.head(of: row), query: row % head.queries, head.v, gradient)
    switch kind {
    case .none, .nan: return
    case .uniform:
      registers[0].set(1)
      registers[1].set(head.keys)
      registers[2].setQuotient(registers[0], positive: registers[1])
      for (slot, place) in pending.v.enumerated() {
        add(registers[2], nil, gradient[place % width], to: pending.q.count + pending.k.count + slot)
      }
      return
    case .level, .regular: derivatives.compute(kind, head, q, gradient, precision)
    }
    let keys = scores.profile.keys
    var places = [Int?](repeating: nil, count: head.keys)
    for (place, j) in keys.enumerated() { places[j] = place }
    var slot = pending.q.count
    if case .regular = kind {
      if own {
        for (slot, place) in pending.q.enumerated() where place / d == row {
          addQuery(head.k, d, place % d, to: slot)
        }
      }
      for place in pending.k {
        if let i = places[place / d] {
          add(derivatives.derivative[i], derivatives.derivative.far[i], q[place % d], to: slot)
        }
        slot += 1
      }
    }
    slot = pending.q.count + pending.k.count
    for (number, place) in pending.v.enumerated() {
      guard let i = places[place / width] else { continue }
      let g = gradient[place % width]
      if derivatives.isTop[i] {
        // p = 1/m + (p − 1/m): the first part exactly.
        let share = Rational(g) / Rational(derivatives.topCount)
        whole[number] = whole[number].map { $0 + share } ?? share
        add(derivatives.shortfall[0], derivatives.shortfall.far[0], g, to: slot + number)
      } else {
        add(derivatives.probability[i], derivatives.probability.far[i], g, to: slot + number)
      }
    }
  }

  /// Adds Σ fⱼdSⱼkⱼ, f the cap's derivative, as Σ dSⱼ(fⱼkⱼ − fₐkₐ) from the largest weight's a: Σ dSⱼ = 0, and what a has cannot
  /// cancel with the next.
  private func addQuery(_ k: UnsafePointer<Double>, _ d: Int, _ c: Int, to slot: Int) {
    let keys = scores.profile.keys
    func component(_ i: Int) -> Double { i < keys.count ? k[keys[i] * d + c] : 0 }
    let (ds, anchor) = (derivatives.derivative, derivatives.anchor)
    let isCapped = scores.parameters.softcap != nil
    let (top, difference, product) = (component(anchor), registers[3], registers[4])
    let anchored = isCapped ? derivatives.anchored : ds
    for i in 0..<scores.count where i != anchor {
      if isCapped && i < keys.count && !derivatives.hasAnchorsSlope[i] {
        add(ds[i], ds.far[i], component(i), to: slot)
        add(anchored[i], anchored.far[i], -top, to: slot)
        continue
      }
      if component(i) == top { continue }
      let isBelow = component(i) < top
      difference.setDifference(isBelow ? top : component(i), isBelow ? component(i) : top)
      product.setProduct(nonnegative: difference, anchored[i])
      if isBelow { product.negate() }
      sums.add(slot, product, anchored.far[i])
    }
  }

  /// sum += a·x.
  private func add(_ a: Enclosure, _ far: Rational?, _ x: Double, to slot: Int) {
    if x == 0 { return }
    registers[3].set(x.magnitude)
    registers[4].setProduct(nonnegative: registers[3], a)
    if x < 0 { registers[4].negate() }
    sums.add(slot, registers[4], far)
  }
}
