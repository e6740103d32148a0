import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// The proven gradients of all queries, keys and values, in memory.
public struct BackwardTruths: Sendable {
  /// dQ [heads, queries, headSize], correctly rounded.
  public let q: [Double]
  /// dK [keyHeads, keys, headSize], correctly rounded.
  public let k: [Double]
  /// dV [keyHeads, keys, valueSize], correctly rounded.
  public let v: [Double]
  /// What proved them.
  public let certificate: Certificate

  /// Answers for every key head, a thread each.
  ///
  /// - Throws: `BackwardError` where something does not fit, is not finite or has no derivative here.
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters, format: NumberFormat,
    overflow: Overflow = .special, threads: Int = 1, progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    var trial = Trial(AttentionBackward(parameters), candidates: [], format: format, threads: threads) { _ in
      try BackwardProver(
        tensors, gradient: gradient, parameters, format: format, overflow: overflow, roundsOnly: true)
    }
    trial.chunk = 1
    let item = AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
    let (found, heads) = try trial.run(
      on: AttentionKeyHeads(item, stored: item), observer: Heads(), progress: progress)
    var gradients: [[Double]] = [[], [], []]
    for kv in 0..<tensors.shape.keyHeads {
      for (part, values) in (heads.answers[kv] ?? []).enumerated() { gradients[part] += values }
    }
    (q, k, v) = (gradients[0], gradients[1], gradients[2])
    certificate = found.certificate
  }

  /// Keeps every answer, by key head and part.
  private struct Heads: Observer {
    typealias Q = AttentionBackward
    var answers: [Int: [[Double]]] = [:]
    mutating func see(stored: Answered<AttentionBackward>, given: Answered<AttentionBackward>) {
      let s = stored.item.tensors.shape
      let rows = s.rows(ofKeyHead: stored.item.keyHead).count
      let truths = stored.truths
      answers[stored.item.keyHead] = [
        truths[..<rows], truths[rows..<rows + s.keys], truths[(rows + s.keys)...],
      ].map { $0.flatMap(\.rounded) }
    }
    mutating func merge(_ other: Heads) { answers.merge(other.answers) { mine, _ in mine } }
  }
}
