import CSchemes

/// AWQ's clip search (Lin et al., arXiv 2306.00978; AutoAWQ's `_compute_best_clip`): each group is clipped at 1, 0.95 … 0.55 of its
/// largest magnitude, wherever its part of the product with the activations errs least, then quantized. Of more than 1024 tokens every
/// ⌊tokens/512⌋th counts.
struct ProductClip: Calibration {
  var name: String { "awq-clip" }

  /// Tokens that are enough.
  private static let tokens = 512

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("awq-clip takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    let inputs = Self.transposed(try context.activations(for: name, columns: tensor.columns))
    let rule = ClippingRule(
      shares: (0..<10).map { 1 - Double($0) / 20 }, limit: { $0 * Float($1) }
    ) { decoded, band, groups, losses in
      // A group of several rows errs in the products of each.
      groups.forEachRun { losses[$0] += Self.error(decoded, band, $1, inputs) }
    }
    return try ClippingTrials.coder(tensor, scheme, rule)
  }

  /// The activations that count, an input a row.
  private static func transposed(_ x: TensorMatrix) -> (values: [Double], tokens: Int) {
    let chosen = Array(stride(from: 0, to: x.rows, by: max(1, x.rows / tokens)))
    var values = [Double](repeating: 0, count: chosen.count * x.columns)
    for (t, row) in chosen.enumerated() {
      for j in 0..<x.columns { values[j * chosen.count + t] = Double(x.values[row * x.columns + j]) }
    }
    return (values, chosen.count)
  }

  /// The mean squared error over tokens of the product of a run of weights.
  private static func error(
    _ decoded: TensorMatrix, _ matrix: TensorMatrix, _ elements: Range<Int>,
    _ inputs: (values: [Double], tokens: Int)
  ) -> Double {
    let n = inputs.tokens
    var sums = [Double](repeating: 0, count: n)
    inputs.values.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return }
      for i in elements {
        let e = Double(decoded.values[i]) - Double(matrix.values[i])
        if e != 0 { nc_add_scaled(&sums, x + i % matrix.columns * n, e, n) }
      }
    }
    return sums.reduce(0) { $0 + $1 * $1 } / Double(max(n, 1))
  }
}
