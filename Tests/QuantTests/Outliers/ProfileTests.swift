import NumKit
import Quant
import Synchronization
import Testing

/// Every figure of a profile, held against its definition in plain Swift.
@Suite struct ProfileTests {
  /// Tensors of different temper: normal, heavy-tailed, half zeros, few digits, far from zero, subnormal, special, level.
  static let tempers = [
    "normal", "heavy", "zeros", "coarse", "offset", "subnormal", "special", "level", "powers", "drifting",
  ]

  static func tensor(_ temper: String, count: Int, seed: UInt64 = 3) -> [Float] {
    var random = RandomSource(seed: seed, row: temper.count)
    return (0..<count).map { i in
      let x = random.normal()
      switch temper {
      case "heavy": return Float(x * x * x * 40)
      case "zeros": return x < 0 ? 0 : Float(x)
      case "coarse": return Float(bitPattern: Float(x).bitPattern & 0xffff_0000)
      case "offset": return Float(1000 + x)
      case "subnormal": return Float(x) * 0x1p-132
      case "special": return i % 37 == 5 ? .nan : i % 41 == 7 ? -.infinity : Float(x)
      case "level": return -2.5
      case "powers":
        return Float(sign: x < 0 ? .minus : .plus, exponent: Int(random.next() % 40) - 30, significand: 1)
      case "drifting": return i < count / 2 ? Float(x * 1e-3) : Float(5000 + x)
      default: return Float(x)
      }
    }
  }

  static func profile(
    _ values: [Float], rows: Int, columns: Int, settings: ScanSettings = ScanSettings(), threads: Int = 1,
    pieceLength: Int = TensorProfile.pieceLength
  ) throws -> TensorProfile {
    try values.withUnsafeBufferPointer {
      try TensorProfile(
        MemorySource($0, rows: rows, columns: columns), settings: settings, threads: threads,
        pieceLength: pieceLength)
    }
  }

  @Test(arguments: tempers, [(1, 1), (1, 65), (7, 9), (100, 100), (3, 9000)])
  func figuresKeepTheirDefinitions(_ temper: String, _ shape: (Int, Int)) throws {
    let (rows, columns) = shape
    let values = Self.tensor(temper, count: rows * columns)
    let p = try Self.profile(values, rows: rows, columns: columns)
    let finite = values.filter(\.isFinite)
    #expect(p.finiteCount == finite.count)
    #expect(p.nanCount == values.filter(\.isNaN).count)
    #expect(p.infiniteCount == values.filter(\.isInfinite).count)
    #expect(p.firstNaN?.index == values.firstIndex { $0.isNaN })
    #expect(p.firstInfinity?.index == values.firstIndex { $0.isInfinite })
    #expect(p.zeroCount == finite.filter { $0 == 0 }.count)
    try #require(!finite.isEmpty)
    #expect(p.smallest == finite.min() && p.largest == finite.max())
    let magnitudes = finite.map(\.magnitude).sorted()
    #expect(p.largestMagnitude == magnitudes[magnitudes.count - 1])
    let smallest = magnitudes.first { $0 > 0 }
    #expect(smallest == nil ? p.smallestMagnitude.isNaN : p.smallestMagnitude == smallest)
    let n = magnitudes.count
    #expect(p.medianMagnitude == (Double(magnitudes[(n - 1) / 2]) + Double(magnitudes[n / 2])) / 2)

    let mean = finite.reduce(0.0) { $0 + Double($1) } / Double(n)
    let scale = Double(p.largestMagnitude)
    #expect((p.mean - mean).magnitude <= 1e-13 * scale)
    func central(_ k: Int) -> Double {
      finite.reduce(0.0) { sum, x in
        sum + (0..<k).reduce(1.0) { power, _ in power * (Double(x) - mean) }
      } / Double(n)
    }
    let variance = central(2)
    #expect((p.standardDeviation - variance.squareRoot()).magnitude <= 1e-10 * scale)
    if n > 50 && temper != "level" {
      #expect((p.kurtosis / (central(4) / variance / variance) - 1).magnitude < 1e-9)
      #expect((p.skewness - central(3) / variance / variance.squareRoot()).magnitude < 1e-8)
    } else if temper == "level" {
      #expect(p.standardDeviation == 0 && p.kurtosis.isNaN)
    }

    let places = values.indices.filter { values[$0].isFinite }.sorted {
      (values[$1].magnitude, $0) < (values[$0].magnitude, $1)
    }
    #expect(p.largestPlaces.map(\.index) == Array(places.prefix(8)))
    for place in p.largestPlaces {
      #expect(place.row == place.index / columns && place.column == place.index % columns)
      #expect(place.value == values[place.index])
    }
    for column in 0..<columns {
      let own = stride(from: column, to: values.count, by: columns).map { values[$0] }.filter(\.isFinite)
      #expect(p.columnMaxima[column] == own.map(\.magnitude).max() ?? 0)
      #expect(p.columnOutliers[column] == own.filter { $0.magnitude >= 6 }.count)
    }
    for row in 0..<rows {
      let own = values[row * columns..<(row + 1) * columns].filter(\.isFinite)
      #expect(p.rowMaxima[row] == own.map(\.magnitude).max() ?? 0)
    }
    #expect(p.octaves.counts.reduce(0, +) == p.finiteCount - p.zeroCount)
    for (k, count) in p.octaves.counts.enumerated() {
      #expect(count == finite.filter { $0 != 0 && Int($0.exponent) == p.octaves.first + k }.count)
    }
  }

