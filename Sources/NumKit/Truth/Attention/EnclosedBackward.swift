import CMPFR
import NumKitNumbers

/// The tier that answers what pairs leave open of a key head's gradients: passes over its queries with MPFR enclosures of p and dS,
/// each pass with twice the bits of the last.
final class EnclosedBackward {
  /// Results still open, as places in dQ, dK and dV.
  struct Pending {
    var q: [Int] = []
    var k: [Int] = []
    var v: [Int] = []
    var isEmpty: Bool { q.isEmpty && k.isEmpty && v.isEmpty }
  }

  private let weights: BackwardWeights
  private let enclosed: EnclosedAttention
  private let exact = ExactDot()
  private let probability = EnclosureStorage()
  private let derivative = EnclosureStorage()
  private let sums = EnclosureStorage()
  private let registers = EnclosureStorage()
  /// Where refinement gives up.
  private static let precisionLimit = 1536

  private var scores: AttentionScores { weights.scores }

  init(_ weights: BackwardWeights) {
    self.weights = weights
    enclosed = EnclosedAttention(weights.scores)
  }

  /// Answers for what is pending.
  func answer(
    _ head: BackwardHead, _ pending: inout Pending, _ format: NumberFormat, into truth: inout BackwardTruth
  ) {
    var precision = 192
    while !pending.isEmpty {
      sums.reserve(pending.q.count + pending.k.count + pending.v.count, precision: precision)
      for i in 0..<pending.q.count + pending.k.count + pending.v.count { sums[i].set(0) }
      for row in 0..<head.rows { add(row, head, pending, precision) }
      let isLast = precision >= Self.precisionLimit
      var slot = 0
      func settle(_ list: inout [Int], _ width: Int, _ truths: inout [Truth]) {
        list.removeAll { place in
          defer { slot += 1 }
          return enclosed.decide(
            sums[slot], at: place % width, format, precision, isLast, &truths[place / width])
        }
      }
      settle(&pending.q, head.headSize, &truth.q)
      settle(&pending.k, head.headSize, &truth.k)
      settle(&pending.v, head.valueSize, &truth.v)
      precision *= 2
    }
  }

  /// Adds what one query contributes.
  private func add(_ row: Int, _ head: BackwardHead, _ pending: Pending, _ precision: Int) {
    let (q, gradient) = (head.q + row * head.headSize, head.gradient + row * head.valueSize)
    let (d, width) = (head.headSize, head.valueSize)
    let own = pending.q.contains { $0 / d == row }
    if !own && pending.k.isEmpty && pending.v.isEmpty { return }
    let kind = weights.look(head: head.head(of: row), query: row % head.queries, head.v, gradient)
    var places: [Int?]
    switch kind {
    case .none, .nan: return
    case .uniform:
      registers.reserve(6, precision: precision)
      probability.reserve(1, precision: precision)
      registers[0].set(1)
      registers[1].set(head.keys)
      probability[0].setQuotient(registers[0], positive: registers[1])
      places = Array(repeating: 0, count: head.keys)
    case .level, .regular:
      guard compute(kind, head, q, gradient, precision) else { return }
      places = Array(repeating: nil, count: head.keys)
      for (place, j) in scores.profile.keys.enumerated() { places[j] = place }
    }
    var slot = 0
    let differs = if case .regular = kind { true } else { false }
    for place in pending.q {
      if differs && place / d == row {
        for (i, j) in scores.profile.keys.enumerated() {
          add(derivative[i], head.k[j * d + place % d], to: slot)
        }
      }
      slot += 1
    }
    for place in pending.k {
      if differs, let i = places[place / d] { add(derivative[i], q[place % d], to: slot) }
      slot += 1
    }
    for place in pending.v {
      if let i = places[place / width] { add(probability[i], gradient[place % width], to: slot) }
      slot += 1
    }
  }

  /// sum += a·x.
  private func add(_ a: Enclosure, _ x: Double, to slot: Int) {
    if x == 0 { return }
    registers[4].set(x.magnitude)
    registers[5].setProduct(nonnegative: registers[4], a)
    if x < 0 { registers[5].negate() }
    sums[slot].add(registers[5])
  }

  /// p and dS of a query; false where a score is not a number.
  private func compute(
    _ kind: BackwardWeights.Kind, _ head: BackwardHead, _ q: UnsafePointer<Double>,
    _ gradient: UnsafePointer<Double>, _ precision: Int
  ) -> Bool {
    let keys = scores.profile.keys
    guard enclosed.prepare(q, head.k, precision: precision) else { return false }
    for storage in [probability, derivative] { storage.reserve(scores.count, precision: precision) }
    registers.reserve(6, precision: precision)
    for i in 0..<scores.count {
      probability[i].setQuotient(enclosed.weightStorage[i], positive: enclosed.sum)
    }
    guard case .regular = kind else { return true }
    // dSⱼ = pⱼ(Eⱼ − D), E against the largest weight's product.
    let anchor = enclosed.anchor
    let (top, d, a, b) = (registers[0], registers[1], registers[2], registers[3])
    top.set(0)
    if anchor < keys.count {
      exact.dot(gradient, head.v + keys[anchor] * head.valueSize, head.valueSize, scale: 1, into: top)
    }
    d.set(0)
    for i in 0..<scores.count {
      if i < keys.count {
        exact.dot(gradient, head.v + keys[i] * head.valueSize, head.valueSize, scale: 1, into: a)
      } else {
        a.set(0)
      }
      derivative[i].setDifference(a, top)
      if i == anchor { derivative[i].set(0) }
      a.setProduct(nonnegative: probability[i], derivative[i])
      d.add(a)
    }
    for i in keys.indices {
      a.setDifference(derivative[i], d)
      b.setProduct(nonnegative: probability[i], a)
      setScale(head.headSize, into: a)
      derivative[i].setProduct(nonnegative: a, b)
      if let cap = scores.parameters.softcap {
        multiplyByCapDerivative(i, cap, q, head.k + keys[i] * head.headSize, head.headSize)
      }
      if scores.parameters.scale ?? 1 < 0 { derivative[i].negate() }
    }
    return true
  }

  /// The scale's magnitude.
  private func setScale(_ d: Int, into factor: Enclosure) {
    if let scale = scores.parameters.scale { return factor.set(scale.magnitude) }
    factor.setReciprocalSquareRoot(d)
  }

  /// 1 − tanh²(x/c) = 4t/(1 + t)² with t = e^(−2|x/c|) of the scaled score x: nothing cancels where the cap is reached.
  private func multiplyByCapDerivative(
    _ i: Int, _ cap: Double, _ q: UnsafePointer<Double>, _ k: UnsafePointer<Double>, _ d: Int
  ) {
    let (a, b, t) = (registers[2], registers[3], registers[4])
    exact.dot(q, k, d, scale: 1, into: a)
    if nc_mpfr_sgn(a.lower) < 0 { a.negate() }
    setScale(d, into: b)
    t.setProduct(nonnegative: a, b)
    t.divide(by: cap / 2)
    t.negate()
    a.setExponential(t)
    b.set(1)
    t.setSum(a, b)
    b.setProduct(nonnegative: t, t)
    t.set(4)
    registers[5].setProduct(nonnegative: t, a)
    a.setQuotient(registers[5], positive: b)
    b.set(derivative[i])
    derivative[i].setProduct(nonnegative: a, b)
  }
}
