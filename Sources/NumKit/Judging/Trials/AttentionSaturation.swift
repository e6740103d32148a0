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

  private final class Worker {
    let reference: AttentionReference
    var squares = ExactSum()
    var entropy = ExactSum()
    var peak = ExactSum()
    var norm = ExactSum()
    var scores = 0
    var rows = 0
    var saturated = 0
    init(_ reference: AttentionReference) { self.reference = reference }
  }

  /// Measures every query.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, threshold: Double, threads: Int = 1
  ) throws {
    let shape = tensors.shape
    let w = try ParallelRows(threads: threads, chunk: 8).reduce(
      count: shape.heads * shape.queries, progress: nil,
      make: { Worker(try AttentionReference(tensors, parameters, format: .f32)) },
      body: { w, row in
        let reference = w.reference
        var (truth, lse) = (Truth(), Truth())
        reference.answer(head: row / shape.queries, query: row % shape.queries, into: &truth, logSumExp: &lse)
        let p = reference.profile
        // One key alone has no gradient whatever its score.
        guard p.isRegular, p.keys.count > 1 || p.sink != nil else { return }
        for s in p.scores { w.squares.add(s * s) }
        w.scores += p.scores.count
        w.entropy.add(p.entropy)
        w.peak.add(p.probabilities.max() ?? 0)
        let norm = p.jacobianNorm
        w.norm.add(norm)
        w.rows += 1
        if norm < threshold { w.saturated += 1 }
      },
      merge: { a, b in
        a.squares.merge(b.squares)
        a.entropy.merge(b.entropy)
        a.peak.merge(b.peak)
        a.norm.merge(b.norm)
        a.scores += b.scores
        a.rows += b.rows
        a.saturated += b.saturated
      })
    let n = Double(w.rows)
    scoreRMS = (w.squares.value / Double(w.scores)).squareRoot()
    meanEntropy = w.entropy.value / n
    meanPeak = w.peak.value / n
    meanNorm = w.norm.value / n
    share = Double(w.saturated) / n
  }
}
