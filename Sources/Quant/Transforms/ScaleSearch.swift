import CSchemes

/// AWQ's scale search (Lin et al., arXiv 2306.00978, §3.2): s = (mean|X|)^α by channel, divided by √(max s · min s), with the α that makes the
/// error smallest.
///
/// With activations X the tensor is a weight: W·s, in f32, and of the α of 0, 0.05 … 0.95 that of the least ‖X(Ŵ − W)ᵀ‖², as the authors'
/// code has it (llm-awq's `auto_scale_module`); s is at least 10⁻⁴ before it is divided. `duo`: AutoAWQ's `duo_scaling`, which it has by
/// default, s = (mean|X|)^α / (m^(1 − α) + 10⁻⁴), where m is the mean of |w| over the largest of its group.
///
/// Without activations the tensor is its own witness: X/s, in bf16, α up to 1, and all columns count alike.
struct ScaleSearch: Transform {
  let isDuo: Bool
  var name: String { isDuo ? "awq:duo" : "awq" }

  static let words: KeyValuePairs = ["duo": "by the weights' mean too (AutoAWQ's default)"]

  init(_ number: Double?, _ words: Set<String> = []) throws {
    if number != nil { throw CureError.parameter("awq takes no number") }
    isDuo = words.contains("duo")
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let (rows, columns) = (tensor.rows, tensor.columns)
    _ = try scheme.byteCount(rows: rows, columns: columns)
    let tried: [ColumnScales]
    if context.activations != nil || isDuo {
      let activations = try context.activations(for: name, columns: columns)
      tried = try weightScales(tensor, scheme, activations)
    } else {
      tried = Self.ownScales(try tensor.columnMeans())
    }
    let coders = try Self.coders(tensor, scheme, tried)
    var errors = [Double](repeating: 0, count: tried.count)
    let product = context.activations.map { ProductError($0) }
    try tensor.forEach(unit: coders.map(\.rowUnit).reduce(1, leastCommonMultiple)) { first, band in
      for (k, scales) in tried.enumerated() {
        var changed = band
        scales.apply(&changed, firstRow: first)
        var (decoded, _) = try coders[k].code(changed, firstRow: first)
        scales.undo(&decoded, given: band, firstRow: first)
        if let product {
          errors[k] += product.sum(decoded, band)
        } else {
          for i in band.values.indices {
            let e = Double(decoded.values[i]) - Double(band.values[i])
            errors[k] += e * e
          }
        }
      }
    }
    var best: (error: Double, scales: ColumnScales)?
    for (scales, error) in zip(tried, errors) where error < best?.error ?? .infinity {
      best = (error, scales)
    }
    return best?.scales ?? ColumnScales([Double](repeating: 1, count: columns))
  }

  /// A coder for each choice of scales; reads the tensor where a scheme must know all of it.
  private static func coders(
    _ tensor: TensorBands, _ scheme: any Scheme, _ tried: [ColumnScales]
  ) throws -> [SchemeCoder] {
    var surveys: [TensorSurvey] = []
    if scheme.needsSurvey {
      surveys = tried.map { _ in TensorSurvey(columns: tensor.columns, for: [scheme]) }
      try tensor.forEach { first, band in
        for (k, scales) in tried.enumerated() {
          var changed = band
          scales.apply(&changed, firstRow: first)
          surveys[k].add(changed)
        }
      }
    }
    return try tried.indices.map {
      try SchemeCoder(
        scheme, rows: tensor.rows, columns: tensor.columns,
        survey: surveys.indices.contains($0) ? surveys[$0] : nil)
    }
  }

  private static func ownScales(_ means: [Double]) -> [ColumnScales] {
    (0...20).map { step in
      let powers = means.map { nc_pow(max($0, 1e-4), Double(step) / 20) }
      let norm = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
      return ColumnScales(powers.map { $0 / norm })
    }
  }

  private func weightScales(
    _ tensor: TensorBands, _ scheme: any Scheme, _ activations: TensorMatrix
  ) throws -> [ColumnScales] {
    let inputs = try TensorBands(activations).columnMeans().map { Double(Float($0)) }
    let weights = isDuo ? try Self.shares(tensor, scheme) : []
    return (0..<20).map { step in
      let ratio = Double(step) / 20
      let powers = inputs.indices.map { j in
        let power = nc_pow(inputs[j], ratio)
        guard isDuo else { return Float(max(power, 1e-4)) }
        return Float(max(power / (nc_pow(weights[j], 1 - ratio) + 1e-4), 1e-4))
      }
      let norm = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
      return ColumnScales(single: powers.map { $0 / norm }, multiplies: true)
    }
  }

  /// The mean over rows of each column's |w| over the largest of its group.
  private static func shares(_ tensor: TensorBands, _ scheme: any Scheme) throws -> [Double] {
    let layout = GroupLayout(scheme, rows: tensor.rows, columns: tensor.columns)
    let shared = try layout.sharedMaxima(tensor)
    var sums = [Double](repeating: 0, count: tensor.columns)
    try tensor.forEach(unit: layout.unit) { _, band in
      let largest = layout.maxima(shared, band)
      layout.groups(rows: band.rows).forEachRun { group, elements in
        let most = largest[group] + 1e-6
        for i in elements { sums[i % band.columns] += Double(band.values[i].magnitude / most) }
      }
    }
    return sums.map { $0 / Double(max(tensor.rows, 1)) }
  }
}

/// ‖X(Ŵ − W)ᵀ‖².
private struct ProductError {
  /// An input a row.
  private let inputs: [Double]
  private let tokens: Int

  init(_ x: TensorMatrix) {
    tokens = x.rows
    var inputs = [Double](repeating: 0, count: x.values.count)
    for i in x.values.indices { inputs[i % x.columns * x.rows + i / x.columns] = Double(x.values[i]) }
    self.inputs = inputs
  }

  func sum(_ decoded: TensorMatrix, _ given: TensorMatrix) -> Double {
    var total = 0.0
    var product = [Double](repeating: 0, count: tokens)
    inputs.withUnsafeBufferPointer { inputs in
      guard let x = inputs.baseAddress else { return }
      for row in 0..<given.rows {
        for t in product.indices { product[t] = 0 }
        for j in 0..<given.columns {
          let i = row * given.columns + j
          let e = Double(decoded.values[i]) - Double(given.values[i])
          if e != 0 { nc_add_scaled(&product, x + j * tokens, e, tokens) }
        }
        total = product.reduce(total) { $0 + $1 * $1 }
      }
    }
    return total
  }
}
