import CVector
import NumKit

extension TensorProfile {
  /// Elements that are read at once: 256 KiB, which stay near the processor. `progress` counts these pieces.
  public static let pieceLength = 16 * FirstPass.grain

  /// Profiles a tensor in one to three passes over it, in pieces of 256 KiB a thread, whatever its size.
  ///
  /// The median is exact: magnitudes are counted by the upper 16 bits of their Floats, and those in the median's bin by the
  /// lower 16, in the same pass where a sample guessed the bin, else in a second. A third pass looks for massive
  /// activations where the largest magnitude may be one. Throws what the source throws, and `ScanError` for a median scope
  /// `token` with rows too long to hold.
  public init(
    _ source: some ElementSource, settings: ScanSettings = ScanSettings(), threads: Int = 1,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    try self.init(
      source, settings: settings, threads: threads, pieceLength: Self.pieceLength, progress: progress)
  }

  /// The same in pieces of any length: only the last digits of moments depend on it, where it is no multiple of 4096.
  package init(
    _ source: some ElementSource, settings: ScanSettings, threads: Int, pieceLength: Int,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    self.init(rows: source.rows, columns: source.columns, settings: settings)
    if count == 0 { return }
    let passes = Passes(source: source, threads: threads, piece: pieceLength)
    let empty = self
    let guess = try SampleGuess(source)
    let limits = settings.formats.map(FormatLimits.init)
    let thresholds = Self.openThresholds(limits)
    let first = try passes.run(
      progress: progress, make: { FirstPass(empty, guess: guess, thresholds: thresholds) },
      body: { $0.add($1, at: $2) }, merge: { $0.merge($1) })
    first.emptyTables()
    take(first)
    guard finiteCount > 0 else { return }
    try refine(first, guess, passes)
    let tail = MagnitudeTail(first, thresholds: thresholds)
    losses = limits.map { loss($0, tail) }
    try findMassive(passes)
  }

  /// Limits that neither a bin of the upper 16 bits nor the count of a power of two decides.
  private static func openThresholds(_ limits: [FormatLimits]) -> [Int32] {
    var open: [Int32] = []
    for bits in limits.flatMap({ [$0.overflow, $0.nonzero, $0.digits] }) where bits < 0x7f80_0000 {
      let isPower = (bits - 1) & 0x7f_ffff == 0 && bits > 0x80_0000
      if bits & 0xffff != 0 && !isPower && !open.contains(bits) { open.append(bits) }
    }
    return open.sorted()
  }

  private mutating func take(_ first: FirstPass) {
    let columns = columns
    func place(_ index: Int, _ value: Float) -> Place { Place(index: index, columns: columns, value: value) }
    zeroCount = Int(first.powers[0])
    nanCount = first.nanCount
    infiniteCount = first.infiniteCount
    finiteCount = count - nanCount - infiniteCount
    firstNaN = first.firstNaN.map { place($0, .nan) }
    firstInfinity = first.firstInfinity.map { place($0, .infinity) }
    columnOutliers = first.columnCounts.map(Int.init)
    columnMaxima = first.columnMaxima.map { Float(bitPattern: UInt32(bitPattern: $0)) }
    rowMaxima = first.rowMaxima.map { Float(bitPattern: UInt32(bitPattern: $0)) }
    guard finiteCount > 0 else { return }
    (smallest, largest) = (first.smallest, first.largest)
    largestMagnitude = max(smallest.magnitude, largest.magnitude)
    if first.tiny < .max { smallestMagnitude = Float(bitPattern: UInt32(bitPattern: first.tiny)) }
    largestPlaces = first.places.entries.map { place($0.index, $0.value) }
    octaves = Self.octaves(first.bins, zeros: zeroCount)
  }

