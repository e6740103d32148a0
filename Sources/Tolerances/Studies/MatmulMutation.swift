import NumKit

extension MutationStudy where Q == MatmulQuestion {
  /// Defects of a product, of which each is planted that has a meaning for it.
  ///
  /// - Parameter inputs: as the kernel stores them; a precondition is that numbers share no scales.
  /// - Throws: `MatmulError` where a format cannot be computed in.
  public init(
    _ order: MatmulOrder, _ configuration: MatmulConfiguration, of inputs: MatmulInputs,
    rules: [ToleranceRule], threads: Int = 1
  ) throws {
    let right = PlantedMatmul(order: order, configuration: configuration, inputs: inputs)
    let format = configuration.result
    let block = MatmulProver.block(rows: inputs.a.count, threads: threads)
    var trial = Trial(MatmulQuestion(), candidates: [try right.kernel()], format: format, threads: threads) {
      _ in MatmulProver(inputs, format: format, block: block)
    }
    trial.chunk = block
    self.init(
      trial, plain: try right.kernel(right.formats(accumulator: .float(format))),
      defects: try MatmulDefects.all(right), rules: rules)
  }
}
