import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// How saturated the softmax of a problem's rows is, in the proven answer: what a scale of 1/√d prevents.
public struct AttentionSaturation: Sendable {
  /// √(mean s²) over the scores seen.
  public let scoreRMS: Double
  /// The mean entropy of a row, in nats.
  public let meanEntropy: Double
  /// The mean of the rows' largest probabilities.
  public let meanPeak: Double
  /// The mean Jacobian norm of a row.
  public let meanNorm: Double
  /// The share of rows whose Jacobian norm is below the threshold.
  public let share: Double

  /// Measures every query.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, threshold: Double, threads: Int = 1
  ) throws {
    let trial = Trial(
      AttentionForward(parameters, logSumExp: false), candidates: [], format: .f32, threads: threads
    ) { _ in
      try AttentionProver(tensors, parameters, format: .f32)
    }
    let (_, w) = try trial.run(
      on: AttentionQueries(tensors, block: 1), observer: Sights(threshold: threshold))
    let n = Double(w.rows)
    scoreRMS = (w.squares.value / Double(w.scores)).squareRoot()
    meanEntropy = w.entropy.value / n
    meanPeak = w.peak.value / n
    meanNorm = w.norm.value / n
    share = Double(w.saturated) / n
  }

  private struct Sights: Observer {
    typealias Q = AttentionForward
    let threshold: Double
    var squares = ExactSum()
    var entropy = ExactSum()
    var peak = ExactSum()
    var norm = ExactSum()
    var scores = 0
    var rows = 0
    var saturated = 0

    mutating func see(stored: Answered<AttentionForward>, given: Answered<AttentionForward>) {
      let p = stored.profile
      // One key alone has no gradient whatever its score.
      guard p.isRegular, p.keys.count > 1 || p.sink != nil else { return }
      for s in p.scores { squares.add(s * s) }
      scores += p.scores.count
      entropy.add(p.entropy)
      peak.add(p.probabilities.max() ?? 0)
      let jacobian = p.jacobianNorm
      norm.add(jacobian)
      rows += 1
      if jacobian < threshold { saturated += 1 }
    }

    mutating func merge(_ other: Sights) {
      squares.merge(other.squares)
      entropy.merge(other.entropy)
      peak.merge(other.peak)
      norm.merge(other.norm)
      scores += other.scores
      rows += other.rows
      saturated += other.saturated
    }
  }
}
