import CSchemes
import NumKit

/// A second pass, only where the sample that the first went by misled it: central moments about the true mean, and the bins
/// of all magnitudes.
struct SecondPass {
  private let mean: Double
  var bins = MagnitudeBins()
  private(set) var squares = ExactSum()
  private(set) var cubes = ExactSum()
  private(set) var fourths = ExactSum()

  init(mean: Double) {
    self.mean = mean
  }

  mutating func add(_ values: UnsafeBufferPointer<Float>) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: FirstPass.grain) {
      let sums = nc_sum(x + offset, min(FirstPass.grain, values.count - offset), mean)
      squares.add(sums.second)
      cubes.add(sums.third)
      fourths.add(sums.fourth)
    }
    bins.add(values)
  }

  mutating func merge(_ other: SecondPass) {
    squares.merge(other.squares)
    cubes.merge(other.cubes)
    fourths.merge(other.fourths)
    bins.merge(other.bins)
  }
}

/// A third pass, only where the earlier ones told the median's magnitudes roughly: each magnitude there.
struct ThirdPass {
  var windows: [MagnitudeWindow]

  init(_ spans: [Range<Int32>]) {
    windows = spans.map { MagnitudeWindow($0) }
  }

  mutating func add(_ values: UnsafeBufferPointer<Float>) {
    guard let x = values.baseAddress else { return }
    for offset in stride(from: 0, to: values.count, by: FirstPass.grain) {
      let count = min(FirstPass.grain, values.count - offset)
      for k in windows.indices { windows[k].add(x + offset, count) }
    }
  }

  mutating func merge(_ other: ThirdPass) {
    for k in windows.indices { windows[k].merge(other.windows[k]) }
  }
}

/// Counts of finite magnitudes by the upper 16 bits of their Floats.
struct MagnitudeBins {
  private var counts = [UInt64](repeating: 0, count: 0x7f80)
  private var tables = [UInt32](repeating: 0, count: 1 << 16)
  private var waiting = 0

  mutating func add(_ values: UnsafeBufferPointer<Float>) {
    // Before a count can overflow.
    if waiting + values.count > 1 << 30 { emptyTables() }
    waiting += values.count
    nc_count_bins(values.baseAddress, values.count, &tables)
  }

  private mutating func emptyTables() {
    for k in counts.indices { counts[k] += UInt64(tables[k]) + UInt64(tables[k + 0x8000]) }
    for k in tables.indices { tables[k] = 0 }
    waiting = 0
  }

  mutating func merge(_ other: MagnitudeBins) {
    var other = other
    other.emptyTables()
    emptyTables()
    for k in counts.indices { counts[k] += other.counts[k] }
  }

  /// The bin of the number of `rank`, from 0, as bits of Floats.
  mutating func span(rank: UInt64) -> Range<Int32> {
    if waiting > 0 { emptyTables() }
    var below: UInt64 = 0
    let bin = counts.firstIndex {
      below += $0
      return below > rank
    }
    let bits = Int32((bin ?? counts.count - 1) << 16)
    return bits..<bits + 1 << 16
  }
}
