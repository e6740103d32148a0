import NumKit

/// Decoding step by step from a cache in a storage format; its log-sum-exp is not asked for.
public struct CacheCandidate: Candidate {
  public typealias Q = AttentionForward

  private let experiment: CacheExperiment
  private let format: CacheFormat
  private var step = -1
  private var outputs: [Double] = []

  /// Decoding as `experiment` does it, from a cache in `format`.
  init(_ experiment: CacheExperiment, _ format: CacheFormat) {
    self.experiment = experiment
    self.format = format
  }

  public var name: String { format.name }

  public mutating func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    if item.query != step {
      (step, outputs) = (item.query, try experiment.decode(item.query, format))
    }
    let width = item.tensors.shape.valueSize
    for c in 0..<width { results[c] = outputs[item.head * width + c] }
  }
}
