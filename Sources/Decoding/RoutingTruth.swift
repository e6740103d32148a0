import NumKit

/// Which experts exact arithmetic keeps, and their weights.
///
/// Scores are known to a relative 2⁻¹⁰⁰ each (`Reference`). Two biased scores are compared as the exact sum of what stands in their
/// Doubles; where it is larger than 2⁻⁹⁰ its sign is theirs. Below, equal logits with equal biases are equal, the smaller index first;
/// anything else is not decided, and the row says so.
public struct RoutingTruth: Sendable {
  /// The kept experts, the largest biased score first.
  public let experts: [Int]
  /// Each expert's weight; 0 for those that are not kept.
  public let weights: [Double]
  /// By how much the last that is kept is ahead of the first that is not, in biased scores; ∞ where all are kept.
  public let gap: Double
  /// Whether every comparison that was made is proven.
  public let isDecided: Bool
  /// Scores, in Double.
  let scores: [Double]

  /// Decides; nil for logits that are not finite.
  public init?(_ logits: [Double], _ rule: RoutingRule) {
    guard logits.allSatisfy(\.isFinite), !logits.isEmpty else { return nil }
    var truth = Truth()
    logits.withUnsafeBufferPointer {
      Reference(rule.scoring.operation, format: .f64).answer(
        $0, parameters: OperationParameters(), into: &truth)
    }
    func parts(_ i: Int) -> [Double] {
      let scale =
        truth.exponent[i] == 0 ? 1 : Double(sign: .plus, exponent: Int(truth.exponent[i]), significand: 1)
      return [truth.high[i] * scale, truth.low[i] * scale, rule.bias(i)]
    }
    /// Biased score i less j, exactly as the Doubles have it.
    func difference(_ i: Int, _ j: Int) -> Double {
      var sum = ExactSum()
      for x in parts(i) { sum.add(x) }
      for x in parts(j) { sum.add(-x) }
      return sum.value
    }
    var isDecided = true
    func precedes(_ i: Int, _ j: Int) -> Bool {
      if logits[i] == logits[j] && rule.bias(i) == rule.bias(j) { return i < j }
      // Mostly Doubles tell: four roundings of numbers of at most 1 and the biases.
      let near = (truth.rounded[i] - truth.rounded[j]) + (rule.bias(i) - rule.bias(j))
      if near.magnitude > 0x1p-48 * (1 + rule.bias(i).magnitude + rule.bias(j).magnitude) { return near > 0 }
      let d = difference(i, j)
      if d.magnitude <= 0x1p-90 { isDecided = false }
      return d == 0 ? i < j : d > 0
    }
    let order = logits.indices.sorted(by: precedes)
    experts = Array(order.prefix(rule.topK))
    gap = order.count > rule.topK ? difference(order[rule.topK - 1], order[rule.topK]) : .infinity
    scores = truth.rounded
    var sum = ExactSum()
    for i in experts { for x in parts(i).prefix(2) { sum.add(x) } }
    var weights = [Double](repeating: 0, count: logits.count)
    for i in experts { weights[i] = truth.rounded[i] / sum.value }
    self.weights = weights
    self.isDecided = isDecided
  }
}
