import NumKit

/// A product as a right kernel of ours computes it: what defects are planted in.
struct PlantedMatmul {
  /// In which order it sums.
  let order: MatmulOrder
  /// In which formats.
  let configuration: MatmulConfiguration
  /// As it stores them.
  let inputs: MatmulInputs

  /// The kernel, of other matrices or in other formats.
  func kernel(_ other: MatmulConfiguration? = nil, of others: MatmulInputs? = nil) throws -> MatmulCandidate {
    try MatmulCandidate(order, other ?? configuration, others ?? inputs)
  }

  /// The formats, changed.
  func formats(accumulator: MatmulAccumulator? = nil, result: NumberFormat? = nil) throws
    -> MatmulConfiguration
  {
    try MatmulConfiguration(
      storage: configuration.storage, scaling: configuration.scaling,
      accumulator: accumulator ?? configuration.accumulator, result: result ?? configuration.result)
  }
}

/// What kernels of products get wrong: one line each.
enum MatmulDefects {
  typealias Defect = PlantedDefect<MatmulQuestion>

  static func all(_ right: PlantedMatmul) throws -> [Defect] {
    // Other factors and places are among the questions.
    let results: [ResultDefect] = [.onePercent, .lastLost, .mean]
    let kernel = try right.kernel()
    return try formats(right) + questions(right)
      + results.map { Defect($0, kernel, right.configuration.result) }
  }

  /// Formats that are shorter than they should be.
  private static func formats(_ right: PlantedMatmul) throws -> [Defect] {
    guard case .float(let accumulator) = right.configuration.accumulator else { return [] }
    let shorter = [NumberFormat.f16, .bf16].filter { $0.precision < accumulator.precision }
    var list = try shorter.map { short in
      Defect(
        "\(short.name)-accumulator", "products summed in \(short.name)",
        try right.kernel(right.formats(accumulator: .float(short))))
    }
    if accumulator != right.configuration.result {
      list.append(
        Defect(
          truncating: try right.kernel(right.formats(result: accumulator)), to: right.configuration.result))
    }
    return list
  }

  /// Other matrices than were given, rightly multiplied.
  private static func questions(_ right: PlantedMatmul) throws -> [Defect] {
    guard let storage = right.configuration.storage.numberFormat else { return [] }
    let context = MatmulContext(
      MatmulVerification(right.inputs, storage: storage, format: right.configuration.result))
    let others = MatmulHypothesisRegistry.families.flatMap { $0.alternatives(context) }
    return try others.compactMap { other in
      guard let change = other.change, Defect.isPlanted(other.name) else { return nil }
      var item = MatmulQuestion.Item(inputs: right.inputs, row: 0)
      try change(&item)
      return Defect(mistake: other.name, try right.kernel(of: item.inputs))
    }
  }
}
