import Reports

/// Columns of what an exponential's error does further on.
enum ReachColumns {
  static let stored = Column(
    "stored in", "storage", .decides, "what logits and results are stored in", align: .left, key: true)
  static let softmax = Column(
    "softmax ulp", "softmax.ulp", .decides, "the largest error of a probability", unit: "ulp",
    sense: .lowerIsBetter)
  static let atPeak = Column(
    "softmax at peak", "softmax.atPeak", .decides, "the same in ulps of the row's largest probability",
    unit: "ulp",
    sense: .lowerIsBetter)
  static let logSumExp = Column(
    "lse ulp", "lse.ulp", .decides, "the largest error of a log-sum-exp", unit: "ulp", sense: .lowerIsBetter)
  static let moved = Column(
    "weights moved", "weights.moved", .decides,
    "the largest sum of |computed - exact| over a row's probabilities: what an output of attention over values of at most 1 can "
      + "be off by", sense: .lowerIsBetter)

  static let output = Column(
    "output off by", "output.error", .decides,
    "the largest error of an output of attention over values drawn from [-1, 1], weights and output stored",
    sense: .lowerIsBetter)

  static let all = [stored, softmax, atPeak, logSumExp, moved, output]
}
