/// Metrics that contradict each other: a good one hides what another shows.
public enum MetricDisagreement: Sendable, Hashable, CustomStringConvertible {
  /// The direction is right, the size is not: cosine ≥ 0.998 with ‖x̂ − x‖ > 0.1 ‖x‖.
  case size(cosine: Double, relativeL2: Double)
  /// A few large values carry the score: ‖x̂ − x‖ ≤ 0.3 ‖x‖ with a relative L1 more than 3 times that and above 0.1.
  case smallValues(relativeL2: Double, relativeL1: Double)
  /// Single elements are far off: the largest error is more than 32 times the root mean square, which is fine.
  case peaks(relativeL2: Double, peakToRMS: Double)
  /// Channels are lost: ‖x̂ − x‖ ≤ 0.1 ‖x‖ over all, but more than half of ‖x‖ in some channels.
  case channels(relativeL2: Double, lost: Int, of: Int)
  /// Cosine ≥ 0.998, yet the rows as logits give another softmax: mean KL > 0.01 nats.
  case logits(cosine: Double, divergence: Double)
  /// Finite numbers became NaN or ±∞, which no average counts.
  case lost(count: Int)

  public var description: String {
    func short(_ x: Double) -> String { String(describing: (x * 1e4).rounded() / 1e4) }
    switch self {
    case .size(let cosine, let relative):
      return "cosine \(short(cosine)) is fine, but the size is off: relative L2 \(short(relative))"
    case .smallValues(let l2, let l1):
      return "a few large values carry the score: relative L2 \(short(l2)), relative L1 \(short(l1))"
    case .peaks(let l2, let ratio):
      return "relative L2 \(short(l2)) is fine, but the largest error is \(short(ratio)) times the rms"
    case .channels(let l2, let lost, let all):
      return "relative L2 \(short(l2)) is fine, but \(lost) of \(all) channels lose more than half"
    case .logits(let cosine, let divergence):
      return "cosine \(short(cosine)) is fine, but as logits KL is \(short(divergence)) nats"
    case .lost(let count): return "\(count) finite numbers became NaN or infinite and are in no average"
    }
  }
}

extension SchemeMeasurement {
  /// The disagreements among the metrics; `divergence` in place of that of the sampled rows.
  public func disagreements(divergence: SoftmaxDivergence? = nil) -> [MetricDisagreement] {
    let divergence = divergence ?? self.divergence
    var found: [MetricDisagreement] = []
    let (l2, l1, cosine) = (statistics.relativeL2, statistics.relativeL1, statistics.cosine)
    if statistics.lostCount > 0 { found.append(.lost(count: statistics.lostCount)) }
    if cosine >= 0.998 && l2 > 0.1 { found.append(.size(cosine: cosine, relativeL2: l2)) }
    if l2 <= 0.3 && l1 > max(3 * l2, 0.1) {
      found.append(.smallValues(relativeL2: l2, relativeL1: l1))
    }
    let rms = statistics.mse.squareRoot()
    if l2 <= 0.1 && rms > 0 && statistics.maxAbsoluteError > 32 * rms {
      found.append(.peaks(relativeL2: l2, peakToRMS: statistics.maxAbsoluteError / rms))
    }
    if l2 <= 0.1 {
      let lost = places.lostChannels
      if lost > 0 { found.append(.channels(relativeL2: l2, lost: lost, of: places.columns)) }
    }
    if cosine >= 0.998 && divergence.mean > 0.01 {
      found.append(.logits(cosine: cosine, divergence: divergence.mean))
    }
    return found
  }
}
