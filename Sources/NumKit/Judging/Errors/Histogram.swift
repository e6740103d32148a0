import NumKitNumbers

/// Counts of non-negative numbers in buckets of 128 an octave, from 2^−24 to 2^40: quantiles to within 0.8 %, and the
/// same whatever the order or the split.
public struct Histogram: Sendable {
  private static let lowest = -24
  private static let octaves = 64
  private static let perOctave = 128
  private var buckets = [UInt64](repeating: 0, count: octaves * perOctave + 1)
  /// How many were counted.
  public private(set) var count: UInt64 = 0

  /// Empty.
  public init() {}

  /// Counts `x` ≥ 0; what is below 2^−24 counts as 0, above 2^40 as 2^40.
  public mutating func add(_ x: Double) {
    buckets[Self.index(x)] += 1
    count += 1
  }

  /// Counts each of `values`.
  mutating func add(_ values: UnsafeBufferPointer<Double>) {
    var small: UInt64 = 0
    buckets.withUnsafeMutableBufferPointer { buckets in
      for x in values {
        let i = Self.index(x)
        // Many results are exact; an increment of one place in memory waits for the last.
        if i == 0 { small += 1 } else { buckets[i] += 1 }
      }
    }
    buckets[0] += small
    count += UInt64(values.count)
  }

  /// Adds the counts of another.
  public mutating func merge(_ other: Histogram) {
    for i in buckets.indices { buckets[i] += other.buckets[i] }
    count += other.count
  }

  /// The upper end of the bucket that holds the `q`-quantile (the smallest number with at least q·count at or below
  /// it); 0 if empty.
  public func quantile(_ q: Double) -> Double {
    guard count > 0 else { return 0 }
    let rank = Swift.max(UInt64((q * Double(count)).rounded(.up)), 1)
    var seen: UInt64 = 0
    for (i, n) in buckets.enumerated() {
      seen += n
      if seen >= rank { return Self.upperEnd(i) }
    }
    return Self.upperEnd(buckets.count - 1)
  }

  /// Counts by octave, from the first that has any to the last: `from` is its lower end; 0 is the first of what is below 2^−24.
  package var octaves: [(from: Double, count: UInt64)] {
    var list: [(from: Double, count: UInt64)] = [(0, buckets[0])]
    for octave in 0..<Self.octaves {
      let counts = buckets[(1 + octave * Self.perOctave)...].prefix(Self.perOctave)
      list.append((Double.powerOfTwo(Self.lowest + octave), counts.reduce(0, +)))
    }
    guard let first = list.firstIndex(where: { $0.count > 0 }),
      let last = list.lastIndex(where: { $0.count > 0 })
    else { return [] }
    return Array(list[first...last])
  }

  private static func index(_ x: Double) -> Int {
    guard x >= Double.powerOfTwo(lowest) else { return 0 }
    let raw = Int(x.bitPattern >> 45) - (1023 + lowest) * perOctave
    return Swift.min(raw + 1, octaves * perOctave)
  }

  private static func upperEnd(_ index: Int) -> Double {
    guard index > 0 else { return 0 }
    return Double(bitPattern: UInt64(index + (1023 + lowest) * perOctave) << 45)
  }
}

extension Histogram: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(sparse: &buckets)
    if c.isReading { count = buckets.reduce(0, +) }
  }
}
