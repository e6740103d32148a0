/// One query's attention in Double, each number to within a relative 2⁻⁴⁰ or so: what bounds and measures are made of.
public struct AttentionProfile: Sendable {
  /// The keys that are seen, ascending.
  public package(set) var keys: [Int] = []
  /// What is added to their scores.
  public package(set) var biases: [Double] = []
  /// Their scores: scaled, capped, biased.
  public package(set) var scores: [Double] = []
  /// Σ |q·k| of each, scaled: what rounding errors of the score grow with.
  public package(set) var magnitudes: [Double] = []
  /// Their probabilities, before any clipping; with a sink they add up to less than 1.
  public package(set) var probabilities: [Double] = []
  /// The logarithm of the softmax's denominator.
  public package(set) var logSumExp = -Double.infinity
  /// The sink's logit.
  public package(set) var sink: Double?
  /// Whether keys that are seen have a score of −∞, from infinite keys or queries: they stand in none of these lists.
  public package(set) var hasMinusInfinity = false
  /// Whether all scores are finite and there is at least one: the rest means nothing otherwise.
  public package(set) var isRegular = false

  /// Nothing; storage is kept from query to query.
  public init() {}

  /// Σ p log(1/p) over keys and sink, in nats: log n where all is equal, 0 where one has all.
  public var entropy: Double {
    var h = probabilities.reduce(0) { $0 + ($1 > 0 ? -$1 * Double.log($1) : 0) }
    if let sink {
      let p = Double.exp(sink - logSumExp)
      if p > 0 { h -= p * Double.log(p) }
    }
    return h
  }

  /// ‖diag(p) − p pᵀ‖ in Frobenius' norm: how much of a gradient passes the softmax. At most 1/2 at two equal keys, 0 where one key
  /// has all.
  ///
  /// ‖·‖² = Σ pᵢ²(1 − pᵢ)² + Σ_{i≠j} pᵢ²pⱼ²; each 1 − pᵢ is summed from the others', so that nothing cancels.
  public var jacobianNorm: Double {
    guard isRegular else { return .nan }
    var squares = 0.0
    var before = 0.0
    var peak = 0
    for (i, p) in probabilities.enumerated() {
      squares += 2 * before * p * p
      before += p * p
      if p > probabilities[peak] { peak = i }
    }
    var rest = sink.map { Double.exp($0 - logSumExp) } ?? 0
    for (i, p) in probabilities.enumerated() where i != peak { rest += p }
    for (i, p) in probabilities.enumerated() {
      let other = i == peak ? rest : 1 - p
      squares += p * p * other * other
    }
    return squares.squareRoot()
  }
}
