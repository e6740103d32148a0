import CSchemes

/// A scale for each column, kept as bf16: powers of ten apart is what they have to say.
struct ColumnScales: PreparedTransform {
  let scales: [Float]
  /// Whether columns are multiplied by the scales, not divided.
  let multiplies: Bool

  /// Zeros, and what is not finite, become 1.
  init(_ wanted: [Double], multiplies: Bool = false) {
    self.multiplies = multiplies
    scales = wanted.map { x in
      guard x > 0, x.isFinite else { return 1 }
      let clamped = Float(min(max(x, 0x1p-100), 0x1p100))
      // To nearest in the upper half of the bits; never 0 or ∞ after the clamp.
      return Float(bitPattern: (clamped.bitPattern + 0x8000) & 0xffff_0000)
    }
  }

  var storedBits: Int { 16 * scales.count }

  func apply(_ band: inout TensorMatrix, firstRow: Int) { change(&band, multiply: multiplies) }
  func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int) {
    change(&band, multiply: !multiplies)
  }
  func applyOpposite(_ activations: inout TensorMatrix) { change(&activations, multiply: !multiplies) }
  func undoOpposite(_ activations: inout TensorMatrix) { change(&activations, multiply: multiplies) }

  private func change(_ matrix: inout TensorMatrix, multiply: Bool) {
    let n = scales.count
    for row in 0..<matrix.rows {
      for j in 0..<n {
        if multiply {
          matrix.values[row * n + j] *= scales[j]
        } else {
          matrix.values[row * n + j] /= scales[j]
        }
      }
    }
  }
}

/// x / max|x| by channel.
struct ChannelScale: Transform {
  var name: String { "channel-scale" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("channel-scale takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    ColumnScales(try tensor.columnMaxima().map(Double.init))
  }
}

/// SmoothQuant (Xiao et al., arXiv 2211.10438, eq. 4): s = max|X|^α / max|W|^(1 − α) by channel; X/s, W·s.
///
/// With activations in the context the tensor is W; without, it is X, and nothing is known of W: max|W| = 1.
struct Smooth: Transform {
  let alpha: Double
  var name: String { "smooth:\(shortName(alpha))" }

  init(_ number: Double?) throws {
    alpha = number ?? 0.5
    guard (0...1).contains(alpha) else { throw CureError.parameter("smooth: the share must be 0 to 1") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let maxima = try tensor.columnMaxima()
    guard let activations = context.activations else {
      return ColumnScales(maxima.map { nc_pow(Double($0), alpha) })
    }
    let scales = zip(activations.columnMaxima, maxima).map { x, w in
      nc_pow(Double(x), alpha) / nc_pow(Double(w), 1 - alpha)
    }
    return ColumnScales(scales, multiplies: true)
  }
}

/// AWQ's scale search (Lin et al., arXiv 2306.00978, §3.2): s = (mean|X|)^α by channel, normalized, with the α of 0, 0.05 … 1 that
/// makes the error smallest.
///
/// With activations X the tensor is a weight: W·s, and each column's squared error counts Σx² of its channel. Without, it is its
/// own witness: X/s, all columns count alike.
struct ScaleSearch: Transform {
  var name: String { "awq" }

  init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("awq takes no number") }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let isWeight = context.activations != nil
    let (rows, columns) = (tensor.rows, tensor.columns)
    _ = try scheme.byteCount(rows: rows, columns: columns)
    let means = try context.activations.map { try TensorBands($0).columnMeans() } ?? tensor.columnMeans()
    let weights = context.activations?.columnEnergies ?? [Double](repeating: 1, count: columns)
    var tried: [ColumnScales] = []
    for step in 0...20 {
      let powers = means.map { nc_pow(max($0, 1e-4), Double(step) / 20) }
      guard let high = powers.max(), let low = powers.min() else { break }
      let norm = (high * low).squareRoot()
      tried.append(ColumnScales(powers.map { $0 / norm }, multiplies: isWeight))
    }
    // All in one pass, or in two where a scheme must know the tensor first.
    var surveys: [TensorSurvey] = []
    if scheme.needsSurvey {
      surveys = tried.map { _ in TensorSurvey(columns: columns, for: [scheme]) }
      try tensor.forEach { first, band in
        for (k, scales) in tried.enumerated() {
          var changed = band
          scales.apply(&changed, firstRow: first)
          surveys[k].add(changed)
        }
      }
    }
    let coders = try tried.indices.map {
      try SchemeCoder(
        scheme, rows: rows, columns: columns, survey: surveys.indices.contains($0) ? surveys[$0] : nil)
    }
    var errors = [[Double]](repeating: [Double](repeating: 0, count: columns), count: tried.count)
    try tensor.forEach(unit: coders.map(\.rowUnit).reduce(1, leastCommonMultiple)) { first, band in
      for (k, scales) in tried.enumerated() {
        var changed = band
        scales.apply(&changed, firstRow: first)
        var (decoded, _) = try coders[k].code(changed, firstRow: first)
        scales.undo(&decoded, given: band, firstRow: first)
        for i in band.values.indices {
          let e = Double(decoded.values[i]) - Double(band.values[i])
          errors[k][i % columns] += e * e
        }
      }
    }
    var best: (error: Double, scales: ColumnScales)?
    for (scales, errors) in zip(tried, errors) {
      let error = zip(errors, weights).reduce(0) { $0 + $1.0 * $1.1 }
      if error < best?.error ?? .infinity { best = (error, scales) }
    }
    return best?.scales ?? ColumnScales([Double](repeating: 1, count: columns))
  }
}