  /// Each share, element by element, by the format's own rounding.
  @Test(arguments: tempers) func lossesAreThoseOfTheCast(_ temper: String) throws {
    var values = Self.tensor(temper, count: 20_000)
    // And numbers at and beside every edge that a format has.
    for format in ScanSettings().formats {
      let largest = format.largestFinite
      let smallest = format.smallestPositive
      for x in [largest, largest + format.ulp(of: largest) / 2, smallest, smallest / 2, smallest * 1.5] {
        let y = Float(x)
        values += [y.nextDown, y, y.nextUp, -y]
      }
    }
    let p = try Self.profile(values, rows: 1, columns: values.count)
    #expect(p.losses.count >= 9)
    for loss in p.losses {
      let format = loss.format
      var (overflow, flushed, digitless) = (0, 0, 0)
      // The format with room above tells what rounds beyond the largest number.
      for x in values where x.isFinite && x != 0 {
        let y = format.round(Double(x))
        let spacing = format.ulp(of: Double(x))
        let unbounded = (Double(x) / spacing).rounded(.toNearestOrEven) * spacing
        if unbounded.magnitude > format.largestFinite {
          overflow += 1
        } else if y == 0 {
          flushed += 1
        } else if Double(x).magnitude < format.smallestPositive {
          digitless += 1
        }
      }
      #expect(loss.overflowCount == overflow, "\(format.name) overflow")
      #expect(loss.flushedCount == flushed, "\(format.name) to zero")
      #expect(loss.digitlessCount == digitless, "\(format.name) digitless")
    }
  }

  @Test(arguments: tempers) func threadsDoNotChangeADigit(_ temper: String) throws {
    let values = Self.tensor(temper, count: 300 * 4001)
    let one = try Self.profile(values, rows: 300, columns: 4001)
    for threads in [2, 5] {
      let p = try Self.profile(values, rows: 300, columns: 4001, threads: threads)
      #expect(p.mean.bitPattern == one.mean.bitPattern)
      #expect(p.standardDeviation.bitPattern == one.standardDeviation.bitPattern)
      #expect(p.kurtosis.bitPattern == one.kurtosis.bitPattern)
      #expect(p.skewness.bitPattern == one.skewness.bitPattern)
      #expect(p.medianMagnitude == one.medianMagnitude && p.losses == one.losses)
      #expect(p.largestPlaces == one.largestPlaces && p.columnMaxima == one.columnMaxima)
    }
  }

  /// A sample that is misled about the median costs more passes, not the answer.
  @Test func aMisleadingSampleIsFoundOut() throws {
    // What the sample looks at is unlike the rest.
    let sampled = try Self.sampledRanges(rows: 1024, columns: 1024)
    var values = [Float](repeating: 0, count: 1 << 20)
    #expect(sampled.count > 200 && sampled.count < 300)
    for i in values.indices { values[i] = 3 + Float(i % 1001) * 1e-3 }
    for i in sampled.joined() { values[i] = 1e-3 * Float(i % 97) }
    let (p, passes) = try Self.counted(values, rows: 1024, columns: 1024)
    #expect(passes == 3)
    let sorted = values.sorted()
    #expect(p.medianMagnitude == (Double(sorted[(1 << 19) - 1]) + Double(sorted[1 << 19])) / 2)
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let variance =
      values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(values.count)
    #expect((p.standardDeviation - variance.squareRoot()).magnitude < 1e-10)
  }

  /// A profile, and how often every element was read for it, the sample aside.
  static func counted(_ values: [Float], rows: Int, columns: Int) throws -> (TensorProfile, passes: Int) {
    let log = ReadRanges()
    let source = FunctionSource(rows: rows, columns: columns) { range, buffer in
      log.note(range)
      for (k, i) in range.enumerated() { buffer[k] = values[i] }
    }
    let profile = try TensorProfile(source, threads: 2)
    let seen = log.ranges.filter { $0.count != SampleGuess.pieceLength }.reduce(0) { $0 + $1.count }
    return (profile, seen / values.count)
  }

