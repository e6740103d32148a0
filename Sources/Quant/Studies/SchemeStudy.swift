import NumKit
import NumKitNumbers

/// What each of several schemes costs a tensor, which of them are worth their bits, and which one to take.
public struct SchemeStudy: Sendable {
  /// A scheme's price.
  public struct Entry: Sendable {
    /// All measures of its error.
    public let measurement: SchemeMeasurement
    /// The least error that as many bits could have cost this tensor; nil for a tensor without a distribution.
    public let floor: Floor?
    /// Whether it loses no number and no scale, and no scheme that loses none has with as few bits a higher SQNR, or the same with
    /// fewer.
    public let isParetoBest: Bool

    /// The scheme's name.
    public var name: String { measurement.scheme }
    /// Its error.
    public var statistics: ErrorSums { measurement.statistics }
    /// Bits an element, scales and all.
    public var bitsPerWeight: Double { measurement.bitsPerWeight }
  }

  /// Those that fit, by bits, of as many in the order given.
  public private(set) var entries: [Entry]
  /// Those that do not fit the shape, and why.
  public private(set) var skipped: [SkippedScheme]
  /// What there is in the tensor that is no number.
  public private(set) var nonFinite: NonFinite
  /// To read entries into; 0 of a study that was made here.
  private var columns = 0

  /// Measures every scheme that fits; none may. `progress` is told how many more of the tensor's elements are done. Throws what reading
  /// the tensor throws.
  public init(
    _ source: some BandSource, schemes: [any Scheme], threads: Int = 1,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    var fitting: [any Scheme] = []
    var skipped: [SkippedScheme] = []
    for scheme in schemes {
      do {
        _ = try scheme.byteCount(rows: source.rows, columns: source.columns)
        fitting.append(scheme)
      } catch let error as SchemeError {
        skipped.append(SkippedScheme(name: scheme.name, reason: error.description))
      }
    }
    self.skipped = skipped
    guard !fitting.isEmpty else {
      entries = []
      nonFinite = NonFinite()
      return
    }
    let run = try StreamedMeasurement(fitting, source, threads: threads, progress: progress)
    nonFinite = run.nonFinite
    if Sharing.isPartial {
      entries = []
      return
    }
    let floors = try Self.floors(run.measurements, run.distribution, threads: threads)
    let best = Self.paretoBest(
      run.measurements.map { ($0.bitsPerWeight, $0.statistics.sqnr, Self.isWhole($0)) })
    entries = run.measurements.enumerated()
      .sorted { ($0.element.bitsPerWeight, $0.offset) < ($1.element.bitsPerWeight, $1.offset) }
      .map { index, measurement in
        var measurement = measurement
        // What goes to another process goes in full.
        if Sharing.current == nil { measurement.settle() }
        return Entry(
          measurement: measurement, floor: floors[measurement.bitsPerWeight], isParetoBest: best[index])
      }
  }

  /// Whether all is there to average over, for averages over what is left say nothing beside averages over all, and whether
  /// all that is stored beside the codes is a number that means something.
  static func isWhole(_ measurement: SchemeMeasurement) -> Bool {
    let s = measurement.statistics
    return s.lostCount == 0 && s.finiteCount > 0 && measurement.scaleFaults.count == 0
  }

  /// Of bits, SQNR and whether nothing was lost: which are not beaten by one that lost nothing.
  package static func paretoBest(_ prices: [(bits: Double, sqnr: Double, isWhole: Bool)]) -> [Bool] {
    prices.map { mine in
      mine.isWhole
        && !prices.contains {
          $0.isWhole
            && ($0.sqnr > mine.sqnr && $0.bits <= mine.bits || $0.sqnr == mine.sqnr && $0.bits < mine.bits)
        }
    }
  }

  /// The floor at each number of bits that occurs.
  private static func floors(
    _ measurements: [SchemeMeasurement], _ distribution: EmpiricalDistribution, threads: Int
  ) throws -> [Double: Floor] {
    final class Worker {
      var found: [Double: Floor] = [:]
    }
    // Of as many elements as any scheme kept.
    let variance =
      measurements.min { $0.statistics.lostCount < $1.statistics.lostCount }?.statistics.variance ?? 0
    // Those with the most levels take longest.
    let bits = Set(measurements.map(\.bitsPerWeight)).sorted(by: >)
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: bits.count, progress: nil, make: { Worker() },
      body: { worker, k in
        worker.found[bits[k]] = Floor(bits: bits[k], distribution: distribution, variance: variance)
      }, merge: { $0.found.merge($1.found) { first, _ in first } }
    ).found
  }
}

/// A scheme that does not fit a tensor's shape, and why.
public struct SkippedScheme: Hashable, Sendable {
  public private(set) var name: String
  public private(set) var reason: String

  init(name: String, reason: String) { (self.name, self.reason) = (name, reason) }
}

extension SkippedScheme: Portable {
  /// To read into.
  static let blank = SkippedScheme(name: "", reason: "")

  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&name)
    try c.carry(&reason)
  }
}

/// What a recommendation must keep to.
public struct SchemeLimits: Hashable, Sendable {
  /// The most bits an element; nil for any.
  public var maxBits: Double?
  /// The least SQNR in dB; nil for any.
  public var minSqnr: Double?

  public init(maxBits: Double? = nil, minSqnr: Double? = nil) {
    self.maxBits = maxBits
    self.minSqnr = minSqnr
  }

  func allow(_ entry: SchemeStudy.Entry) -> Bool {
    entry.bitsPerWeight <= maxBits ?? .infinity && entry.statistics.sqnr >= minSqnr ?? -.infinity
      && SchemeStudy.isWhole(entry.measurement)
  }
}

extension SchemeStudy {
  /// The scheme to take: within a budget of bits the one with the highest SQNR, to reach a quality the one with the fewest bits; of
  /// equals the one of fewer bits, then the first. It loses no number. nil where none keeps the limits.
  public func recommended(_ limits: SchemeLimits) -> Entry? {
    let allowed = entries.filter(limits.allow)
    guard limits.maxBits != nil else { return allowed.min { $0.bitsPerWeight < $1.bitsPerWeight } }
    var best: Entry?
    for entry in allowed where entry.statistics.sqnr > best?.statistics.sqnr ?? -.infinity { best = entry }
    return best ?? allowed.first
  }
}

extension SchemeStudy: Portable {
  /// Of nothing yet: a tensor of so many columns.
  package init(blank columns: Int) {
    (entries, skipped, nonFinite, self.columns) = ([], [], NonFinite(), columns)
  }

  package mutating func carry(_ c: inout Carrier) throws {
    let blank = Entry(measurement: SchemeMeasurement(blank: columns), floor: nil, isParetoBest: false)
    try c.carry(&entries, blank: blank) { c, entry in
      var (measurement, floor, isBest) = (entry.measurement, entry.floor, entry.isParetoBest)
      try c.carry(&measurement)
      try c.carry(&floor, blank: .blank) { try $0.carry(&$1) }
      try c.carry(&isBest)
      entry = Entry(measurement: measurement, floor: floor, isParetoBest: isBest)
    }
    try c.carry(&skipped, blank: .blank) { try $0.carry(&$1) }
    try c.carry(&nonFinite)
  }
}
