import NumKit

/// Temperature, target and cotangent, from flags and files.
struct QuestionInput {
  var parameters: OperationParameters
  var targets: [Int]?

  init(_ options: any ParameterChoice, _ operation: RowOperation, _ input: RowInput, seed: UInt64) throws {
    parameters = OperationParameters(
      temperature: options.temperature.value, specialValues: options.policy)
    let length = input.rows.length
    let hasTarget = operation == .crossEntropy || operation == .crossEntropyGradient
    if !hasTarget && options.target != "0" { throw UsageError("--target is for the cross-entropy") }
    if operation != .softmaxVJP && options.cotangent != nil {
      throw UsageError("--cotangent is for softmax-vjp")
    }
    if hasTarget {
      if let index = Int(options.target) {
        parameters.target = index
      } else {
        targets = try WholeTensor(options.target).values.map { value in
          guard let index = Int(exactly: value) else {
            throw UsageError("--target \(options.target): \(Figures.number(value)) is not an index")
          }
          return index
        }
      }
    }
    if operation == .softmaxVJP {
      if let file = options.cotangent {
        parameters.cotangent = try WholeTensor(file).values
      } else {
        var random = RandomSource(seed: seed, row: -1)
        parameters.cotangent = (0..<length).map { _ in random.normal() }
      }
    }
  }

  /// Throws where targets or cotangent do not fit the rows.
  func check(_ operation: RowOperation, _ input: RowInput) throws {
    // An experiment checks the same before it runs.
    try Experiment(
      operation, algorithms: [], configuration: KernelConfiguration(storage: .float(.f64)),
      parameters: parameters,
      targets: targets
    ).checkQuestion(rows: input.rows.rowCount, length: input.rows.length)
  }
}
