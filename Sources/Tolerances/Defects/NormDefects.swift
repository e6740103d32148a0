import NumKit

/// A normalisation as a right kernel of ours computes it: what defects are planted in.
struct PlantedNorm {
  /// The right kernel.
  let algorithm: NormAlgorithm
  /// Its formats.
  let configuration: KernelConfiguration
  /// As it stores them.
  let parameters: NormParameters
  /// The rows, as it stores them.
  let context: NormContext

  /// The kernel with its formats changed.
  func kernel(_ change: (inout KernelConfiguration) -> Void = { _ in }) throws -> NormCandidate {
    var other = configuration
    change(&other)
    return try NormCandidate(algorithm, other, parameters: parameters)
  }
}

/// What kernels of normalisations get wrong: one line each.
enum NormDefects {
  typealias Defect = PlantedDefect<NormQuestion>

  static func all(_ right: PlantedNorm) throws -> [Defect] {
    let kernel = try right.kernel()
    return try formats(right) + questions(right)
      + ResultDefect.allCases.map { Defect($0, kernel, right.context.format) }
  }

  /// Formats that are shorter than they should be.
  private static func formats(_ right: PlantedNorm) throws -> [Defect] {
    let (configuration, dtype) = (right.configuration, right.context.format)
    let shorter = [NumberFormat.f16, .bf16].filter { $0.precision < configuration.accumulator.precision }
    var list = try shorter.map { short in
      Defect(
        "\(short.name)-accumulator", "sums in \(short.name)", try right.kernel { $0.accumulator = short })
    }
    if configuration.compute != dtype {
      list.append(
        Defect(
          "\(dtype.name)-compute", "element-wise operations in \(dtype.name)",
          try right.kernel { $0.compute = dtype }))
      list.append(
        Defect(truncating: try right.kernel { $0.storage = .float($0.compute) }, to: dtype))
    }
    return list
  }

  /// Another question than was asked, rightly answered.
  private static func questions(_ right: PlantedNorm) throws -> [Defect] {
    let changes = NormHypothesisRegistry.families.flatMap { $0.changes(right.context) } + [lostElement(right)]
    return try changes.compactMap { change in
      try ChangedNorm(change, right).map { Defect(mistake: change.name, $0) }
    }
  }

  /// What the last element adds to the mean of squares is taken from ε, which is added to it.
  private static func lostElement(_ right: PlantedNorm) -> NormChange {
    var change = NormChange("last element left out of the squares")
    let isCentered = right.algorithm.operation.isCentered
    change.item = { item in
      guard let last = item.values.last else { return }
      let n = Double(item.values.count)
      let mean = isCentered ? item.values.reduce(0, +) / n : 0
      item.parameters.epsilon -= (last - mean) * (last - mean) / n
    }
    return change
  }
}

/// The kernel, asked something else.
private struct ChangedNorm: Candidate {
  typealias Q = NormQuestion

  private let change: NormChange
  private let algorithm: NormAlgorithm
  private let configuration: KernelConfiguration
  private let parameters: NormParameters
  private var kernel: NormCandidate

  /// nil where that is no question, or the same.
  init?(_ change: NormChange, _ right: PlantedNorm) throws {
    let operation = change.operation ?? right.algorithm.operation
    guard
      let algorithm = operation == right.algorithm.operation
        ? right.algorithm : NormAlgorithm.all(for: operation).last(where: { $0.finish == .multiply })
    else { return nil }
    let length = try right.context.read(0).values.count
    var changed = right.parameters
    change.parameters?(&changed, length)
    if operation == .rmsNorm { changed.bias = [] }
    let isSame = change.operation == nil && change.item == nil && changed == right.parameters
    guard !isSame, (try? changed.check(operation, length: length)) != nil else { return nil }
    (self.change, self.algorithm, configuration) = (change, algorithm, right.configuration)
    parameters = changed
    kernel = try NormCandidate(algorithm, configuration, parameters: changed)
  }

  var name: String { kernel.name }

  func prepared() throws -> ChangedNorm {
    var own = self
    own.kernel = try kernel.prepared()
    return own
  }

  func answer(
    _ item: NormQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    var other = item
    other.parameters = parameters
    try change.item?(&other)
    // A row's own parameters need a kernel of their own.
    let kernel =
      other.parameters == parameters
      ? kernel : try NormCandidate(algorithm, configuration, parameters: other.parameters)
    kernel.answer(other, into: results, trace: &trace)
  }
}
