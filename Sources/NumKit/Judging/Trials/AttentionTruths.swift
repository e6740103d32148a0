import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// The proven outputs and log-sum-exps of all queries, in memory.
public struct AttentionTruths: Sendable {
  /// o [heads, queries, valueSize], correctly rounded.
  public let output: [Double]
  /// log Σ e^s [heads, queries], correctly rounded.
  public let logSumExp: [Double]
  /// What proved them.
  public let certificate: Certificate

  /// Answers for every query.
  ///
  /// - Throws: `UnfitAttention` where the parameters do not fit the tensors.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, format: NumberFormat,
    lseFormat: NumberFormat = .f32, overflow: Overflow = .special, threads: Int = 1
  ) throws {
    let shape = tensors.shape
    let trial = Trial(AttentionForward(parameters), candidates: [], format: format, threads: threads) { _ in
      try AttentionProver(tensors, parameters, format: format, lseFormat: lseFormat, overflow: overflow)
    }
    let (found, rows) = try trial.run(on: AttentionQueries(tensors, block: 1), observer: Rows())
    var output = [Double](repeating: 0, count: found.items * shape.valueSize)
    var logs = [Double](repeating: 0, count: found.items)
    for (row, o, lse) in rows.answers {
      for c in o.indices { output[row * shape.valueSize + c] = o[c] }
      logs[row] = lse
    }
    self.output = output
    logSumExp = logs
    certificate = found.certificate
  }

  /// Keeps every answer.
  private struct Rows: Observer {
    typealias Q = AttentionForward
    var answers: [(Int, [Double], Double)] = []
    mutating func see(stored: Answered<AttentionForward>, given: Answered<AttentionForward>) {
      answers.append((stored.item.row, stored.truths[0].rounded, stored.truths[1].rounded[0]))
    }
    mutating func merge(_ other: Rows) { answers += other.answers }
  }
}
