import CVector

/// Counts the lower 16 bits of the magnitudes whose upper 15 are in some bins that follow one another.
struct RefinedBins {
  let bins: Range<Int>
  private var counts: [UInt64]
  /// What was found and is not counted yet: the table is seldom in the cache, so it is visited for many at once.
  private var waiting: [Int32]
  private var waitingCount = 0

  init(_ bins: Range<Int>) {
    self.bins = bins
    counts = [UInt64](repeating: 0, count: bins.count << 16)
    waiting = [Int32](repeating: 0, count: bins.isEmpty ? 0 : 1 << 16)
  }

  /// Adds at most `FirstPass.grain` elements.
  mutating func add(_ x: UnsafePointer<Float>, _ count: Int) {
    if bins.isEmpty { return }
    if waitingCount + count >= waiting.count { countWaiting() }
    waiting.withUnsafeMutableBufferPointer {
      guard let places = $0.baseAddress else { return }
      waitingCount += nc_find_bins(
        x, count, Int32(bins.lowerBound), Int32(bins.count), places + waitingCount)
    }
  }

  mutating func countWaiting() {
    counts.withUnsafeMutableBufferPointer { counts in
      waiting.withUnsafeBufferPointer { waiting in
        for k in 0..<waitingCount { counts[Int(waiting[k])] &+= 1 }
      }
    }
    waitingCount = 0
  }

  mutating func merge(_ other: RefinedBins) {
    countWaiting()
    var other = other
    other.countWaiting()
    for k in counts.indices { counts[k] += other.counts[k] }
  }

  /// The lower bits of the magnitude of `rank`, from 0, in one of the bins; all must be counted.
  func lowerBits(bin: Int, rank: UInt64) -> UInt32 {
    let start = (bin - bins.lowerBound) << 16
    var below: UInt64 = 0
    for (k, n) in counts[start..<start + 1 << 16].enumerated() {
      below += n
      if below > rank { return UInt32(k) }
    }
    return 0
  }
}
