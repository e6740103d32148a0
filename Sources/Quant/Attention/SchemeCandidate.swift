import NumKit

/// A low-precision scheme of attention, which keeps no log-sum-exp.
public struct SchemeCandidate: Candidate {
  public typealias Q = AttentionForward

  private let kernel: LowPrecisionAttention
  private var output: [Double]
  /// What was counted of P.
  private(set) var work = LowPrecisionAttention.Work()

  /// `kernel` over all queries of its tensors.
  public init(_ kernel: LowPrecisionAttention) {
    self.kernel = kernel
    output = Array(repeating: 0, count: kernel.shape.valueSize)
  }

  public var name: String { kernel.scheme.name }

  public mutating func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    kernel.answer(head: item.head, query: item.query, into: &output, &work)
    for c in output.indices { results[c] = output[c] }
  }

  public mutating func merge(_ other: SchemeCandidate) { work.merge(other.work) }
}
