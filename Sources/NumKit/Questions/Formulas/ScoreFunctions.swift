/// How well a query s goes with keys h₁ … h_n. A row is a query, its results are one score a key, or the softmax of them.
public struct ScoreFormula: Formula {
  /// From query and key to score.
  public enum Function: String, Sendable, CaseIterable {
    /// s·h.
    case dot
    /// sᵀWh (Luong, Pham, Manning, arXiv 1508.04025).
    case general
    /// vᵀ tanh(Ws + Uh) (Bahdanau, Cho, Bengio, arXiv 1409.0473).
    case additive
  }

  /// Which.
  public var function: Function
  /// Whether results are the weights that attention gives the keys, and no scores.
  public var isNormalized: Bool
  /// The keys, one row each.
  public var keys: [[Double]]
  /// W: as many rows as a query has numbers (general) or as v has (additive).
  public var queryWeights: [[Double]]
  /// U: as many rows as v has numbers.
  public var keyWeights: [[Double]]
  /// v.
  public var combination: [Double]

  /// All parts; what a function has no use for stays empty.
  public init(
    _ function: Function, isNormalized: Bool = false, keys: [[Double]], queryWeights: [[Double]] = [],
    keyWeights: [[Double]] = [], combination: [Double] = []
  ) {
    (self.function, self.isNormalized, self.keys) = (function, isNormalized, keys)
    (self.queryWeights, self.keyWeights, self.combination) = (queryWeights, keyWeights, combination)
  }

  public var name: String { "scores" }
  public func resultCount(length: Int) -> Int { keys.count }

  public func check(length: Int) throws {
    guard let width = keys.first?.count, width > 0, keys.allSatisfy({ $0.count == width }) else {
      throw UnfitFormula("keys of several lengths, or none")
    }
    func fits(_ m: [[Double]], _ rows: Int, _ columns: Int) -> Bool {
      m.count == rows && m.allSatisfy { $0.count == columns }
    }
    let fits =
      switch function {
      case .dot: width == length
      case .general: fits(queryWeights, length, width)
      case .additive:
        !combination.isEmpty && fits(queryWeights, combination.count, length)
          && fits(keyWeights, combination.count, width)
      }
    if !fits { throw UnfitFormula("weights that do not fit queries of \(length) and keys of \(width)") }
    let all = keys + queryWeights + keyWeights + [combination]
    if !all.allSatisfy({ $0.allSatisfy(\.isFinite) }) { throw UnfitFormula("a key or weight is not finite") }
  }

  public func stored(_ round: (Double) -> Double) -> ScoreFormula {
    var copy = self
    copy.keys = keys.map { $0.map(round) }
    copy.queryWeights = queryWeights.map { $0.map(round) }
    copy.keyWeights = keyWeights.map { $0.map(round) }
    copy.combination = combination.map(round)
    return copy
  }
}
