import CSchemes
import NumKitNumbers

/// Counts the magnitudes in a window, as bits of Floats, and all below it: the window tells how large an order statistic is
/// that falls into it, exactly where the window is narrow.
struct MagnitudeWindow {
  private let bounds: Range<Int32>
  /// How many low bits are not told apart, so that there are at most `countLimit` counts.
  private let shift: Int32
  private var below: UInt64 = 0
  /// Empty until much was found.
  private var counts: [UInt64] = []
  /// What was found and is not counted yet: the table is seldom in the cache, so it is visited for many at once.
  private var waiting: [Int32]
  private var waitingCount = 0

  private static let countLimit = 1 << 19

  /// - Parameter bounds: bits of Floats. Zeros are always below it.
  init(_ bounds: Range<Int32>) {
    let bounds = max(bounds.lowerBound, 1)..<max(bounds.upperBound, 1)
    self.bounds = bounds
    shift = (0..<32).first { bounds.count >> $0 <= Self.countLimit } ?? 0
    waiting = [Int32](repeating: 0, count: 6 * FirstPass.grain + 2)
  }

  /// Adds at most `FirstPass.grain` elements; what is no number must lie above the window.
  mutating func add(_ x: UnsafePointer<Float>, _ count: Int) {
    if waitingCount + count + 2 > waiting.count { countWaiting() }
    waiting.withUnsafeMutableBufferPointer {
      guard let places = $0.baseAddress else { return }
      waitingCount += nc_find_between(
        x, count, bounds.lowerBound, Int32(bounds.count), places + waitingCount, &below)
    }
  }

  private mutating func countWaiting() {
    if counts.isEmpty { counts = [UInt64](repeating: 0, count: bounds.count >> shift + 1) }
    counts.withUnsafeMutableBufferPointer { counts in
      waiting.withUnsafeBufferPointer { waiting in
        for k in 0..<waitingCount { counts[Int(waiting[k] &>> shift)] &+= 1 }
      }
    }
    waitingCount = 0
  }

  /// Adds what another found in the same window.
  mutating func merge(_ other: MagnitudeWindow) {
    below += other.below
    if counts.isEmpty {
      counts = other.counts
    } else if !other.counts.isEmpty {
      for k in counts.indices { counts[k] += other.counts[k] }
    }
    if waitingCount + other.waitingCount > waiting.count { countWaiting() }
    waiting.replaceSubrange(
      waitingCount..<waitingCount + other.waitingCount, with: other.waiting[..<other.waitingCount])
    waitingCount += other.waitingCount
  }

  /// Where the magnitude of `rank`, from 0, lies among all that were added, as bits; nil if outside the window.
  mutating func span(rank: UInt64) -> Range<Int32>? {
    guard rank >= below else { return bounds.lowerBound == 1 ? 0..<1 : nil }
    var rest = rank - below
    if counts.isEmpty {
      guard rest < waitingCount else { return nil }
      let bits = bounds.lowerBound + waiting[..<waitingCount].sorted()[Int(rest)]
      return bits..<bits + 1
    }
    countWaiting()
    for (k, n) in counts.enumerated() {
      if rest < n {
        let bits = bounds.lowerBound + Int32(k) << shift
        return bits..<bits + 1 << shift
      }
      rest -= n
    }
    return nil
  }
}

extension MagnitudeWindow: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &below)
    var hasCounts = !counts.isEmpty
    try c.carry(&hasCounts)
    if hasCounts {
      if c.isReading { counts = [UInt64](repeating: 0, count: bounds.count >> shift + 1) }
      try c.carry(sparse: &counts)
    }
    var found = Array(waiting[..<waitingCount])
    try c.carry(&found, blank: 0) { try $0.carry(&$1) }
    guard found.count <= waiting.count, found.allSatisfy({ 0...Int32(bounds.count) ~= $0 }) else {
      throw CarrierError()
    }
    waiting.replaceSubrange(..<found.count, with: found)
    waitingCount = found.count
  }
}
