import NumKit
import Reports

/// What is said of rows that have no answer in the reals: how many, why, what the policy gives them and which one gives numbers.
extension UnansweredRows {
  /// Of so many rows of an operation; nil where all have answers.
  func message(rows: Int, _ operation: RowOperation, _ policy: SpecialValues) -> String? {
    var parts: [String] = []
    func say(_ n: Int, _ one: String, _ many: String, _ gives: String) {
      guard n > 0 else { return }
      let of = "\(Figures.count(n)) of \(Figures.count(rows)) \(rows == 1 ? "row" : "rows")"
      parts.append("\(of) \(n == 1 ? one : many): \(gives)")
    }
    say(masked, "is all -inf", "are all -inf", Self.offers(policy) { Self.ofMasked($0, operation) })
    say(
      infinite, "has +inf", "have +inf",
      Self.offers(policy) { $0 == .ieee ? "NaN" : "what the limit does, an equal share to each +inf" })
    say(nan, "has a NaN", "have a NaN", "every policy gives NaN")
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// `policy 'ieee' gives NaN; 'safe' gives 0, 'uniform' 1/n`.
  static func offers(_ policy: SpecialValues, _ gives: (SpecialValues) -> String) -> String {
    var others: [String] = []
    for other in SpecialValues.allCases where other != policy {
      others.append("'\(other.rawValue)' \(gives(other))")
    }
    return "policy '\(policy.rawValue)' gives \(gives(policy)); " + others.joined(separator: ", ")
  }

  private static func ofMasked(_ policy: SpecialValues, _ operation: RowOperation) -> String {
    switch (policy, operation) {
    case (.ieee, _): "NaN"
    case (.safe, .logSoftmax): "-inf"
    case (.safe, .crossEntropy): "inf"
    case (.safe, .crossEntropyGradient): "0, -1 at the target"
    case (.safe, _): "0"
    case (.uniform, .softmax): "1/n"
    case (.uniform, .logSoftmax): "-log n"
    case (.uniform, .crossEntropy): "log n"
    case (.uniform, _): "what equal logits do"
    }
  }
}

/// The same of queries that see no key.
enum BlindQueries {
  static func finding(
    _ parameters: AttentionParameters, _ shape: AttentionShape, isBackward: Bool = false
  ) -> Finding? {
    let count = parameters.blindQueries(shape)
    guard count > 0 else { return nil }
    let all = shape.heads * shape.queries
    let policy = parameters.specialValues
    let offers = UnansweredRows.offers(policy) {
      switch $0 {
      case .ieee: "NaN"
      case .safe: "0"
      case .uniform: isBackward ? "the gradient of the values' mean" : "the values' mean"
      }
    }
    // One such query spoils the sums over all of them.
    let takes =
      isBackward && policy == .ieee ? "; all of dK and dV of their key heads become NaN with it" : ""
    let of = "\(Figures.count(count)) of \(Figures.count(all)) \(all == 1 ? "query" : "queries")"
    return Finding(
      "rows-without-answer", "", "\(of) \(count == 1 ? "sees" : "see") no key: \(offers)\(takes)", warns: true
    )
  }
}
