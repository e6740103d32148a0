/// What a scheme costs a matrix: its size and all measures of its error.
public struct SchemeMeasurement: Sendable {
  /// The scheme's name.
  public let scheme: String
  /// Elements measured.
  public private(set) var elementCount: Int
  /// Bytes stored for them.
  public private(set) var storedBytes: Int
  /// The error.
  public private(set) var statistics = ErrorStatistics()
  /// Where it comes from; nil where the scheme does not tell (it is no `LimitedScheme`).
  public private(set) var split: ErrorSplit?
  /// Whether the split tells scale rounding apart; it counts as element rounding where not (no `GridScheme`).
  public let splitsScale: Bool
  /// Where it is.
  public private(set) var places: WorstPlaces

  /// Bits an element, scales and all.
  public var bitsPerWeight: Double { Double(8 * storedBytes) / Double(elementCount) }

  /// Encodes and decodes a matrix and compares.
  ///
  /// Where the scheme's rows are independent this goes band by band; `firstRow` is the number of the matrix's first
  /// row where itself is a band of another. Throws what the scheme throws.
  public init(
    _ scheme: any Scheme, _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, firstRow: Int = 0,
    blockLength: Int = 32
  ) throws {
    self.scheme = scheme.name
    elementCount = 0
    storedBytes = 0
    places = WorstPlaces(columns: columns, blockLength: blockLength)
    split = scheme is any LimitedScheme ? ErrorSplit() : nil
    splitsScale = scheme is any GridScheme
    // Also checks the shape before anything is read.
    _ = try scheme.byteCount(rows: rows, columns: columns)
    guard values.count == rows * columns else {
      throw SchemeError.shape("\(rows) rows of \(columns) elements are not \(values.count) values")
    }
    var band = max(rows, 1)
    if let unit = scheme.independentRows {
      // About 2^18 elements: a band and its decoded copies stay in the cache.
      band = min(band, max(unit, (1 << 18) / max(columns, 1) / unit * unit))
    }
    for row in stride(from: 0, to: rows, by: band) {
      let height = min(band, rows - row)
      let part = UnsafeBufferPointer(rebasing: values[row * columns..<(row + height) * columns])
      try add(scheme, part, rows: height, columns: columns, firstRow: firstRow + row)
    }
  }

  private mutating func add(
    _ scheme: any Scheme, _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, firstRow: Int
  ) throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try scheme.byteCount(rows: rows, columns: columns), alignment: 64)
    defer { bytes.deallocate() }
    try scheme.encode(values, rows: rows, columns: columns, into: bytes)
    let encoded = UnsafeRawBufferPointer(bytes)
    storedBytes += try scheme.storedByteCount(encoded, rows: rows, columns: columns)
    elementCount += values.count
    let decoded = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
    defer { decoded.deallocate() }
    try scheme.decode(encoded, rows: rows, columns: columns, into: decoded)
    let result = UnsafeBufferPointer(decoded)
    // Row by row, so that it makes no difference how rows were put into bands.
    for row in 0..<rows {
      let range = row * columns..<(row + 1) * columns
      let (x, y) = (
        UnsafeBufferPointer(rebasing: values[range]), UnsafeBufferPointer(rebasing: result[range])
      )
      statistics.add(x, y)
      places.add(row: firstRow + row, x, y)
    }
    guard let grid = scheme as? any LimitedScheme else { return }
    try addSplit(grid, values, result, encoded, rows: rows, columns: columns)
  }

  private mutating func addSplit(
    _ scheme: any LimitedScheme, _ values: UnsafeBufferPointer<Float>, _ decoded: UnsafeBufferPointer<Float>,
    _ encoded: UnsafeRawBufferPointer, rows: Int, columns: Int
  ) throws {
    let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: 3 * values.count)
    defer { scratch.deallocate() }
    let n = values.count
    let lowest = UnsafeMutableBufferPointer(rebasing: scratch[0..<n])
    let highest = UnsafeMutableBufferPointer(rebasing: scratch[n..<2 * n])
    try scheme.decodeLimits(encoded, rows: rows, columns: columns, lowest: lowest, highest: highest)
    var ideal = decoded
    if let unrounded = (scheme as? any GridScheme)?.unrounded {
      let target = UnsafeMutableBufferPointer(rebasing: scratch[2 * n..<3 * n])
      let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: try unrounded.byteCount(rows: rows, columns: columns), alignment: 64)
      defer { bytes.deallocate() }
      try unrounded.encode(values, rows: rows, columns: columns, into: bytes)
      try unrounded.decode(UnsafeRawBufferPointer(bytes), rows: rows, columns: columns, into: target)
      ideal = UnsafeBufferPointer(target)
    }
    for row in 0..<rows {
      let range = row * columns..<(row + 1) * columns
      split?.add(
        UnsafeBufferPointer(rebasing: values[range]), decoded: UnsafeBufferPointer(rebasing: decoded[range]),
        ideal: UnsafeBufferPointer(rebasing: ideal[range]),
        lowest: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(lowest)[range]),
        highest: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(highest)[range]))
    }
  }

  /// Adds another band of the same matrix, measured with the same scheme.
  public mutating func merge(_ other: SchemeMeasurement) {
    elementCount += other.elementCount
    storedBytes += other.storedBytes
    statistics.merge(other.statistics)
    places.merge(other.places)
    if let part = other.split { split?.merge(part) }
  }
}

