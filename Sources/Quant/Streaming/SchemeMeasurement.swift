import NumKit
import NumKitNumbers

/// What a scheme costs a matrix: its size and all measures of its error.
public struct SchemeMeasurement: Sendable {
  /// The scheme's name.
  public private(set) var scheme: String
  /// Elements measured.
  public private(set) var elementCount: Int
  /// Bytes stored for them.
  public private(set) var storedBytes: Int
  /// The error.
  public private(set) var statistics = ErrorSums()
  /// Where it comes from; nil where the scheme does not tell (it is no `LimitedScheme`).
  public private(set) var split: ErrorSplit?
  /// Whether the split tells scale rounding apart; it counts as element rounding where not (no `GridScheme`).
  public private(set) var splitsScale: Bool
  /// Where it is.
  public private(set) var places: WorstPlaces
  /// Blocks whose scales, offsets or sums overflow, vanish or are NaN.
  public private(set) var scaleFaults = ScaleFaults()

  /// Bits an element, scales and all.
  public var bitsPerWeight: Double { Double(8 * storedBytes) / Double(elementCount) }

  /// What the error would mean if rows were logits, on a sample of them: every `divergenceStride`th row.
  public private(set) var divergence = SoftmaxDivergence()
  /// See `divergence`.
  public private(set) var divergenceStride: Int
  private let columns: Int

  /// Encodes and decodes a matrix and compares.
  ///
  /// `firstRow` is the number of the matrix's first row where itself is a band of another. Throws what the scheme
  /// throws.
  public init(
    _ scheme: any Scheme, _ values: UnsafeBufferPointer<Float>, rows: Int, columns: Int, firstRow: Int = 0,
    blockLength: Int = 32
  ) throws {
    // Also checks the shape before anything is read.
    _ = try scheme.byteCount(rows: rows, columns: columns)
    guard values.count == rows * columns else {
      throw SchemeError.shape("\(rows) rows of \(columns) elements are not \(values.count) values")
    }
    var survey: TensorSurvey?
    if scheme.needsSurvey {
      survey = TensorSurvey(columns: columns, for: [scheme])
      survey?.add(values)
    }
    let staged = try StagedScheme(scheme, rows: rows, columns: columns, survey: survey)
    self.init(staged, rows: rows, columns: columns, blockLength: blockLength)
    try add(staged, values, firstRow: firstRow, MeasurementScratch())
  }

  /// A measurement of nothing yet, of a tensor of `rows` rows in all.
  init(_ staged: StagedScheme, rows: Int, columns: Int, blockLength: Int = 32) {
    scheme = staged.scheme.name
    elementCount = 0
    storedBytes = staged.prefix.count
    self.columns = columns
    places = WorstPlaces(columns: columns, blockLength: blockLength)
    split = staged.bands is any LimitedScheme ? ErrorSplit() : nil
    splitsScale = staged.bands is any GridScheme
    if let blocks = staged.bands as? StagedBlocks { scaleFaults = blocks.sharedFaults }
    // About 2^16 elements are enough to see it.
    divergenceStride = max(1, rows / max(1, (1 << 16) / max(columns, 1)))
  }

  /// Adds a band of whole rows: of `staged.rowUnit` rows each, but for the tensor's last. The sums come out the same however
  /// rows are put into bands, as long as bands come in order.
  mutating func add(
    _ staged: StagedScheme, _ values: UnsafeBufferPointer<Float>, firstRow: Int, _ scratch: MeasurementScratch
  ) throws {
    guard columns > 0 else { return }
    let rows = values.count / columns
    let unit = staged.rowUnit
    // About 2^15 elements: a piece and its four decoded copies stay in the cache.
    let height = max(unit, (1 << 15) / columns / unit * unit)
    for row in stride(from: 0, to: rows, by: height) {
      let count = min(height, rows - row)
      let part = UnsafeBufferPointer(rebasing: values[row * columns..<(row + count) * columns])
      try addPiece(staged.bands, part, rows: count, firstRow: firstRow + row, scratch)
    }
  }

