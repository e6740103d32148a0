import NumKit

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

  /// The outputs of step `step` (0 for the first) for all heads, from a cache that holds the tokens so far.
  ///
  /// - Throws: `AttentionError` where the runner cannot answer, `SchemeError` where the scheme does not fit the vectors.
  public func decode(_ step: Int, _ format: CacheFormat) throws -> [Double] {
    let s = tensors.shape
    let tokens = step + 1
    func held(_ x: [Double], _ width: Int) throws -> [Double] {
      try (0..<s.keyHeads).flatMap { h in
        let start = h * s.keys * width
        return try format.decoded(x[start..<start + tokens * width], tokens: tokens, width: width)
      }
    }
    let q = (0..<s.heads).flatMap { h in
      let start = (h * s.queries + step) * s.headSize
      return Array(tensors.q[start..<start + s.headSize])
    }
    let shape = AttentionShape(
      heads: s.heads, keyHeads: s.keyHeads, queries: 1, keys: tokens, headSize: s.headSize,
      valueSize: s.valueSize)
    guard
      let made = runner.run(
        q: q, k: try held(tensors.k, s.headSize), v: try held(tensors.v, s.valueSize), shape: shape,
        parameters: AttentionParameters())
    else { throw AttentionError.cannotRun(runner) }
    return made.output
  }

  /// The errors of every format's outputs over all steps, against the truth of q, k, v as given; `progress` is told how many queries
  /// are done.
  ///
  /// - Precondition: there are as many queries as keys.
  /// - Throws: as `decode`.
  public func run(
    _ formats: [CacheFormat], progress: (@Sendable (Int) -> Void)? = nil
  ) throws -> [ErrorSums] {
    let shape = tensors.shape
    precondition(shape.queries == shape.keys, "as many queries as keys")
    let parameters = AttentionParameters(mask: AttentionMask(causal: true))
    let tensors = tensors
    var trial = Trial(
      AttentionForward(parameters, logSumExp: false), candidates: formats.map { CacheCandidate(self, $0) },
      format: .f32,
      threads: threads
    ) { _ in try AttentionProver(tensors, parameters, format: .f32, accuracy: 0x1p-24) }
    trial.measuresResults = false
    trial.measuresSums = true
    trial.chunk = 4 * shape.heads
    let found = try trial.run(on: AttentionQueries(tensors, block: 1, byStep: true), progress: progress)
    return found.entries.map { $0.parts[0].sums }
  }
}
