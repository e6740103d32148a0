import NumKitNumbers
import NumKitTruth

/// What storing the inputs alone does to the truth of one part of the results: the largest changes over rows.
struct InherentChange {
  /// Relative to the row's largest result.
  private(set) var normwise = 0.0
  /// In ulps of the result.
  private(set) var ulp = 0.0
  /// Relative to the result, of those that carry a share of their row.
  private(set) var share = 0.0

  /// Compares the first `count` results of a row.
  mutating func compare(given: FlatTruth, stored: FlatTruth, count: Int, _ format: NumberFormat) {
    given.value.withUnsafeBufferPointer { given in
      stored.value.withUnsafeBufferPointer { stored in
        compare(.init(rebasing: given[..<count]), .init(rebasing: stored[..<count]), format)
      }
    }
  }

  private mutating func compare(
    _ given: UnsafeBufferPointer<Double>, _ stored: UnsafeBufferPointer<Double>, _ format: NumberFormat
  ) {
    var (worst, scale, mass) = (0.0, 0.0, 0.0)
    for (g, s) in zip(given, stored) where g.isFinite {
      mass += g.magnitude
      guard s.isFinite else { continue }
      let change = (g - s).magnitude
      worst = Swift.max(worst, change)
      scale = Swift.max(scale, g.magnitude)
      if change > 0 { ulp = Swift.max(ulp, change / format.ulp(of: g)) }
    }
    if scale > 0 { normwise = Swift.max(normwise, worst / scale) }
    for (g, s) in zip(given, stored) where g.isFinite && s.isFinite && g != 0 {
      let size = g.magnitude
      if size >= ErrorStatistics.leastShare * mass { share = Swift.max(share, (g - s).magnitude / size) }
    }
  }

  mutating func merge(_ other: InherentChange) {
    normwise = Swift.max(normwise, other.normwise)
    ulp = Swift.max(ulp, other.ulp)
    share = Swift.max(share, other.share)
  }
}

extension InherentChange: Portable {
  mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&normwise)
    try c.carry(&ulp)
    try c.carry(&share)
  }
}
