/// ggml's encodings with an importance matrix, as llama-quantize writes them with what llama-imatrix has collected: the mean over tokens
/// of each input's square, in f32.
struct ImportanceMatrix: Calibration {
  var name: String { "imatrix" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("imatrix takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    guard scheme is any WeightedScheme else {
      throw CureError.importanceOnly(cure: name, scheme: scheme.name)
    }
    _ = try scheme.byteCount(rows: tensor.rows, columns: tensor.columns)
    return ImportanceCoder(
      scheme: scheme,
      importance: Self.importance(try context.activations(for: name, columns: tensor.columns)))
  }

  /// Sums in f32 in the order of tokens, then divided by their number.
  static func importance(_ activations: TensorMatrix) -> [Float] {
    var sums = [Float](repeating: 0, count: activations.columns)
    for token in 0..<activations.rows {
      for j in sums.indices {
        let x = activations.values[token * sums.count + j]
        sums[j] += x * x
      }
    }
    return sums.map { $0 / Float(max(activations.rows, 1)) }
  }
}

private struct ImportanceCoder: BandCoder {
  let scheme: any Scheme
  let importance: [Float]
  var rowUnit: Int { 1 }
  // A file holds nothing of the matrix.
  var sharedBits: Int { 0 }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    try band.coded(by: scheme) {
      try GGMLSchemes.encode(
        $0, rows: band.rows, columns: band.columns, importance: importance, as: scheme, into: $1)
    }
  }
}
