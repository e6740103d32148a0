import NumKit
import NumKitNumbers

/// A tensor as rows × columns of f32 that need not be in memory.
public protocol BandSource: Sendable {
  var rows: Int { get }
  var columns: Int { get }
  /// Puts `range` of the rows into `buffer`, which has just room for them.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws
}

/// What each of several schemes costs a tensor, read in bands of rows.
///
/// Memory is bounded by the band, at least one row (a row of blocks of a scheme of 2-D blocks; for double quantization
/// as many rows as make whole groups of 16384 elements), and by what a survey of the columns takes; it does not grow with
/// the rows. Two passes: the survey, with the distribution for the floor; then all schemes at once, in parallel. No
/// digit depends on the threads or the bands, for each scheme sees its rows in order.
public struct StreamedMeasurement: Sendable {
  /// What the first pass found.
  public let survey: TensorSurvey
  /// What there is in it that is no number.
  public let nonFinite: NonFinite
  /// How the tensor's numbers are spread.
  public let distribution: EmpiricalDistribution
  /// One for each scheme, in their order.
  public let measurements: [SchemeMeasurement]

  /// Measures `schemes`, all of which must fit. `bandElements` is about how much is read at a time; `progress` is told how many more of
  /// the tensor's elements are done.
  public init(
    _ schemes: [any Scheme], _ source: some BandSource, threads: Int = 1, bandElements: Int = 1 << 19,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    let (rows, columns) = (source.rows, source.columns)
    for scheme in schemes { _ = try scheme.byteCount(rows: rows, columns: columns) }
    let reader = BandReader(source, elements: bandElements)
    // The survey takes about as long as one scheme.
    let shares = progress.map { WorkShares(schemes.count + 1, $0) }
    var survey = TensorSurvey(columns: columns, for: schemes)
    var counter = EmpiricalDistribution.Counter()
    var nonFinite = NonFinite()
    try reader.forEach(unit: 1) { first, band in
      counter.add(band)
      nonFinite.add(band, columns: columns, firstRow: first)
      survey.add(band)
      shares?.add(band.count)
    }
    distribution = EmpiricalDistribution(counter)
    self.survey = survey
    self.nonFinite = nonFinite
    let surveyed = survey
    let found = try Sharing.share(
      "schemes", units: schemes.count, make: { MeasuredSchemes(columns: columns) },
      work: { range in
        let list = try Self.measured(Array(schemes[range]), reader, rows, columns, surveyed, threads, shares)
        return MeasuredSchemes(columns: columns, found: Array(zip(range, list)))
      }, merge: { $0.found += $1.found })
    measurements = found.found.sorted { $0.index < $1.index }.map(\.measurement)
    guard Sharing.isPartial || measurements.count == schemes.count else { throw CarrierError() }
  }

  /// What each scheme costs, in their order.
  private static func measured(
    _ schemes: [any Scheme], _ reader: BandReader, _ rows: Int, _ columns: Int, _ survey: TensorSurvey,
    _ threads: Int, _ shares: WorkShares?
  ) throws -> [SchemeMeasurement] {
    let workers = try schemes.map {
      Worker(
        try StagedScheme($0, rows: rows, columns: columns, survey: survey), rows: rows, columns: columns)
    }
    // Schemes whose bands can be the same go through the file together.
    let common = reader.height(unit: 128)
    var groups: [Int: [Worker]] = [:]
    for worker in workers {
      let unit = worker.staged.rowUnit
      groups[common % unit == 0 ? 1 : unit, default: []].append(worker)
    }
    for (unit, group) in groups {
      // The slowest schemes stand last in the registry: they begin.
      let queue = Array(group.reversed())
      try reader.forEach(unit: unit == 1 ? common : unit) { first, band in
        _ = try ParallelRows(threads: threads, chunk: 1).reduce(
          count: queue.count, progress: nil, make: { MeasurementScratch() },
          body: { scratch, index in
            try queue[index].add(band, firstRow: first, scratch)
            shares?.add(band.count)
          },
          merge: { _, _ in })
      }
    }
    return workers.map(\.measurement)
  }

  /// One scheme's way through the bands; one thread at a time.
  private final class Worker {
    let staged: StagedScheme
    private(set) var measurement: SchemeMeasurement

    init(_ staged: StagedScheme, rows: Int, columns: Int) {
      self.staged = staged
      measurement = SchemeMeasurement(staged, rows: rows, columns: columns)
    }