/// Metrics that contradict each other: a good one hides what another shows.
public enum MetricDisagreement: Sendable, Hashable, CustomStringConvertible {
  /// The direction is right, the size is not: cosine ≥ 0.998 with ‖x̂ − x‖ > 0.1 ‖x‖.
  case size(cosine: Double, relativeL2: Double)
  /// A few large values carry the score: ‖x̂ − x‖ ≤ 0.1 ‖x‖ with a relative L1 more than 3 times that and above 0.1.
  case smallValues(relativeL2: Double, relativeL1: Double)
  /// Single elements are far off: the largest error is more than 32 times the root mean square, which is fine.
  case peaks(relativeL2: Double, peakToRMS: Double)
  /// Channels are lost: ‖x̂ − x‖ ≤ 0.1 ‖x‖ over all, but more than half of ‖x‖ in some channels.
  case channels(relativeL2: Double, lost: Int, of: Int)
  /// Cosine ≥ 0.998, yet the rows as logits give another softmax: mean KL > 0.01 nats.
  case logits(cosine: Double, divergence: Double)
  /// Finite numbers became NaN or ±∞, which no average counts.
  case lost(count: Int)

  public var description: String {
    func short(_ x: Double) -> String { String(describing: (x * 1e4).rounded() / 1e4) }
    switch self {
    case .size(let cosine, let relative):
      return "cosine \(short(cosine)) is fine, but the size is off: relative L2 \(short(relative))"
    case .smallValues(let l2, let l1):
      return "a few large values carry the score: relative L2 \(short(l2)), relative L1 \(short(l1))"
    case .peaks(let l2, let ratio):
      return "relative L2 \(short(l2)) is fine, but the largest error is \(short(ratio)) times the rms"
    case .channels(let l2, let lost, let all):
      return "relative L2 \(short(l2)) is fine, but \(lost) of \(all) channels lose more than half"
    case .logits(let cosine, let divergence):
      return "cosine \(short(cosine)) is fine, but as logits KL is \(short(divergence)) nats"
    case .lost(let count): return "\(count) finite numbers became NaN or infinite and are in no average"
    }
  }
}

extension SchemeMeasurement {
  /// The disagreements among the metrics; `divergence` where rows are logits.
  public func disagreements(divergence: SoftmaxDivergence? = nil) -> [MetricDisagreement] {
    var found: [MetricDisagreement] = []
    let (l2, l1, cosine) = (statistics.relativeL2, statistics.relativeL1, statistics.cosine)
    if statistics.lostCount > 0 { found.append(.lost(count: statistics.lostCount)) }
    if cosine >= 0.998 && l2 > 0.1 { found.append(.size(cosine: cosine, relativeL2: l2)) }
    if l2 <= 0.1 && l1 > max(3 * l2, 0.1) {
      found.append(.smallValues(relativeL2: l2, relativeL1: l1))
    }
    let rms = statistics.mse.squareRoot()
    if l2 <= 0.1 && rms > 0 && statistics.maxAbsoluteError > 32 * rms {
      found.append(.peaks(relativeL2: l2, peakToRMS: statistics.maxAbsoluteError / rms))
    }
    if l2 <= 0.1 {
      let lost = places.channels(lostBeyond: 0.5).count
      if lost > 0 { found.append(.channels(relativeL2: l2, lost: lost, of: places.columns)) }
    }
    if let divergence, cosine >= 0.998, divergence.mean > 0.01 {
      found.append(.logits(cosine: cosine, divergence: divergence.mean))
    }
    return found
  }
}
