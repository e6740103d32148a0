import NumKit

extension MutationStudy where Q == AttentionForward {
  /// Defects of attention, of which each is planted that has a meaning in `runner` and for what is asked.
  ///
  /// - Parameter tensors: as the kernel stores them.
  public init(
    _ runner: AttentionRunner, on tensors: AttentionInputs, _ parameters: AttentionParameters,
    rules: [ToleranceRule], threads: Int = 1
  ) {
    let right = PlantedAttention(runner: runner, tensors: tensors, parameters: parameters)
    let format = runner.outputFormat
    let plain = right.kernel {
      $0.algorithm = .standard
      $0.configuration.compute = format
      $0.configuration.accumulator = format
      $0.probabilities = nil
    }
    var trial = Trial(
      AttentionForward(parameters, logSumExp: false), candidates: [right.kernel()], format: format,
      threads: threads
    ) { _ in try AttentionProver(tensors, parameters, format: format) }
    // What is asked together is answered at once.
    let rows = tensors.shape.heads * tensors.shape.queries
    trial.chunk = max(1, min(64, rows / (2 * max(threads, 1))))
    self.init(
      trial, plain: plain, defects: AttentionDefects.all(right), rules: rules)
  }
}
