import NumKitQuestions

/// Another operation than the one that was asked for.
enum OperationHypotheses: RowHypotheses {
  private static let names: [RowOperation: String] = [
    .softmax: "softmax", .logSoftmax: "log-softmax", .sigmoid: "sigmoid", .logSumExp: "log-sum-exp",
    .crossEntropy: "cross-entropy", .crossEntropyGradient: "gradient of the cross-entropy",
  ]

  static func changes(_ context: RowContext) -> [RowChange] {
    let count = context.operation.resultCount(length: context.length)
    return RowOperation.allCases.compactMap { other in
      guard other != context.operation, let name = names[other],
        other.resultCount(length: context.length) == count
      else { return nil }
      var change = RowChange("the answer of \(name)")
      change.operation = other
      return change
    }
  }
}
