import CSchemes

/// Clips each group at a percentile of its magnitudes (the nearest rank), then quantizes.
struct PercentileClip: Calibration {
  let percentile: Double
  var name: String { "percentile:\(shortName(percentile))" }

  init(_ number: Double?) throws {
    percentile = number ?? 99.9
    guard percentile > 0, percentile <= 100 else {
      throw CureError.parameter("percentile: must be above 0 and at most 100")
    }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws -> any BandCoder {
    let layout = GroupLayout(scheme, rows: tensor.rows, columns: tensor.columns)
    let percentile = percentile
    @Sendable func rank(_ count: Int) -> Int {
      min(max(Int((percentile / 100 * Double(count)).rounded(.up)), 1), count) - 1
    }
    var shared: [Float] = []
    if layout.isShared {
      var counts = [Int](repeating: 0, count: layout.sharedCount)
      layout.groups(rows: 1).forEachRun { group, elements in counts[group] += tensor.rows * elements.count }
      var search = RankSearch(ranks: counts.map(rank))
      try search.run(tensor, layout)
      shared = search.found.map { Float(bitPattern: $0) }
    }
    let found = shared
    return try ClippingCoder(scheme, tensor, layout) { band, _ in
      layout.figures(found, of: band) { band, groups in
        var members = [[UInt32]](repeating: [], count: groups.count)
        groups.forEachRun { group, elements in
          members[group] += band.values[elements].map { $0.magnitude.bitPattern }
        }
        return members.indices.map { k in
          Float(bitPattern: Selection.select(&members[k], rank: rank(members[k].count)))
        }
      }
    }
  }
}

/// Clips each group at the share of its largest magnitude that makes its squared error smallest, of 1 … 2^−12.
package struct MSEClip: Calibration {
  package var name: String { "mse" }

  package init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("mse takes no number") }
  }

  /// What is tried: fine near 1, then octaves by thirds.
  package static let shares: [Double] =
    (0...14).map { 1 - 0.05 * Double($0) } + (6...36).map { nc_exp2(-Double($0) / 3) }

  package func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any BandCoder
  {
    let rule = ClippingRule(shares: Self.shares, limit: { Float(Double($0) * $1) }) {
      decoded, band, groups, losses in
      groups.forEachRun { group, elements in
        for i in elements {
          let e = Double(decoded.values[i]) - Double(band.values[i])
          losses[group] += e * e
        }
      }
    }
    return try ClippingTrials.coder(tensor, scheme, rule)
  }
}

/// Clips the tensor where its magnitudes' histogram, brought to the scheme's levels, diverges least from itself: TensorRT's
/// entropy calibration (Migacz, "8-bit Inference with TensorRT", GTC 2017), with 2048 bins.
package struct EntropyClip: Calibration {
  static let bins = 2048
  package var name: String { "kl" }

  package init(_ number: Double?) throws {
    if number != nil { throw CureError.parameter("kl takes no number") }
  }

  package func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any BandCoder
  {
    let layout = GroupLayout(scheme, rows: tensor.rows, columns: tensor.columns)
    // Positive codes of int8 and int4; other formats have about as many levels as int8.
    let bits = SymmetricGrid(scheme)?.bits ?? 8
    let limit = try Self.limit(tensor, levels: 1 << (bits - 1))
    return try ClippingCoder(scheme, tensor, layout) { band, _ in
      [Float](repeating: limit, count: layout.groups(rows: band.rows).count)
    }
  }

  /// The magnitude to clip at.
  package static func limit(_ tensor: TensorBands, levels: Int) throws -> Float {
    var largest: Float = 0
    try tensor.forEach { _, band in largest = band.values.reduce(largest) { max($0, $1.magnitude) } }
    guard largest > 0 else { return 0 }
    let width = Double(largest) / Double(bins)
    var counts = [Double](repeating: 0, count: bins)
    try tensor.forEach { _, band in
      for x in band.values where x != 0 { counts[min(Int(Double(x.magnitude) / width), bins - 1)] += 1 }
    }
    var best = (divergence: Double.infinity, bin: bins)
    var beyond = counts[levels...].reduce(0, +)
    for end in levels...bins {
      // What is clipped counts in the last bin kept.
      var p = Array(counts[..<end])
      p[end - 1] += beyond
      let d = divergence(p, counts[..<end], levels: levels)
      if d < best.divergence { best = (d, end) }
      if end < bins { beyond -= counts[end] }
    }
    return Float(min(Double(best.bin) * width, Double(largest)))
  }

  /// KL(p ‖ q) in nats, where q is `counts` in `levels` equal steps, each spread over its bins that are not empty.
  private static func divergence(_ p: [Double], _ counts: ArraySlice<Double>, levels: Int) -> Double {
    let n = counts.count
    var q = [Double](repeating: 0, count: n)
    for level in 0..<levels {
      let range = level * n / levels..<(level + 1) * n / levels
      let sum = counts[range].reduce(0, +)
      let filled = range.filter { counts[$0] > 0 }
      for k in filled { q[k] = sum / Double(filled.count) }
    }
    let (totalP, totalQ) = (p.reduce(0, +), q.reduce(0, +))
    guard totalP > 0, totalQ > 0 else { return .infinity }
    var sum = 0.0
    for k in 0..<n where p[k] > 0 {
      // A bin that q lost entirely: as if it held one in a thousand of its mass.
      let share = q[k] > 0 ? q[k] / totalQ : p[k] / totalP / 1000
      sum += p[k] / totalP * nc_log(p[k] / totalP / share)
    }
    return sum
  }
}
