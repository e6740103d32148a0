import CVector
import NumKit

extension TensorProfile {
  /// Elements that are read at once: 1 MiB of them. `progress` counts these pieces.
  public static let pieceLength = 64 * FirstPass.grain

  /// Profiles a tensor in two or three passes over it, in pieces of 1 MiB a thread, whatever its size.
  ///
  /// The median is exact: the first pass counts magnitudes by the upper 16 bits of their Floats, the second the lower
  /// 16 bits of those in the median's bin. Throws what the source throws, and `ScanError` for a median scope `token`
  /// with rows too long to hold.
  public init(
    _ source: some ElementSource, settings: ScanSettings = ScanSettings(), threads: Int = 1,
    progress: (@Sendable (Int) -> Void)? = nil
  ) throws {
    self.init(rows: source.rows, columns: source.columns, settings: settings)
    if count == 0 { return }
    let passes = Passes(source: source, threads: threads)
    let empty = self
    let first = try passes.run(
      progress: progress, make: { FirstPass(empty) }, body: { $0.add($1, at: $2) }, merge: { $0.merge($1) })
    first.emptyTables()
    take(first)
    guard finiteCount > 0 else { return }
    try refine(first, passes)
    try findMassive(passes)
  }

  private mutating func take(_ first: FirstPass) {
    let columns = columns
    func place(_ index: Int, _ value: Float) -> Place { Place(index: index, columns: columns, value: value) }
    zeroCount = first.zeroCount
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
    mean = first.sum.value / Double(finiteCount)
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

  private mutating func refine(_ first: FirstPass, _ passes: Passes<some ElementSource>) throws {
    let bins = Array(first.bins.prefix(0x7f80))
    let ranks = [UInt64(finiteCount - 1) / 2, UInt64(finiteCount) / 2]
    let places = ranks.map { Self.locate($0, bins) }
    let limits = settings.formats.map(FormatLimits.init)
    // What the upper 16 bits decide needs no second look.
    var open: [Int32] = []
    for bits in limits.flatMap({ [$0.overflow, $0.nonzero, $0.digits] })
    where bits < 0x7f80_0000 && bits & 0xffff != 0 && first.lowBits != 0 {
      if bins[Int(bits >> 16)] > 0 && !open.contains(bits) { open.append(bits) }
    }
    let refined: [Int32] = first.lowBits == 0 ? [] : Set(places.map { Int32($0.bin) }).sorted()
    let mean = mean
    let second = try passes.run(
      progress: nil, make: { SecondPass(mean: mean, thresholds: open, refined: refined) },
      body: { pass, values, _ in pass.add(values) }, merge: { $0.merge($1) })

    medianMagnitude =
      places.map { place in
        let bits = second.bits(bin: Int32(place.bin), rank: place.rank) ?? Int32(place.bin) << 16
        return Double(Float(bitPattern: UInt32(bitPattern: bits)))
      }.reduce(0, +) / 2
    let n = Double(finiteCount)
    let variance = second.squares.value / n
    standardDeviation = variance.squareRoot()
    if variance > 0 {
      skewness = second.cubes.value / n / (variance * standardDeviation)
      kurtosis = second.fourths.value / n / variance / variance
    }
    var above = [UInt64](repeating: 0, count: bins.count + 1)
    for k in bins.indices.reversed() { above[k] = above[k + 1] + bins[k] }
    func count(from bits: Int32) -> Int {
      guard bits < 0x7f80_0000 else { return 0 }
      if let k = open.firstIndex(of: bits) { return Int(second.counts[k]) }
      let bin = Int(bits >> 16)
      return Int(bits & 0xffff == 0 ? above[bin] : above[bin + 1])
    }
    losses = limits.map { limit in
      let kept = count(from: limit.nonzero)
      return FormatLoss(
        format: limit.format,
        headroom: largestMagnitude == 0
          ? .infinity : nc_log2(limit.format.largestFinite / Double(largestMagnitude)),
        overflowCount: count(from: limit.overflow), flushedCount: finiteCount - zeroCount - kept,
        digitlessCount: kept - count(from: limit.digits))
    }
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

  /// Elements of a piece: 1 MiB.
  static var piece: Int { TensorProfile.pieceLength }

  private final class Worker<Pass> {
    let pass: Pass
    var buffer: UnsafeMutableBufferPointer<Float>
    init(_ pass: Pass) {
      self.pass = pass
      buffer = .allocate(capacity: 0)
    }
    func reserve(_ count: Int) {
      if buffer.count >= count { return }
      buffer.deallocate()
      buffer = .allocate(capacity: count)
    }
    deinit { buffer.deallocate() }
  }

  func run<Pass>(
    progress: (@Sendable (Int) -> Void)?, make: () -> Pass,
    body: @escaping (Pass, UnsafeBufferPointer<Float>, Int) throws -> Void, merge: (Pass, Pass) -> Void
  ) throws -> Pass {
    let (source, count, size) = (source, source.count, Self.piece)
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: (count + size - 1) / size, progress: progress, make: { Worker(make()) },
      body: { worker, k in
        let range = k * size..<min((k + 1) * size, count)
        worker.reserve(min(size, count))
        let part = UnsafeMutableBufferPointer(rebasing: worker.buffer[..<range.count])
        try source.read(range, into: part)
        try body(worker.pass, UnsafeBufferPointer(part), range.lowerBound)
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
        worker.reserve(columns)
        let part = UnsafeMutableBufferPointer(rebasing: worker.buffer[..<columns])
        try source.read(row * columns..<(row + 1) * columns, into: part)
        try body(worker.pass, UnsafeBufferPointer(part), row * columns)
      }, merge: { merge($0.pass, $1.pass) }
    ).pass
  }
}