  private mutating func addPiece(
    _ scheme: any Scheme, _ values: UnsafeBufferPointer<Float>, rows: Int, firstRow: Int,
    _ scratch: MeasurementScratch
  ) throws {
    scratch.reserve(values.count)
    let bytes = scratch.bytes(try scheme.byteCount(rows: rows, columns: columns))
    try scheme.encode(values, rows: rows, columns: columns, into: bytes)
    let encoded = UnsafeRawBufferPointer(bytes)
    storedBytes += try scheme.storedByteCount(encoded, rows: rows, columns: columns)
    elementCount += values.count
    try scheme.decode(encoded, rows: rows, columns: columns, into: scratch[0])
    let result = UnsafeBufferPointer(scratch[0])
    // Row by row, so that it makes no difference how rows were put into bands.
    for row in 0..<rows {
      let range = row * columns..<(row + 1) * columns
      let (x, y) = (
        UnsafeBufferPointer(rebasing: values[range]), UnsafeBufferPointer(rebasing: result[range])
      )
      statistics.add(x, y)
      places.add(row: firstRow + row, x, y)
      if (firstRow + row) % divergenceStride == 0 { divergence.add(row: x, y) }
    }
    if let scaled = scheme as? any ScaledScheme {
      let faults = try scaled.scaleFaults(encoded, values, decoded: result, rows: rows, columns: columns)
      scaleFaults.merge(faults)
    }
    guard let grid = scheme as? any LimitedScheme else { return }
    try grid.decodeLimits(
      encoded, rows: rows, columns: columns, lowest: scratch[1], highest: scratch[2])
    var ideal = result
    if let unrounded = (scheme as? any GridScheme)?.unrounded {
      let other = scratch.bytes(try unrounded.byteCount(rows: rows, columns: columns))
      try unrounded.encode(values, rows: rows, columns: columns, into: other)
      try unrounded.decode(UnsafeRawBufferPointer(other), rows: rows, columns: columns, into: scratch[3])
      ideal = UnsafeBufferPointer(scratch[3])
    }
    let (lowest, highest) = (UnsafeBufferPointer(scratch[1]), UnsafeBufferPointer(scratch[2]))
    for row in 0..<rows {
      let range = row * columns..<(row + 1) * columns
      split?.add(
        UnsafeBufferPointer(rebasing: values[range]), decoded: UnsafeBufferPointer(rebasing: result[range]),
        ideal: UnsafeBufferPointer(rebasing: ideal[range]),
        lowest: UnsafeBufferPointer(rebasing: lowest[range]),
        highest: UnsafeBufferPointer(rebasing: highest[range]))
    }
  }

  /// Forgets what only more rows would need: some hundred bytes are left, whatever the tensor. Nothing can be added any more.
  mutating func settle() {
    statistics.settle()
    split?.settle()
    places.settle()
    divergence.settle()
  }

  /// Adds another band of the same matrix, measured with the same scheme.
  public mutating func merge(_ other: SchemeMeasurement) {
    elementCount += other.elementCount
    storedBytes += other.storedBytes
    statistics.merge(other.statistics)
    places.merge(other.places)
    divergence.merge(other.divergence)
    scaleFaults.merge(other.scaleFaults)
    if let part = other.split { split?.merge(part) }
  }
}

extension SchemeMeasurement: Portable {
  /// To read into, of a tensor of so many columns.
  init(blank columns: Int) {
    (scheme, elementCount, storedBytes, divergenceStride) = ("", 0, 0, 1)
    (splitsScale, self.columns) = (false, columns)
    places = WorstPlaces(columns: columns)
  }

  /// A whole one: bands of its tensor are merged where they are measured.
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&scheme)
    try c.carry(count: &elementCount)
    try c.carry(count: &storedBytes)
    try c.carry(&statistics)
    try c.carry(&split, blank: ErrorSplit()) { try $0.carry(&$1) }
    try c.carry(&splitsScale)
    try c.carry(&places)
    try c.carry(&scaleFaults)
    try c.carry(&divergence)
    try c.carry(count: &divergenceStride)
  }
}

/// Memory for one piece of a tensor at a time: a thread has one and keeps it.
final class MeasurementScratch {
  private var floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
  private var raw = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 64)
  private var count = 0

  deinit {
    floats.deallocate()
    raw.deallocate()
  }

  /// Makes room for four copies of `count` elements; what is in it is lost.
  func reserve(_ count: Int) {
    self.count = count
    if 4 * count <= floats.count { return }
    floats.deallocate()
    floats = .allocate(capacity: 4 * count)
    floats.initialize(repeating: 0)
  }

  /// One of the copies.
  subscript(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: floats[index * count..<(index + 1) * count])
  }

  /// Room for encoded bytes; what is in it is lost.
  func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if count > raw.count {
      raw.deallocate()
      raw = .allocate(byteCount: count, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: raw[..<count])
  }
}
