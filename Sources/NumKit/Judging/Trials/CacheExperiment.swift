import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Decoding step by step with a cache in a storage format, against the truth of the full causal pass.
public struct CacheExperiment: Sendable {
  /// q, k, v as they are computed: as many queries as keys.
  public var tensors: AttentionInputs
  /// How attention is computed.
  public var runner: AttentionRunner
  /// How many threads work.
  public var threads: Int

  /// All parts.
  public init(_ tensors: AttentionInputs, _ runner: AttentionRunner, threads: Int = 1) {
    self.tensors = tensors
    self.runner = runner
    self.threads = threads
  }

  private final class Worker {
    var sums: [ErrorSums]
    let reference: AttentionReference
    init(_ count: Int, _ reference: AttentionReference) {
      sums = Array(repeating: ErrorSums(), count: count)
      self.reference = reference
    }
  }

  /// The outputs of step `step` (0 for the first) for all heads, from a cache that holds the tokens so far.
  public func decode(_ step: Int, _ format: CacheFormat) -> [Double]? {
    let s = tensors.shape
    let tokens = step + 1
    func held(_ x: [Double], _ width: Int) -> [Double] {
      (0..<s.keyHeads).flatMap { h in
        let start = h * s.keys * width
        return format.decoded(x[start..<start + tokens * width], tokens: tokens, width: width)
      }
    }
    let q = (0..<s.heads).flatMap { h in
      let start = (h * s.queries + step) * s.headSize
      return Array(tensors.q[start..<start + s.headSize])
    }
    let shape = AttentionShape(
      heads: s.heads, keyHeads: s.keyHeads, queries: 1, keys: tokens, headSize: s.headSize,
      valueSize: s.valueSize)
    return runner.run(
      q: q, k: held(tensors.k, s.headSize), v: held(tensors.v, s.valueSize), shape: shape,
      parameters: AttentionParameters()
    )?.output
  }

  /// The errors of every format's outputs over all steps, against the truth of q, k, v as given.
  ///
  /// - Precondition: there are as many queries as keys.
  /// - Throws: `AttentionError` where the runner cannot answer.
  public func run(_ formats: [CacheFormat]) throws -> [ErrorSums] {
    let shape = tensors.shape
    precondition(shape.queries == shape.keys, "as many queries as keys")
    let parameters = AttentionParameters(mask: AttentionMask(causal: true))
    let worker = try ParallelRows(threads: threads, chunk: 4).reduce(
      count: shape.queries, progress: nil,
      make: { Worker(formats.count, try AttentionReference(tensors, parameters, format: .f32)) },
      body: { w, step in
        let reference = w.reference
        let outputs = try formats.map { format in
          guard let o = decode(step, format) else { throw AttentionError.cannotRun(runner) }
          return o
        }
        var (truth, lse) = (Truth(), Truth())
        for h in 0..<shape.heads {
          reference.answer(head: h, query: step, into: &truth, logSumExp: &lse)
          for k in formats.indices {
            outputs[k][h * shape.valueSize..<(h + 1) * shape.valueSize].withUnsafeBufferPointer {
              w.sums[k].add($0, truth)
            }
          }
        }
      },
      merge: { a, b in for k in a.sums.indices { a.sums[k].merge(b.sums[k]) } })
    return worker.sums
  }
}
