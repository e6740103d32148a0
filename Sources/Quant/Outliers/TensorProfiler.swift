import CSchemes
import NumKit
import NumKitNumbers

extension TensorProfile {
  /// Elements that are read at once: 256 KiB, which stay near the processor. `progress` counts these pieces.
  public static let pieceLength = 16 * FirstPass.grain

  /// Profiles a tensor in one to four passes over it, in pieces of 256 KiB a thread, whatever its size.
  ///
  /// The median is exact: magnitudes about a sample's median are counted one by one, and all below. Where the true one lies
  /// elsewhere, a second pass finds its upper 16 bits; where it is known roughly, a third all. A last pass looks for massive
  /// activations where the largest magnitude may be one. Throws what the source throws, and `ScanError` for a median scope
  /// `token` with rows too long to hold, or a source that changes between passes.
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
    func blank() -> FirstPass { FirstPass(empty, guess: guess, thresholds: thresholds) }
    // The pieces of a tensor that several processes have a part of; the other passes are those of who puts parts together.
    let first = try Sharing.share(
      "pieces", units: passes.pieceCount, make: blank,
      work: { pieces in
        try passes.run(
          pieces, progress: progress, make: blank, body: { $0.add($1, at: $2) }, merge: { $0.merge($1) })
      }, merge: { $0.merge($1) })
    if Sharing.isPartial { return }
    take(first)
    guard finiteCount > 0 else { return }
    try refine(first, guess, passes)
    let tail = MagnitudeTail(first, thresholds: thresholds)
    losses = limits.map { loss($0, tail) }
    try findMassive(passes)
  }

  /// Limits that neither the count of an exponent nor that of a power of two decides.
  private static func openThresholds(_ limits: [FormatLimits]) -> [Int32] {
    var open: [Int32] = []
    for bits in limits.flatMap({ [$0.overflow, $0.nonzero, $0.digits] }) where bits < 0x7f80_0000 {
      if !MagnitudeTail.decides(bits) && !open.contains(bits) { open.append(bits) }
    }
    return open.sorted()
  }

  private mutating func take(_ first: FirstPass) {
    let columns = columns
    func place(_ index: Int, _ value: Float) -> TensorPlace {
      TensorPlace(index: index, columns: columns, value: value)
    }
    zeroCount = Int(first.zeroCount)
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
    octaves = Self.octaves(first)
  }

  private static func octaves(_ first: FirstPass) -> (first: Int, counts: [Int]) {
    // From 2^−149 on: subnormal numbers, then the others.
    let all = first.subnormals + first.exponents[1..<255]
    guard let low = all.firstIndex(where: { $0 > 0 }), let high = all.lastIndex(where: { $0 > 0 }) else {
      return (0, [])
    }
    return (low - 149, all[low...high].map(Int.init))
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

    let ranks = [UInt64(finiteCount - 1) / 2, UInt64(finiteCount) / 2]
    var window = first.window
    var spans = ranks.map { window.span(rank: $0) }
    // Moments about a far point cancel.
    if d * d > 16 * central.0 || spans.contains(nil) {
      let mean = mean
      var second = try passes.run(
        progress: nil, make: { SecondPass(mean: mean) },
        body: { pass, values, _ in pass.add(values) }, merge: { $0.merge($1) })
      central = (second.squares.value / n, second.cubes.value / n, second.fourths.value / n)
      spans = zip(spans, ranks).map { $0 ?? second.bins.span(rank: $1) }
    }
    medianMagnitude = try Self.magnitudes(ranks, in: spans.compactMap { $0 }, passes).reduce(0, +) / 2
    let variance = max(central.0, 0)
    standardDeviation = variance.squareRoot()
    if smallest < largest && variance > 0 {
      skewness = central.1 / (variance * standardDeviation)
      kurtosis = central.2 / variance / variance
    }
  }

  /// The magnitudes of two ranks, of each of which is known where it lies.
  private static func magnitudes(
    _ ranks: [UInt64], in spans: [Range<Int32>], _ passes: Passes<some ElementSource>
  ) throws -> [Double] {
    var spans = spans
    if spans.contains(where: { $0.count > 1 }) {
      // Mostly one and the same.
      let windows = spans[0] == spans[1] ? [spans[0]] : spans
      var third = try passes.run(
        progress: nil, make: { ThirdPass(windows) }, body: { pass, values, _ in pass.add(values) },
        merge: { $0.merge($1) })
      spans = try zip(spans, ranks).map { span, rank in
        guard let k = windows.firstIndex(of: span), let found = third.windows[k].span(rank: rank),
          found.count == 1
        else { throw ScanError.changed }
        return found
      }
    }
    return spans.map { Double(Float(bitPattern: UInt32($0.lowerBound))) }
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
    massive.places = found.places.entries.map {
      TensorPlace(index: $0.index, columns: columns, value: $0.value)
    }
    massive.nearMisses = found.nearMisses.entries.map {
      TensorPlace(index: $0.index, columns: columns, value: $0.value)
    }
  }
}

