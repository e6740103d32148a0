import NumKit

/// How a mixture of experts sends a token on: a score an expert, the k largest of score + bias kept, weights that are the kept scores'
/// shares of their sum. The bias balances load and decides alone who is kept (DeepSeek-V3, arXiv 2412.19437, §2.1.2).
public struct RoutingRule: Sendable, Hashable {
  /// What scores are.
  public enum Scoring: String, Sendable, CaseIterable {
    /// σ(x), each expert for itself.
    case sigmoid
    /// The softmax of all.
    case softmax

    /// The operation whose kernels make them.
    public var operation: RowOperation { self == .sigmoid ? .sigmoid : .softmax }
  }

  /// Scoring.
  public var scoring: Scoring
  /// How many are kept.
  public var topK: Int
  /// One number an expert; empty for none.
  public var bias: [Double]

  /// No bias unless said otherwise.
  public init(_ scoring: Scoring, topK: Int, bias: [Double] = []) {
    (self.scoring, self.topK, self.bias) = (scoring, topK, bias)
  }

  /// Throws where it says nothing about `experts`.
  public func check(experts: Int) throws {
    if !(1...experts).contains(topK) {
      throw UnfitSampling("top-k", Double(topK), "1 to the number of experts, \(experts)")
    }
    if !bias.isEmpty && bias.count != experts {
      throw UnfitSampling("the number of biases", Double(bias.count), "that of experts, \(experts)")
    }
    if let b = bias.first(where: { !$0.isFinite }) { throw UnfitSampling("a bias", b, "finite") }
  }

  /// bᵢ.
  func bias(_ i: Int) -> Double { bias.isEmpty ? 0 : bias[i] }
}
