import NumKit

/// Which tokens may be drawn: what is left of a row of logits after the usual cuts, in the order in which they are made (that of
/// Transformers' warpers): temperature, top-k, top-p, min-p. Each cut looks at what the one before has left.
public struct SamplingRule: Sendable, Hashable {
  /// τ > 0, finite: logits are divided by it.
  public var temperature: Double
  /// The k largest logits are kept; nil for all.
  public var topK: Int?
  /// The fewest of the largest whose probabilities add up to at least this are kept, 0 < p ≤ 1 (Holtzman et al., arXiv 1904.09751);
  /// nil for all. The largest is always kept.
  public var topP: Double?
  /// Those with at least this share of the largest probability are kept, 0 < p ≤ 1 (arXiv 2407.01082); nil for all.
  public var minP: Double?

  /// Nothing is cut unless said otherwise.
  public init(temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, minP: Double? = nil) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
  }

  /// Throws where a number is out of its range.
  public func check() throws {
    if !(temperature > 0 && temperature.isFinite) {
      throw UnfitSampling("temperature", temperature, "above 0 and finite")
    }
    if let topK, topK < 1 { throw UnfitSampling("top-k", Double(topK), "1 or more") }
    if let topP, !(topP > 0 && topP <= 1) { throw UnfitSampling("top-p", topP, "above 0 and at most 1") }
    if let minP, !(minP > 0 && minP <= 1) { throw UnfitSampling("min-p", minP, "above 0 and at most 1") }
  }
}

/// A rule that says nothing.
public struct UnfitSampling: Error, CustomStringConvertible {
  /// What is wrong.
  public let description: String
  init(_ name: String, _ x: Double, _ wanted: String) { description = "\(name) must be \(wanted), not \(x)" }
}

/// Tokens in the total order that decides every tie: the larger logit first, of equal ones the smaller index, or the larger.
func ordered(_ logits: [Double], tiesLast: Bool = false) -> [Int] {
  tiesLast
    ? logits.indices.sorted { (logits[$0], $0) > (logits[$1], $1) }
    : logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }
}
