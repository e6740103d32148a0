import NumKitQuestions

/// Another target, another policy for rows without an answer.
enum ParameterHypotheses: RowHypotheses {
  static func changes(_ context: RowContext) -> [RowChange] {
    var list: [RowChange] = []
    func add(_ name: String, _ item: @escaping @Sendable (inout RowQuestion.Item) -> Void) {
      var change = RowChange(name)
      change.item = item
      list.append(change)
    }
    if context.operation == .crossEntropy || context.operation == .crossEntropyGradient {
      add("target one too large") {
        $0.parameters.target = Swift.min($0.parameters.target + 1, $0.values.count - 1)
      }
      add("target one too small") { $0.parameters.target = Swift.max($0.parameters.target - 1, 0) }
      add("target 0 in every row") { $0.parameters.target = 0 }
    }
    for policy in SpecialValues.allCases where policy != context.parameters.specialValues {
      add("rows without an answer by policy '\(policy.rawValue)'") { $0.parameters.specialValues = policy }
    }
    return list
  }
}
