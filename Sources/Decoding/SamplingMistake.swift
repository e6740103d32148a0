/// What samplers get wrong: another chain of cuts. Those that are no other where this was asked are left out.
struct SamplingMistake: Sendable {
  let name: String
  let change: @Sendable (inout SamplingChain) -> Void

  private init(_ name: String, _ change: @escaping @Sendable (inout SamplingChain) -> Void) {
    (self.name, self.change) = (name, change)
  }

  private init(_ name: String, _ steps: [SamplingChain.Step]) { self.init(name) { $0.steps = steps } }

  /// All that there are of a rule.
  static func all(of rule: SamplingRule, isMask: Bool) -> [SamplingMistake] {
    [SamplingMistake("of equal logits the later token first") { $0.tiesLast = true }]
      + (rule.temperature == 1 ? [] : temperature(rule, isMask: isMask)) + (rule.topK == nil ? [] : topK)
      + (rule.topP == nil ? [] : topP(rule)) + (rule.minP == nil ? [] : minP(rule)) + (isMask ? [] : sums)
  }

  private static func temperature(_ rule: SamplingRule, isMask: Bool) -> [SamplingMistake] {
    var list = [
      SamplingMistake("temperature left out") { $0.rule.temperature = 1 },
      SamplingMistake("multiplied by the temperature") { $0.rule.temperature = 1 / $0.rule.temperature },
      SamplingMistake("divided by the temperature twice") { $0.rule.temperature *= $0.rule.temperature },
    ]
    // What is kept is then what is kept without one.
    if !isMask {
      list.append(SamplingMistake("cuts made before the temperature", [.topK, .topP, .minP, .temperature]))
    }
    if rule.topP != nil && rule.minP != nil {
      list.append(SamplingMistake("top-p cut before the temperature", [.topP, .temperature, .topK, .minP]))
    }
    return list
  }

  private static let topK = [
    SamplingMistake("top-k left out") { $0.rule.topK = nil },
    SamplingMistake("top-k keeps one too many") { $0.rule.topK = $0.rule.topK.map { $0 + 1 } },
    SamplingMistake("top-k keeps one too few") { $0.rule.topK = $0.rule.topK.map { Swift.max(1, $0 - 1) } },
    SamplingMistake("top-k keeps all that are equal to its last") { $0.keepsTies = true },
  ]

  private static func topP(_ rule: SamplingRule) -> [SamplingMistake] {
    let list = [
      SamplingMistake("top-p left out") { $0.rule.topP = nil },
      SamplingMistake("top-p goes on until its sum is more than p") { $0.edge = .beyond },
      SamplingMistake("top-p leaves out the token that reaches p") { $0.edge = .within },
      SamplingMistake("top-p keeps one too many") { $0.edge = .oneMore },
      SamplingMistake("1 - p in place of p") { $0.rule.topP = $0.rule.topP.map { 1 - $0 } },
    ]
    guard rule.topK != nil else { return list }
    return list + [
      SamplingMistake(
        "top-p of all tokens' probabilities, not of those that top-k left",
        [.temperature, .topP, .topK, .minP])
    ]
  }

  private static func minP(_ rule: SamplingRule) -> [SamplingMistake] {
    let list = [
      SamplingMistake("min-p left out") { $0.rule.minP = nil },
      SamplingMistake("min-p of 1, not of the largest probability") { $0.isAbsolute = true },
    ]
    guard rule.topP != nil else { return list }
    return list + [
      SamplingMistake("min-p cut before top-k and top-p", [.temperature, .minP, .topK, .topP])
    ]
  }

  private static let sums = [
    SamplingMistake("probabilities not divided by the sum of those kept") { $0.whole = .all },
    SamplingMistake("probabilities divided by the sum of those that top-k left") { $0.whole = .leftByTopK },
  ]
}
