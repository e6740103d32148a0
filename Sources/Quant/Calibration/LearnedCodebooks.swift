/// any4's codebooks weighted by the activations (arXiv 2507.04610, §3.3; the code's `sample_weight=calibrate`, `scale_sample_weight`): an
/// element counts the magnitude of its input's mean, times its group's scale.
struct LearnedCodebooks: Calibration {
  var name: String { "any4" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("any4 takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    guard let scheme = scheme as? Any4 else {
      throw CureError.parameter("any4 weighs the codebooks of any4, which \(scheme.name) has none of")
    }
    _ = try scheme.byteCount(rows: tensor.rows, columns: tensor.columns)
    let activations = try context.activations(for: name, columns: tensor.columns)
    var sums = [Double](repeating: 0, count: tensor.columns)
    for i in activations.values.indices { sums[i % tensor.columns] += Double(activations.values[i]) }
    return Coder(scheme: scheme, strengths: sums.map { ($0 / Double(max(activations.rows, 1))).magnitude })
  }

  private struct Coder: BandCoder {
    let scheme: Any4
    let strengths: [Double]
    var rowUnit: Int { 1 }
    var sharedBits: Int { 0 }

    func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
      try band.coded(by: scheme) {
        try scheme.encode($0, rows: band.rows, columns: band.columns, strengths: strengths, into: $1)
      }
    }
  }
}
