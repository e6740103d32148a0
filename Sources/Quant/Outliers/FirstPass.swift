import CVector
import NumKit

/// The first pass over a tensor, by one thread, which is also the last where a sample guessed mean and median well. Parts
/// merge to the same whatever the split, as long as they begin at multiples of `grain`.
final class FirstPass {
  /// Elements whose sums are taken together: what a part must begin at a multiple of.
  static let grain = 4096

  let rows: Int
  let columns: Int
  private let keepsColumns: Bool
  private let rowsPerMaximum: Int
  private let outlierBits: Int32

  private(set) var bins = [UInt64](repeating: 0, count: 1 << 15)
  private var tables = [UInt32](repeating: 0, count: 1 << 17)
  private var binned = 0
  private let guess: SampleGuess
  /// Bits of magnitudes that neither bins nor powers decide, ascending.
  private let thresholds: [Int32]
  private(set) var thresholdCounts: [UInt64]
  private(set) var refined: RefinedBins
  /// Magnitudes that are exact powers of two, by exponent field; 0: zeros.
  private(set) var powers = [UInt64](repeating: 0, count: 256)
  private(set) var moments = [ExactSum](repeating: ExactSum(), count: 4)
  private(set) var smallest = Float.infinity
  private(set) var largest = -Float.infinity
  private(set) var tiny = Int32.max
  private(set) var lowBits: Int32 = 0
  private(set) var nanCount = 0
  private(set) var infiniteCount = 0
  private(set) var firstNaN: Int?
  private(set) var firstInfinity: Int?
  private(set) var places: LargestPlaces
  private(set) var columnMaxima: [Int32]
  private(set) var columnCounts: [UInt32]
  private(set) var rowMaxima: [Int32]

  init(_ profile: TensorProfile, guess: SampleGuess, thresholds: [Int32]) {
    self.guess = guess
    self.thresholds = thresholds
    thresholdCounts = [UInt64](repeating: 0, count: thresholds.count)
    refined = RefinedBins(guess.bins)
    rows = profile.rows
    columns = profile.columns
    keepsColumns = profile.columns <= TensorProfile.columnLimit
    rowsPerMaximum = profile.rowsPerMaximum
    outlierBits = Int32(bitPattern: max(profile.settings.outlierLimit, 0).bitPattern)
    places = LargestPlaces(limit: profile.settings.placeCount)
    columnMaxima = [Int32](repeating: 0, count: keepsColumns ? columns : 0)
    columnCounts = [UInt32](repeating: 0, count: keepsColumns ? columns : 0)
    rowMaxima = [Int32](repeating: 0, count: (rows + rowsPerMaximum - 1) / rowsPerMaximum)
  }

  /// Adds the elements from number `start` on.
  func add(_ values: UnsafeBufferPointer<Float>, at start: Int) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: Self.grain) {
      let count = min(Self.grain, values.count - offset)
      addGrain(x + offset, count, at: start + offset)
      addRows(x + offset, count, at: start + offset)
    }
  }

  private func addGrain(_ x: UnsafePointer<Float>, _ count: Int, at start: Int) {
    if binned > 1 << 30 { emptyTables() }
    binned += count
    let zerosBefore = powers[0]
    let part = tables.withUnsafeMutableBufferPointer { bins in
      powers.withUnsafeMutableBufferPointer {
        nc_scan(x, count, guess.mean, bins.baseAddress, $0.baseAddress)
      }
    }
    for (k, term) in [part.first, part.second, part.third, part.fourth].enumerated() { moments[k].add(term) }
    refined.add(x, count)
    let nonzero = UInt64(part.numbers) - (powers[0] - zerosBefore)
    for (k, limit) in thresholds.enumerated() where part.magnitude >= limit {
      // Hardly ever are there some on both sides.
      thresholdCounts[k] += part.tiny >= limit ? nonzero : nc_count_from(x, count, limit)
    }
    smallest = min(smallest, part.smallest)
    largest = max(largest, part.largest)
    tiny = min(tiny, part.tiny)
    lowBits |= part.lowBits
    if part.special != 0 {
      for i in 0..<count where !x[i].isFinite {
        if x[i].isNaN {
          nanCount += 1
          firstNaN = min(firstNaN ?? .max, start + i)
        } else {
          infiniteCount += 1
          firstInfinity = min(firstInfinity ?? .max, start + i)
        }
      }
    }
    guard part.magnitude >= places.threshold else { return }
    var i = nc_find_from(x, count, places.threshold, 0)
    while i < count {
      if x[i].isFinite { places.add(start + i, x[i]) }
      i = nc_find_from(x, count, places.threshold, i + 1)
    }
  }

  private func addRows(_ x: UnsafePointer<Float>, _ count: Int, at start: Int) {
    var offset = 0
    while offset < count {
      let column = (start + offset) % columns
      let length = min(columns - column, count - offset)
      var magnitude: Int32
      if keepsColumns {
        magnitude = columnMaxima.withUnsafeMutableBufferPointer { maxima in
          columnCounts.withUnsafeMutableBufferPointer { counts in
            guard let m = maxima.baseAddress, let c = counts.baseAddress else { return 0 }
            return nc_scan_row(x + offset, length, outlierBits, m + column, c + column)
          }
        }
      } else {
        magnitude = nc_row_magnitude(x + offset, length)
      }
      let entry = (start + offset) / columns / rowsPerMaximum
      magnitude = max(rowMaxima[entry], magnitude)
      rowMaxima[entry] = magnitude
      offset += length
    }
  }

  /// Counts what waits, before counts can overflow and when all is added.
  func emptyTables() {
    if binned > 0 {
      // Not element by element of a class: each access would be checked.
      bins.withUnsafeMutableBufferPointer { bins in
        tables.withUnsafeMutableBufferPointer { tables in
          for k in tables.indices {
            bins[k & 0x7fff] += UInt64(tables[k])
            tables[k] = 0
          }
        }
      }
    }
    binned = 0
    refined.countWaiting()
  }

  /// Adds what another thread saw.
  func merge(_ other: FirstPass) {
    emptyTables()
    other.emptyTables()
    Self.add(other.bins, to: &bins)
    for k in moments.indices { moments[k].merge(other.moments[k]) }
    Self.add(other.powers, to: &powers)
    Self.add(other.thresholdCounts, to: &thresholdCounts)
    refined.merge(other.refined)
    smallest = min(smallest, other.smallest)
    largest = max(largest, other.largest)
    tiny = min(tiny, other.tiny)
    lowBits |= other.lowBits
    nanCount += other.nanCount
    infiniteCount += other.infiniteCount
    if let first = other.firstNaN { firstNaN = min(firstNaN ?? .max, first) }
    if let first = other.firstInfinity { firstInfinity = min(firstInfinity ?? .max, first) }
    places.merge(other.places)
    Self.raise(&columnMaxima, to: other.columnMaxima)
    Self.add(other.columnCounts, to: &columnCounts)
    Self.raise(&rowMaxima, to: other.rowMaxima)
  }

  private static func add<Count: FixedWidthInteger>(_ other: [Count], to counts: inout [Count]) {
    for k in counts.indices { counts[k] += other[k] }
  }

  private static func raise(_ maxima: inout [Int32], to other: [Int32]) {
    for k in maxima.indices { maxima[k] = max(maxima[k], other[k]) }
  }
}
