/// Attention without a softmax (Katharopoulos et al., "Transformers are RNNs", arXiv 2006.16236), causal: row t is the query of token t,
/// its results are Σ_{j ≤ t} φ(q)·φ(kⱼ) vⱼ / Σ_{j ≤ t} φ(q)·φ(kⱼ) with a positive feature map φ of each number; or the numerator alone.
public struct LinearAttentionFormula: Formula {
  /// φ.
  public enum FeatureMap: String, Sendable, CaseIterable {
    /// x + 1 above 0, e^x below: elu(x) + 1.
    case elu
    /// e^x.
    case exp
    /// max(x, 0): a query that meets no key has no answer.
    case relu
  }

  /// The tokens that a query meets.
  public enum Reach: Sendable, Hashable {
    /// Those up to its own.
    case causal
    /// Those before its own: the first query meets none.
    case before
    /// All.
    case all
  }

  /// φ.
  public var map: FeatureMap
  /// Which tokens a query meets.
  public var reach = Reach.causal
  /// Whether sums are divided by those of the weights.
  public var isNormalized = true
  /// One row a token, as many numbers as a query has.
  public var keys: [[Double]]
  /// One row a token.
  public var values: [[Double]]
  /// Tokens that the chunked form takes at a time.
  public var chunk: Int

  /// All parts.
  public init(_ map: FeatureMap, keys: [[Double]], values: [[Double]], chunk: Int = 64) {
    (self.map, self.keys, self.values, self.chunk) = (map, keys, values, chunk)
  }

  public var name: String { "linear-attention" }
  public func resultCount(length: Int) -> Int { values.first?.count ?? 0 }

  public func check(length: Int) throws {
    guard let width = values.first?.count, width > 0, values.allSatisfy({ $0.count == width }) else {
      throw UnfitFormula("values of several lengths, or none")
    }
    guard keys.count == values.count, keys.allSatisfy({ $0.count == length }) else {
      throw UnfitFormula("\(keys.count) keys and \(values.count) values for queries of \(length)")
    }
    if chunk < 1 { throw UnfitFormula("a chunk of \(chunk): it must be 1 or more") }
    if !(keys + values).allSatisfy({ $0.allSatisfy(\.isFinite) }) {
      throw UnfitFormula("a key or value is not finite")
    }
  }

  /// How many tokens row `row` meets.
  public func tokens(_ row: Int) -> Int {
    switch reach {
    case .causal: row + 1
    case .before: row
    case .all: keys.count
    }
  }

  public func stored(_ round: (Double) -> Double) -> LinearAttentionFormula {
    var copy = self
    copy.keys = keys.map { $0.map(round) }
    copy.values = values.map { $0.map(round) }
    return copy
  }

  public func hasAnswer(_ row: Int, _ x: [Double]) -> Bool {
    guard x.allSatisfy(\.isFinite) else { return false }
    if !isNormalized || map != .relu && tokens(row) > 0 { return true }
    return keys.prefix(tokens(row)).contains { key in zip(x, key).contains { $0 > 0 && $1 > 0 } }
  }
}