    func add(
      _ band: UnsafeBufferPointer<Float>, firstRow: Int, _ scratch: MeasurementScratch
    ) throws {
      try measurement.add(staged, band, firstRow: firstRow, scratch)
    }
  }
}

/// What some of a tensor's schemes cost, by their number.
private struct MeasuredSchemes: Portable {
  let columns: Int
  var found: [(index: Int, measurement: SchemeMeasurement)] = []

  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&found, blank: (index: 0, measurement: SchemeMeasurement(blank: columns))) {
      try $0.carry(count: &$1.index)
      try $0.carry(&$1.measurement)
    }
  }
}

/// The same for one scheme whose bytes, or decoded values, are wanted.
public struct StreamedEncoding {
  private let staged: StagedScheme
  private let reader: BandReader
  private let rows: Int
  private let columns: Int

  /// Makes `scheme` ready for the tensor; reads all of it where the scheme needs a survey.
  public init(_ scheme: any Scheme, _ source: some BandSource, bandElements: Int = 1 << 19) throws {
    (rows, columns) = (source.rows, source.columns)
    reader = BandReader(source, elements: bandElements)
    var survey: TensorSurvey?
    if scheme.needsSurvey {
      var all = TensorSurvey(columns: columns, for: [scheme])
      try reader.forEach(unit: 1) { _, band in all.add(band) }
      survey = all
    }
    staged = try StagedScheme(scheme, rows: rows, columns: columns, survey: survey)
  }

  /// Calls `write` with pieces of the encoded bytes and their places in the scheme's layout, and `decoded` with what
  /// they decode to, row after row.
  public func forEachBand(
    write: (_ offset: Int, UnsafeRawBufferPointer) throws -> Void,
    decoded: (UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    try staged.prefix.withUnsafeBytes { try write(0, $0) }
    var places = [staged.prefix.count]
    for length in try staged.sections(rows: rows, columns: columns) {
      places.append(places[places.count - 1] + length)
    }
    let scratch = MeasurementScratch()
    try reader.forEach(unit: staged.rowUnit) { _, band in
      let height = band.count / columns
      let scheme = staged.bands
      let bytes = scratch.bytes(try scheme.byteCount(rows: height, columns: columns))
      try scheme.encode(band, rows: height, columns: columns, into: bytes)
      let encoded = UnsafeRawBufferPointer(bytes)
      let stored = try scheme.storedByteCount(encoded, rows: height, columns: columns)
      var start = 0
      for (index, length) in try staged.sections(rows: height, columns: columns).enumerated() {
        let end = min(start + length, stored)
        try write(places[index], UnsafeRawBufferPointer(rebasing: encoded[start..<end]))
        places[index] += end - start
        start = end
      }
      scratch.reserve(band.count)
      try scheme.decode(encoded, rows: height, columns: columns, into: scratch[0])
      try decoded(UnsafeBufferPointer(scratch[0]))
    }
  }
}

/// Reads a tensor band by band into one buffer.
struct BandReader {
  private let source: any BandSource
  private let elements: Int

  init(_ source: any BandSource, elements: Int) {
    self.source = source
    self.elements = elements
  }

  /// The rows of a band: a multiple of `unit`, as near to the wanted number of elements as that allows, and no more than
  /// 4 times as many where a smaller band would do for others.
  func height(unit: Int) -> Int {
    let fitting = elements / max(source.columns, 1)
    if unit > 1, unit * source.columns > 4 * elements { return max(fitting, 1) }
    return max(unit, fitting / unit * unit)
  }

  /// Calls `body` with the bands in order, each of a multiple of `unit` rows but for the last.
  func forEach(unit: Int, _ body: (_ firstRow: Int, UnsafeBufferPointer<Float>) throws -> Void) throws {
    let (rows, columns) = (source.rows, source.columns)
    let fitting = elements / max(columns, 1)
    let height = min(max(unit, fitting / unit * unit), max(rows, 1))
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: height * columns)
    defer { buffer.deallocate() }
    for row in stride(from: 0, to: rows, by: height) {
      let count = min(height, rows - row)
      let band = UnsafeMutableBufferPointer(rebasing: buffer[..<(count * columns)])
      try source.read(row..<row + count, into: band)
      try body(row, UnsafeBufferPointer(band))
    }
  }
}
