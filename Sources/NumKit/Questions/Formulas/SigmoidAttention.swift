import NumKitNumbers

/// Attention whose weights need not add up to 1 (Ramapuram et al., "Theory, Analysis, and Best Practices for Sigmoid Self-Attention",
/// arXiv 2409.04431): a row is a query, its results are Σⱼ σ(scale·q·kⱼ + b) vⱼ.
public struct SigmoidAttentionFormula: Formula {
  /// One row a key, as many numbers as a query has.
  public var keys: [[Double]]
  /// One row a key.
  public var values: [[Double]]
  /// What scores are multiplied by; nil for 1/√d.
  public var scale: Double?
  /// b; nil for −log n, n keys.
  public var bias: Double?
  /// Whether row t meets the keys 0 … t alone; there are as many keys as rows then.
  public var isCausal: Bool

  /// All parts.
  public init(
    keys: [[Double]], values: [[Double]], scale: Double? = nil, bias: Double? = nil, isCausal: Bool = false
  ) {
    (self.keys, self.values) = (keys, values)
    (self.scale, self.bias, self.isCausal) = (scale, bias, isCausal)
  }

  public var name: String { "sigmoid-attention" }
  public func resultCount(length: Int) -> Int { values.first?.count ?? 0 }

  public func check(length: Int) throws {
    guard let width = values.first?.count, width > 0, values.allSatisfy({ $0.count == width }) else {
      throw UnfitFormula("values of several lengths, or none")
    }
    guard keys.count == values.count, keys.allSatisfy({ $0.count == length }) else {
      throw UnfitFormula("\(keys.count) keys and \(values.count) values for queries of \(length)")
    }
    if let scale, !(scale > 0 && scale.isFinite) {
      throw UnfitFormula("a scale of \(scale): it must be above 0")
    }
    if let bias, !bias.isFinite { throw UnfitFormula("a bias of \(bias): it must be finite") }
    if !(keys + values).allSatisfy({ $0.allSatisfy(\.isFinite) }) {
      throw UnfitFormula("a key or value is not finite")
    }
  }

  /// How many keys row `row` meets.
  public func reach(_ row: Int) -> Int { isCausal ? Swift.min(row + 1, keys.count) : keys.count }

  public func stored(_ round: (Double) -> Double) -> SigmoidAttentionFormula {
    var copy = self
    copy.keys = keys.map { $0.map(round) }
    copy.values = values.map { $0.map(round) }
    return copy
  }
}
