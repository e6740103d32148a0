import NumKit

extension MutationStudy where Q == NormQuestion {
  /// Defects of a normalisation, of which each is planted that has a meaning for its rows.
  ///
  /// - Throws: `NormError` where a format cannot be computed in; what `rows` throws.
  public init<Rows: RowSource>(
    _ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, on rows: NormRows<Rows>,
    rules: [ToleranceRule], threads: Int = 1
  ) throws {
    let format = configuration.storage.numberFormat ?? configuration.compute
    let (operation, parameters) = (algorithm.operation, rows.kernelParameters)
    let right = PlantedNorm(
      algorithm: algorithm, configuration: configuration, parameters: parameters,
      context: NormContext(operation, parameters, format, rows: rows.itemCount) { row in
        var item = rows.makeItem()
        var given = item
        _ = try rows.read(row, given: &given, stored: &item)
        return item
      })
    self.init(
      Trial(
        NormQuestion(operation), candidates: [try right.kernel()], format: format, threads: threads
      ) { _ in NormProver(operation, format: format) },
      plain: try right.kernel {
        $0.compute = format
        $0.accumulator = format
      }, defects: try NormDefects.all(right), rules: rules)
  }
}
