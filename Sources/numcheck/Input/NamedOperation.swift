import NumKit

/// Names an operation of a family as a type, so that one generic command serves all of the family.
protocol NamedOperation<Operation> {
  associatedtype Operation: Sendable
  static var operation: Operation { get }
  static var abstract: String { get }
}

enum SoftmaxQuestion: NamedOperation {
  static let operation = RowOperation.softmax
  static let abstract = "Softmax: e^x_i / sum of e^x_j."
}

enum LogSoftmaxQuestion: NamedOperation {
  static let operation = RowOperation.logSoftmax
  static let abstract = "Log-softmax: x_i - log of the sum of e^x_j."
}

enum LogSumExpQuestion: NamedOperation {
  static let operation = RowOperation.logSumExp
  static let abstract = "Log-sum-exp: log of the sum of e^x_j; one result a row."
}

enum SigmoidQuestion: NamedOperation {
  static let operation = RowOperation.sigmoid
  static let abstract = "Sigmoid: 1 / (1 + e^-x), element by element."
}

enum CrossEntropyQuestion: NamedOperation {
  static let operation = RowOperation.crossEntropy
  static let abstract = "Cross-entropy with a target index t: log-sum-exp - x_t; one result a row."
}

enum CrossEntropyGradientQuestion: NamedOperation {
  static let operation = RowOperation.crossEntropyGradient
  static let abstract = "The cross-entropy's gradient: softmax, less 1 at the target."
}

enum SoftmaxJacobianQuestion: NamedOperation {
  static let operation = RowOperation.softmaxJacobian
  static let abstract = "Softmax's Jacobian: S_i (delta_ij - S_j), n x n results a row."
}

enum SoftmaxVJPQuestion: NamedOperation {
  static let operation = RowOperation.softmaxVJP
  static let abstract = "Softmax's vector-Jacobian product with a cotangent v: S_i (v_i - S.v)."
}

enum RMSNormQuestion: NamedOperation {
  static let operation = Normalization.rmsNorm
  static let abstract = "RMS norm: x_i / sqrt(mean of x_j^2 + eps) * w_i."
}

enum LayerNormQuestion: NamedOperation {
  static let operation = Normalization.layerNorm
  static let abstract = "Layer norm: (x_i - mean) / sqrt(variance + eps) * w_i + b_i."
}
