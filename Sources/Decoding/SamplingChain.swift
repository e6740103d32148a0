import NumKit

/// The cuts of a rule as somebody makes them: in which order, and where each ends. As asked unless said otherwise; every chain keeps the
/// first tokens of its order.
struct SamplingChain: Sendable, Hashable {
  /// What is done to a row, one after the other.
  enum Step: Sendable, Hashable { case temperature, topK, topP, minP }

  /// Where top-p ends.
  enum Edge: Sendable, Hashable {
    /// With the first token with which the sum is p or more.
    case reaching
    /// With the first with which it is more than p.
    case beyond
    /// With the last with which it is p or less.
    case within
    /// One token later than asked.
    case oneMore
  }

  /// What weights are shares of.
  enum Whole: Sendable, Hashable { case kept, leftByTopK, all }

  /// What is cut.
  var rule: SamplingRule
  /// In which order.
  var steps: [Step] = [.temperature, .topK, .topP, .minP]
  /// Whether of equal logits the larger index comes first.
  var tiesLast = false
  /// Whether top-k keeps all that are equal to the last it keeps.
  var keepsTies = false
  var edge = Edge.reaching
  /// Whether min-p asks for that probability itself, not for that share of the largest.
  var isAbsolute = false
  var whole = Whole.kept

  init(_ rule: SamplingRule) { self.rule = rule }

  /// How many of sorted logits top-k keeps.
  func reach(of k: Int, _ sorted: [Double]) -> Int {
    guard keepsTies, k <= sorted.count else { return k }
    return sorted.lastIndex { $0 >= sorted[k - 1] }.map { $0 + 1 } ?? k
  }

  /// What logits are divided by in the end.
  var temperature: Double { steps.contains(.temperature) ? rule.temperature : 1 }
}