  /// What the sample looks at in a tensor of this shape.
  static func sampledRanges(rows: Int, columns: Int) throws -> [Range<Int>] {
    struct Stop: Error {}
    let log = ReadRanges()
    let source = FunctionSource(rows: rows, columns: columns) { range, buffer in
      buffer.update(repeating: 0)
      guard range.count == SampleGuess.pieceLength else { throw Stop() }
      log.note(range)
    }
    #expect(throws: Stop.self) { try TensorProfile(source) }
    return log.ranges
  }

  /// A sample that is misled about the mean costs a second pass: moments about a far point cancel.
  @Test func momentsAboutAFarPointAreTakenAgain() throws {
    let (rows, columns) = (8192, 4096)
    let sampled = try Self.sampledRanges(rows: rows, columns: columns)
    // Zeros where the sample looks, too few to move its median.
    let zeros = Set(sampled.flatMap { $0.filter { $0 % 20 < 9 } })
    for isMisled in [false, true] {
      let log = ReadRanges()
      let source = FunctionSource(rows: rows, columns: columns) { range, buffer in
        log.note(range)
        for (k, i) in range.enumerated() { buffer[k] = 1000 + Float(i & 3) }
        guard isMisled else { return }
        for hit in sampled where hit.overlaps(range) {
          for i in hit.clamped(to: range) where zeros.contains(i) { buffer[i - range.lowerBound] = 0 }
        }
      }
      let p = try TensorProfile(source)
      let seen = log.ranges.reduce(0) { $0 + $1.count }
      #expect(seen / (rows * columns) == (isMisled ? 2 : 1))
      let share = isMisled ? Double(zeros.count) / Double(rows * columns) : 0
      #expect((p.mean / ((1 - share) * 1001.5) - 1).magnitude < 1e-4)
      #expect(p.medianMagnitude == (isMisled ? 1001 : 1001.5))
    }
  }

  /// Tensors too large to be sampled whole; in "rows" the sample knows the median only roughly.
  @Test(arguments: tempers + ["rows", "two"]) func mediansOfLargeTensorsAreExact(_ temper: String) throws {
    var values = Self.tensor(temper, count: 1 << 20)
    if temper == "rows" {
      for i in values.indices { values[i] *= Float(sign: .plus, exponent: -(i >> 12 & 15), significand: 1) }
    } else if temper == "two" {
      // Its two middle elements are far apart.
      values = values.indices.map { $0 < 1 << 19 ? 1 + Float($0) * 0x1p-20 : -1000 - Float($0) * 0x1p-10 }
    }
    let (p, passes) = try Self.counted(values, rows: 256, columns: 4096)
    if temper == "normal" || temper == "coarse" || temper == "zeros" { #expect(passes == 1) }
    if temper == "rows" { #expect(passes == 2) }
    let sorted = values.filter(\.isFinite).map(\.magnitude).sorted()
    let n = sorted.count
    #expect(p.medianMagnitude == (Double(sorted[(n - 1) / 2]) + Double(sorted[n / 2])) / 2)
  }

  /// A file that is written while it is read is an error, not a wrong median and no trap.
  @Test func whatChangesBetweenPassesIsRefused() throws {
    let log = ReadRanges()
    let source = FunctionSource(rows: 256, columns: 4096) { range, buffer in
      log.note(range)
      let whole = log.ranges.filter { $0.count != SampleGuess.pieceLength }.reduce(0) { $0 + $1.count }
      // Scales by row need a second look at the median; by then all is smaller.
      let scale: Float = whole > 256 * 4096 ? 1e-6 : 1
      for (k, i) in range.enumerated() {
        buffer[k] =
          scale * Float(1 + i % 4099) * Float(sign: .plus, exponent: -(i >> 12 & 15), significand: 1e-4)
      }
    }
    #expect(throws: ScanError.changed) { try TensorProfile(source) }
  }

  @Test func nothingButSpecialsHasNoFigures() throws {
    let p = try Self.profile([.nan, .infinity, -.infinity, .nan], rows: 2, columns: 2)
    #expect(p.finiteCount == 0 && p.nanCount == 2 && p.infiniteCount == 2)
    #expect(p.medianMagnitude.isNaN && p.largestMagnitude.isNaN && p.mean.isNaN)
    #expect(p.largestPlaces.isEmpty && p.losses.isEmpty)
    #expect(try Self.profile([], rows: 0, columns: 5).finiteCount == 0)
  }
}

/// The ranges that were read of a source.
private final class ReadRanges: Sendable {
  private let seen = Mutex<[Range<Int>]>([])
  var ranges: [Range<Int>] { seen.withLock { $0 } }
  func note(_ range: Range<Int>) { seen.withLock { $0.append(range) } }
}

/// Elements by a function.
private struct FunctionSource: ElementSource {
  let rows: Int
  let columns: Int
  let fill: @Sendable (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
  func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    try fill(range, buffer)
  }
}
