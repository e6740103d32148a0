/// Clips groups, then codes by the scheme.
struct ClippingCoder: BandCoder {
  private let layout: GroupLayout
  private let limits: @Sendable (TensorMatrix, _ firstRow: Int) throws -> [Float]
  private let coder: SchemeCoder

  /// `limits` of the groups of a band.
  init(
    _ scheme: any Scheme, _ tensor: TensorBands, _ layout: GroupLayout, unit: Int? = nil,
    limits: @escaping @Sendable (TensorMatrix, _ firstRow: Int) throws -> [Float]
  ) throws {
    (self.layout, self.limits) = (layout, limits)
    coder = try SchemeCoder(scheme, tensor, unit: unit ?? layout.unit) { band, first in
      let found = try limits(band, first)
      layout.groups(rows: band.rows).clamp(&band, found)
    }
  }

  var rowUnit: Int { leastCommonMultiple(layout.unit, coder.rowUnit) }
  var sharedBits: Int { coder.sharedBits }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    var clamped = band
    layout.groups(rows: band.rows).clamp(&clamped, try limits(band, firstRow))
    return try coder.code(clamped, firstRow: firstRow)
  }
}
