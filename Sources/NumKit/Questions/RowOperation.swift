/// What can be asked of a row of logits x₁ … xₙ: the question, shared by the kernels that answer it and by the truth
/// that judges them. In every formula x stands for x/τ, with τ the temperature.
public enum RowOperation: String, Sendable, CaseIterable {
  /// pᵢ = e^xᵢ / Σⱼ e^xⱼ; n results.
  case softmax
  /// xᵢ − log Σⱼ e^xⱼ; n results.
  case logSoftmax = "logsoftmax"
  /// log Σⱼ e^xⱼ; one result.
  case logSumExp = "lse"
  /// 1 / (1 + e^−xᵢ); n results, each of its own element.
  case sigmoid
  /// log Σⱼ e^xⱼ − x_t, for the target index t; one result.
  case crossEntropy = "crossentropy"
  /// pᵢ − [i = t], the gradient of the cross-entropy with respect to x; n results.
  case crossEntropyGradient = "crossentropy-gradient"
  /// pᵢ (δᵢⱼ − pⱼ), row by row; n² results.
  case softmaxJacobian = "softmax-jacobian"
  /// pᵢ (vᵢ − Σⱼ pⱼ vⱼ) for a cotangent v; n results.
  case softmaxVJP = "softmax-vjp"

  /// How many results a row of `length` has.
  public func resultCount(length: Int) -> Int {
    switch self {
    case .softmax, .logSoftmax, .sigmoid, .crossEntropyGradient, .softmaxVJP: return length
    case .logSumExp, .crossEntropy: return 1
    case .softmaxJacobian: return length * length
    }
  }
}

/// What a question needs beside its row.
public struct OperationParameters: Sendable, Hashable {
  /// τ ≥ 0: the row is divided by it. 0 is the limit τ → 0 (all mass on the largest logits, shared equally), ∞ the
  /// limit τ → ∞ (uniform).
  public var temperature: Double
  /// t: the index of the true class, for the cross-entropy and its gradient.
  public var target: Int
  /// v: one number for each logit, for the vector–Jacobian product.
  public var cotangent: [Double]
  /// What rows without an answer in the reals answer.
  public var specialValues: SpecialValues

  /// τ = 1, target 0, no cotangent, IEEE special values.
  public init(
    temperature: Double = 1, target: Int = 0, cotangent: [Double] = [], specialValues: SpecialValues = .ieee
  ) {
    self.temperature = temperature
    self.target = target
    self.cotangent = cotangent
    self.specialValues = specialValues
  }
}

/// A policy for rows that have no answer in the reals: all −∞ (a fully masked row), or +∞ present.
///
/// NaN in a row makes every result of it NaN under each policy; LSE of nothing but −∞ is −∞ and with +∞ present
/// +∞ under each.
public enum SpecialValues: String, Sendable, Hashable, CaseIterable {
  /// What the formula gives in IEEE arithmetic after the shift: ∞ − ∞ = NaN in every entry.
  case ieee
  /// A fully masked row is all 0. Where +∞ is present its entries share the mass equally (the limit).
  case safe
  /// A fully masked row is 1/n in each entry. Where +∞ is present its entries share the mass equally.
  case uniform
}