/// How many finite magnitudes there are from a limit on.
private struct MagnitudeTail {
  private let first: FirstPass
  private let thresholds: [Int32]
  /// How many there are from 2^−149, 2^−148 … on.
  private var above: [UInt64]

  init(_ first: FirstPass, thresholds: [Int32]) {
    self.first = first
    self.thresholds = thresholds
    let octaves = first.subnormals + first.exponents[1..<255]
    above = [UInt64](repeating: 0, count: octaves.count + 1)
    for k in octaves.indices.reversed() { above[k] = above[k + 1] + octaves[k] }
  }

  /// Whether the limit is a power of two, or the next number after one that is not subnormal.
  static func decides(_ bits: Int32) -> Bool {
    if bits < 0x80_0000 { return bits.nonzeroBitCount == 1 }
    return bits & 0x7f_ffff == 0 || bits & 0x7f_ffff == 1
  }

  func count(from bits: Int32) -> Int {
    guard bits < 0x7f80_0000 else { return 0 }
    if let k = thresholds.firstIndex(of: bits) { return Int(first.thresholdCounts[k]) }
    if bits < 0x80_0000 { return Int(above[bits.trailingZeroBitCount]) }
    let field = Int(bits >> 23)
    return Int(above[field + 22] - (bits & 1 == 1 ? first.powers[field] : 0))
  }
}

/// Why a tensor cannot be profiled as asked.
public enum ScanError: Error, Hashable, CustomStringConvertible {
  /// A row of so many elements is too long for a median of its own.
  case rowTooLong(Int)
  /// It was not the same in every pass.
  case changed

  public var description: String {
    switch self {
    case .changed: return "it changed while it was read"
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
    var pass: Pass
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

  var pieceCount: Int { (source.count + piece - 1) / piece }

  /// All pieces, or some.
  func run<Pass>(
    _ pieces: Range<Int>? = nil, progress: (@Sendable (Int) -> Void)?, make: () -> Pass,
    body: @escaping (inout Pass, UnsafeBufferPointer<Float>, Int) throws -> Void,
    merge: (inout Pass, Pass) -> Void
  ) throws -> Pass {
    let (source, count, size) = (source, source.count, piece)
    let pieces = pieces ?? 0..<pieceCount
    return try ParallelRows(threads: threads, chunk: 1).reduce(
      count: pieces.count, progress: progress, make: { Worker(make()) },
      body: { worker, index in
        let k = pieces.lowerBound + index
        let range = k * size..<min((k + 1) * size, count)
        let values = try worker.read(range, of: source)
        try body(&worker.pass, values, range.lowerBound)
      }, merge: { merge(&$0.pass, $1.pass) }
    ).pass
  }

  /// The same, whole rows at a time.
  func runRows<Pass>(
    make: () -> Pass, body: @escaping (inout Pass, UnsafeBufferPointer<Float>, Int) throws -> Void,
    merge: (inout Pass, Pass) -> Void
  ) throws -> Pass {
    let (source, columns) = (source, source.columns)
    guard columns <= 1 << 22 else { throw ScanError.rowTooLong(columns) }
    return try ParallelRows(threads: threads, chunk: 16).reduce(
      count: source.rows, progress: nil, make: { Worker(make()) },
      body: { worker, row in
        let range = row * columns..<(row + 1) * columns
        let values = try worker.read(range, of: source)
        try body(&worker.pass, values, range.lowerBound)
      }, merge: { merge(&$0.pass, $1.pass) }
    ).pass
  }
}