  private static func octaves(_ bins: [UInt64], zeros: Int) -> (first: Int, counts: [Int]) {
    var counts: [Int: Int] = [:]
    for (k, n) in bins.prefix(0x7f80).enumerated() where n > 0 {
      let rest = Int(n) - (k == 0 ? zeros : 0)
      // The numbers of bin 0 beside zeros lie below 2^−133.
      let exponent = k == 0 ? -134 : Int(Float(bitPattern: UInt32(k) << 16).exponent)
      if rest > 0 { counts[exponent, default: 0] += rest }
    }
    guard let low = counts.keys.min(), let high = counts.keys.max() else { return (0, []) }
    return (low, (low...high).map { counts[$0] ?? 0 })
  }

  private mutating func refine(
    _ first: FirstPass, _ guess: SampleGuess, _ passes: Passes<some ElementSource>
  ) throws {
    let n = Double(finiteCount)
    let s = first.moments.map { $0.value / n }
    let d = s[0]
    mean = Double(guess.mean) + d
    var central = (s[1] - d * d, s[2] - 3 * d * s[1] + 2 * d * d * d, 0.0)
    central.2 = s[3] - 4 * d * s[2] + 6 * d * d * s[1] - 3 * d * d * d * d

    let bins = Array(first.bins.prefix(0x7f80))
    let places = [UInt64(finiteCount - 1) / 2, UInt64(finiteCount) / 2].map { Self.locate($0, bins) }
    let isCoarse = first.lowBits == 0
    var missing: [Int] = []
    for bin in places.map(\.bin) where !isCoarse && !guess.bins.contains(bin) && !missing.contains(bin) {
      missing.append(bin)
    }
    // Moments about a far point cancel.
    let cancels = d * d > 16 * central.0
    var second: SecondPass?
    if cancels || !missing.isEmpty {
      let (mean, missing) = (mean, missing)
      let found = try passes.run(
        progress: nil, make: { SecondPass(mean: mean, refined: missing) },
        body: { pass, values, _ in pass.add(values) }, merge: { $0.merge($1) })
      central = (found.squares.value / n, found.cubes.value / n, found.fourths.value / n)
      second = found
    }
    let variance = max(central.0, 0)
    standardDeviation = variance.squareRoot()
    if smallest < largest && variance > 0 {
      skewness = central.1 / (variance * standardDeviation)
      kurtosis = central.2 / variance / variance
    }
    var sum = 0.0
    for place in places {
      var bits = UInt32(place.bin) << 16
      if !isCoarse {
        let refined = second?.refined(bin: place.bin) ?? first.refined
        bits |= refined.lowerBits(bin: place.bin, rank: place.rank)
      }
      sum += Double(Float(bitPattern: bits))
    }
    medianMagnitude = sum / 2
  }

  private func loss(_ limit: FormatLimits, _ tail: MagnitudeTail) -> FormatLoss {
    let kept = tail.count(from: limit.nonzero)
    return FormatLoss(
      format: limit.format,
      headroom: largestMagnitude == 0
        ? .infinity : nc_log2(limit.format.largestFinite / Double(largestMagnitude)),
      overflowCount: tail.count(from: limit.overflow), flushedCount: finiteCount - zeroCount - kept,
      digitlessCount: kept - tail.count(from: limit.digits))
  }

  /// The bin that holds the element of `rank`, and its rank there.
  private static func locate(_ rank: UInt64, _ bins: [UInt64]) -> (bin: Int, rank: UInt64) {
    var below: UInt64 = 0
    for (k, n) in bins.enumerated() {
      if below + n > rank { return (k, rank - below) }
      below += n
    }
    return (bins.count - 1, 0)
  }

  private mutating func findMassive(_ passes: Passes<some ElementSource>) throws {
    let (settings, columns) = (settings, columns)
    guard Double(largestMagnitude) > settings.massiveLimit / 2 else { return }
    let found: MassivePass
    switch settings.medianScope {
    case .tensor:
      let median = medianMagnitude
      guard settings.isNear(Double(largestMagnitude), median: median) else { return }
      found = try passes.run(
        progress: nil, make: { MassivePass(columns: columns, settings: settings) },
        body: { $0.add($1, at: $2, median: median) }, merge: { $0.merge($1) })
    case .token:
      found = try passes.runRows(
        make: { MassivePass(columns: columns, settings: settings) }, body: { $0.add(row: $1, at: $2) },
        merge: { $0.merge($1) })
    }
    massive.count = found.count
    massive.channels = found.channels
    if found.count > 0 { massive.restMagnitude = found.restMagnitude }
    massive.nearMissCount = found.nearMissCount
    massive.places = found.places.entries.map { Place(index: $0.index, columns: columns, value: $0.value) }
    massive.nearMisses = found.nearMisses.entries.map {
      Place(index: $0.index, columns: columns, value: $0.value)
    }
  }
}

