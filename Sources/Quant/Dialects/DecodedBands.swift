import NumKit

/// A tensor read band by band, as it is and as schemes decode it: memory is that of a band, whatever the rows, but for a scheme of
/// someone else's that takes all rows at once.
struct DecodedBands {
  /// In the order of the schemes.
  private let staged: [StagedScheme]
  private let reader: BandReader
  private let columns: Int
  /// What there is in the tensor that is no number.
  let nonFinite: NonFinite
  /// Whether the ends of grids are wanted too.
  private let hasLimits: Bool

  /// Makes the schemes ready for the tensor; reads all of it once.
  init(
    _ schemes: [any Scheme], _ source: some BandSource, limits: Bool = false, bandElements: Int = 1 << 17
  ) throws {
    let (rows, columns) = (source.rows, source.columns)
    for scheme in schemes { _ = try scheme.byteCount(rows: rows, columns: columns) }
    let reader = BandReader(source, elements: bandElements)
    var survey = TensorSurvey(columns: columns, for: schemes)
    var nonFinite = NonFinite()
    let isSurveyed = schemes.contains(where: \.needsSurvey)
    try reader.forEach(unit: 1) { first, band in
      nonFinite.add(band, columns: columns, firstRow: first)
      if isSurveyed { survey.add(band) }
    }
    (self.reader, self.columns, self.nonFinite, hasLimits) = (reader, columns, nonFinite, limits)
    staged = try schemes.map { try StagedScheme($0, rows: rows, columns: columns, survey: survey) }
  }

  /// Bytes that stand before all bands, scheme by scheme.
  var prefixBytes: [Int] { staged.map(\.prefix.count) }

  /// Calls `body` with each band in order and what every scheme makes of it.
  func forEach(
    _ body: (_ firstRow: Int, UnsafeBufferPointer<Float>, [DecodedMatrix]) throws -> Void
  ) throws {
    let unit = staged.map(\.rowUnit).reduce(1) { a, b in
      var (x, y) = (a, max(b, 1))
      while y != 0 { (x, y) = (y, x % y) }
      return a / x * max(b, 1)
    }
    try reader.forEach(unit: unit) { first, band in
      let rows = columns == 0 ? 0 : band.count / columns
      let decoded = try staged.map {
        try DecodedMatrix($0.bands, band, rows: rows, columns: columns, limits: hasLimits)
      }
      try body(first, band, decoded)
    }
  }
}

/// A matrix in memory, as what is read in bands.
///
/// `@unchecked`: the buffer is only read, and outlives it.
struct BufferBands: BandSource, @unchecked Sendable {
  let values: UnsafeBufferPointer<Float>
  let rows: Int
  let columns: Int

  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) {
    for i in buffer.indices { buffer[i] = values[range.lowerBound * columns + i] }
  }
}

extension NonFinite {
  /// What there is in a tensor that is read band by band.
  public init(_ source: some BandSource) throws {
    self.init()
    var found = NonFinite()
    try BandReader(source, elements: 1 << 17).forEach(unit: 1) { first, band in
      found.add(band, columns: source.columns, firstRow: first)
    }
    self = found
  }
}
