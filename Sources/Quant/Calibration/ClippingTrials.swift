/// What groups lose where they are clipped at each share of their largest magnitude.
struct ClippingTrials: Sendable {
  private let layout: GroupLayout
  /// A coder for each share.
  private let coders: [SchemeCoder]
  /// max |a| of each group that runs through all rows.
  let sharedMaxima: [Float]

  /// Makes the scheme ready for each share; reads the tensor where it must know all of it.
  init(_ tensor: TensorBands, _ scheme: any Scheme, _ layout: GroupLayout) throws {
    let (rows, columns) = (tensor.rows, tensor.columns)
    _ = try scheme.byteCount(rows: rows, columns: columns)
    let maxima = try layout.sharedMaxima(tensor)
    let shares = MSEClip.shares
    var surveys: [TensorSurvey] = []
    if scheme.needsSurvey {
      surveys = shares.map { _ in TensorSurvey(columns: columns, for: [scheme]) }
      try tensor.forEach(unit: layout.unit) { _, band in
        let largest = layout.maxima(maxima, band)
        for (k, share) in shares.enumerated() {
          surveys[k].add(Self.clamped(band, layout.groups(rows: band.rows), largest, share))
        }
      }
    }
    coders = try shares.indices.map {
      try SchemeCoder(
        scheme, rows: rows, columns: columns, survey: surveys.indices.contains($0) ? surveys[$0] : nil)
    }
    (self.layout, sharedMaxima) = (layout, maxima)
  }

  /// All bands but the last have a multiple of so many rows.
  var rowUnit: Int { coders.map(\.rowUnit).reduce(layout.unit, leastCommonMultiple) }

  private static func clamped(
    _ band: TensorMatrix, _ groups: ScaleGroups, _ maxima: [Float], _ share: Double
  ) -> TensorMatrix {
    var clamped = band
    groups.clamp(&clamped, maxima.map { limit($0, share) })
    return clamped
  }

  static func limit(_ largest: Float, _ share: Double) -> Float { Float(Double(largest) * share) }

  /// Adds the squared errors of a band's groups, of each share.
  func addErrors(of band: TensorMatrix, firstRow: Int, to errors: inout [[Double]]) throws {
    let groups = layout.groups(rows: band.rows)
    let maxima = layout.maxima(sharedMaxima, band)
    for (k, share) in MSEClip.shares.enumerated() {
      let clamped = Self.clamped(band, groups, maxima, share)
      let (decoded, _) = try coders[k].code(clamped, firstRow: firstRow)
      groups.forEachRun { group, elements in
        for i in elements {
          let e = Double(decoded.values[i]) - Double(band.values[i])
          errors[k][group] += e * e
        }
      }
    }
  }

  /// Where to clip the groups of a band that holds them whole.
  func limits(_ band: TensorMatrix, firstRow: Int) throws -> [Float] {
    let count = layout.groups(rows: band.rows).count
    var errors = MSEClip.shares.map { _ in [Double](repeating: 0, count: count) }
    try addErrors(of: band, firstRow: firstRow, to: &errors)
    return Self.best(errors, layout.maxima(sharedMaxima, band))
  }

  /// Where to clip groups with these errors at each share: of equal ones at the first.
  static func best(_ errors: [[Double]], _ maxima: [Float]) -> [Float] {
    maxima.indices.map { group in
      var (least, limit) = (Double.infinity, maxima[group])
      for (k, share) in MSEClip.shares.enumerated() where errors[k][group] < least {
        (least, limit) = (errors[k][group], Self.limit(maxima[group], share))
      }
      return limit
    }
  }
}