/// How many finite magnitudes there are from a limit on.
private struct MagnitudeTail {
  private var above: [UInt64]
  private let first: FirstPass
  private let thresholds: [Int32]

  init(_ first: FirstPass, thresholds: [Int32]) {
    self.first = first
    self.thresholds = thresholds
    above = [UInt64](repeating: 0, count: 0x7f80 + 1)
    let bins = first.bins
    for k in (0..<0x7f80).reversed() { above[k] = above[k + 1] + bins[k] }
  }

  func count(from bits: Int32) -> Int {
    guard bits < 0x7f80_0000 else { return 0 }
    if bits & 0xffff == 0 { return Int(above[Int(bits >> 16)]) }
    if let k = thresholds.firstIndex(of: bits) { return Int(first.thresholdCounts[k]) }
    // One above a power of two.
    return Int(above[Int(bits >> 16)] - first.powers[Int(bits >> 23)])
  }
}

/// Why a tensor cannot be profiled as asked.
public enum ScanError: Error, Hashable, CustomStringConvertible {
  /// A row of so many elements is too long for a median of its own.
  case rowTooLong(Int)

  public var description: String {
    switch self {
    case .rowTooLong(let n): return "a row of \(n) elements is too long for a median by token"
    }
  }
}

/// Reads a source piece by piece, on several threads.
struct Passes<Source: ElementSource> {
  let source: Source
  let threads: Int
  let piece: Int

  private final class Worker<Pass> {
    let pass: Pass
    private var buffer: UnsafeMutableBufferPointer<Float>
    init(_ pass: Pass) {
      self.pass = pass
      buffer = .allocate(capacity: 0)
    }
    func read(_ range: Range<Int>, of source: Source) throws -> UnsafeBufferPointer<Float> {
      if buffer.count < range.count {
        buffer.deallocate()
        buffer = .allocate(capacity: range.count)
      }
      let part = UnsafeMutableBufferPointer(rebasing: buffer[..<range.count])
      try source.read(range, into: part)
      return UnsafeBufferPointer(part)
    }
    deinit { buffer.deallocate() }
  }

  func run<Pass>(
    progress: (@Sendable (Int) -> Void)?, make: () -> Pass,
    body: @escaping (Pass, UnsafeBufferPointer<Float>, Int) throws -> Void, merge: (Pass, Pass) -> Void
  ) throws -> Pass {
    let (source, count, size) = (source, source.count, piece)
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: (count + size - 1) / size, progress: progress, make: { Worker(make()) },
      body: { worker, k in
        let range = k * size..<min((k + 1) * size, count)
        try body(worker.pass, worker.read(range, of: source), range.lowerBound)
      }, merge: { merge($0.pass, $1.pass) }
    ).pass
  }

  /// The same, whole rows at a time.
  func runRows<Pass>(
    make: () -> Pass, body: @escaping (Pass, UnsafeBufferPointer<Float>, Int) throws -> Void,
    merge: (Pass, Pass) -> Void
  ) throws -> Pass {
    let (source, columns) = (source, source.columns)
    guard columns <= 1 << 22 else { throw ScanError.rowTooLong(columns) }
    return try ParallelRows(threads: threads, chunk: 16).reduce(
      count: source.rows, progress: nil, make: { Worker(make()) },
      body: { worker, row in
        let range = row * columns..<(row + 1) * columns
        try body(worker.pass, worker.read(range, of: source), range.lowerBound)
      }, merge: { merge($0.pass, $1.pass) }
    ).pass
  }
}
