/// A scheme, or what a calibration makes of it, ready for one tensor, whose bands it codes in any order.
public protocol BandCoder: Sendable {
  /// All bands but the last have a multiple of so many rows.
  var rowUnit: Int { get }
  /// Bits stored for the tensor beside those of its bands.
  var sharedBits: Int { get }
  /// What becomes of a band of finite numbers whose first row has that number, and the bits stored for it.
  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int)
}

/// A scheme as it is.
struct SchemeCoder: BandCoder {
  private let staged: StagedScheme

  var rowUnit: Int { staged.rowUnit }
  var sharedBits: Int { 8 * staged.prefix.count }

  /// Makes `scheme` ready for the tensor, of which it reads all where something of all must be known; `change` is what happens to bands
  /// of a multiple of `unit` rows before they are coded.
  init(
    _ scheme: any Scheme, _ bands: TensorBands, unit: Int = 1,
    change: (inout TensorMatrix, _ firstRow: Int) throws -> Void = { _, _ in }
  ) throws {
    _ = try scheme.byteCount(rows: bands.rows, columns: bands.columns)
    var survey: TensorSurvey?
    if scheme.needsSurvey {
      var all = TensorSurvey(columns: bands.columns, for: [scheme])
      try bands.forEach(unit: unit) { first, band in
        var band = band
        try change(&band, first)
        all.add(band)
      }
      survey = all
    }
    try self.init(scheme, rows: bands.rows, columns: bands.columns, survey: survey)
  }

  /// The same by a survey that was made.
  init(_ scheme: any Scheme, rows: Int, columns: Int, survey: TensorSurvey?) throws {
    staged = try StagedScheme(scheme, rows: rows, columns: columns, survey: survey)
  }

  func code(_ band: TensorMatrix, firstRow: Int) throws -> (decoded: TensorMatrix, bits: Int) {
    try band.coded(by: staged.bands)
  }
}

extension TensorSurvey {
  mutating func add(_ band: TensorMatrix) { band.values.withUnsafeBufferPointer { add($0) } }
}
