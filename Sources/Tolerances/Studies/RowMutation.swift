import NumKit

extension MutationStudy where Q == RowQuestion {
  /// Defects of softmax, log-softmax or log-sum-exp, of which each is planted that has a meaning for `operation`.
  ///
  /// - Parameter rows: those that the study will run on, as given.
  /// - Precondition: the storage is a float format.
  public init(
    _ operation: RowOperation, _ configuration: KernelConfiguration, on rows: some RowSource,
    defects: [Defect] = DefectRegistry.all, rules: [ToleranceRule] = RuleRegistry.all, threads: Int = 1
  ) {
    let format = configuration.storage.numberFormat ?? .f32
    let right = Steps(
      storage: format, compute: configuration.compute, accumulator: configuration.accumulator)
    let plan = Algorithm.all(for: operation, dtype: configuration.storage).first {
      $0.description == "shifted:pairwise"
    }
    func kernel(_ steps: Steps, promising plan: Algorithm? = nil) -> SteppedKernel {
      SteppedKernel(steps, inPlaceOf: right, operation, promising: plan) { index in
        var x = [Double](repeating: 0, count: rows.length)
        try x.withUnsafeMutableBufferPointer { try rows.read(index, into: $0) }
        return x
      }
    }
    var trial = Trial(
      RowQuestion(operation), candidates: [kernel(right, promising: plan)], format: format, threads: threads
    ) { _ in RowProver(operation, format: format) }
    trial.chunk = 1
    self.init(
      trial, plain: kernel(Steps(storage: format, compute: format, accumulator: format)),
      defects: defects.compactMap { defect in
        defect.planted(in: right, operation).map {
          PlantedDefect(defect.name, defect.summary, kernel($0))
        }
      }, rules: rules.map { $0.of(operation) })
  }
}
