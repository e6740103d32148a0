import CSchemes

/// The quantizer of least mean squared error with so many levels for one distribution (Lloyd 1957/1982, Max 1960).
///
/// Levels are centroids of their cells, cell boundaries lie midway. Both conditions are only necessary, so the iteration
/// starts from three designs (companding by the cube root of the density, equal shares, equal steps) and the best
/// one is kept. Cells end at bins of `EmpiricalDistribution`, so the error is one that a quantizer really has.
public struct LloydMax: Sendable {
  /// The levels, ascending; fewer than asked for where there are not that many different numbers.
  public let levels: [Double]
  /// Its mean squared error on the distribution.
  public let mse: Double

  /// Designs a quantizer of `levelCount` levels; nil for no levels or an empty distribution.
  public init?(levelCount: Int, for distribution: EmpiricalDistribution) {
    guard levelCount > 0, distribution.binCount > 0 else { return nil }
    let count = min(levelCount, distribution.binCount)
    var best: (levels: [Double], error: Double)?
    let starts =
      count == distribution.binCount ? [Array(0...count)] : LloydMax.designs(count, distribution)
    for start in starts {
      let found = LloydMax.refine(start, count, distribution)
      if best.map({ found.error < $0.error }) ?? true { best = found }
    }
    guard let best else { return nil }
    levels = best.levels
    mse = (best.error + distribution.withinBins) / distribution.count
  }

  /// Edges of cells, as indices of bins.
  private static func designs(_ count: Int, _ distribution: EmpiricalDistribution) -> [[Int]] {
    let bins = distribution.binCount
    let (first, last) = (distribution.means[0], distribution.means[bins - 1])
    // Equal shares of a weight for each bin.
    func shares(_ weight: (Int) -> Double) -> [Int] {
      var total = 0.0
      for bin in 0..<bins { total += weight(bin) }
      var edges = [0]
      var running = 0.0
      for bin in 0..<bins where edges.count < count {
        running += weight(bin)
        if running >= total * Double(edges.count) / Double(count) { edges.append(bin + 1) }
      }
      return edges + [bins]
    }
    func width(_ bin: Int) -> Double {
      let below = distribution.means[max(bin - 1, 0)]
      let above = distribution.means[min(bin + 1, bins - 1)]
      return max((above - below) / 2, .leastNormalMagnitude)
    }
    let companded = shares { bin in
      // Density^⅓ times the width.
      nc_cbrt(distribution.counts[bin] / width(bin)) * width(bin)
    }
    let equal = shares { distribution.counts[$0] }
    let steps = (0...count).map {
      distribution.bin(from: first + (last - first) * Double($0) / Double(count))
    }
    return [companded, equal, [0] + steps.dropFirst().dropLast() + [bins]]
  }

  /// Edges without empty cells; in place of those, cells with the largest error are cut in two.
  private static func repaired(_ edges: [Int], _ count: Int, _ distribution: EmpiricalDistribution) -> [Int] {
    var result: [Int] = []
    for edge in edges where result.last.map({ edge > $0 }) ?? true { result.append(edge) }
    while result.count <= count {
      var worst: (cell: Int, error: Double)?
      for cell in 0..<result.count - 1 where result[cell + 1] - result[cell] > 1 {
        let error = distribution.roughScatter(result[cell]..<result[cell + 1])
        if worst.map({ error > $0.error }) ?? true { worst = (cell, error) }
      }
      guard let cell = worst?.cell else { break }
      let (low, high) = (result[cell], result[cell + 1])
      let cut = distribution.bin(from: distribution.centroid(low..<high))
      result.insert(min(max(cut, low + 1), high - 1), at: cell + 1)
    }
    return result
  }

  private static func refine(_ start: [Int], _ count: Int, _ distribution: EmpiricalDistribution) -> (
    levels: [Double], error: Double
  ) {
    var edges = repaired(start, count, distribution)
    var levels = centroids(edges, distribution)
    var error = Double.infinity
    var quiet = 0
    for _ in 0..<2000 {
      var next = [0]
      for index in 1..<max(levels.count, 1) {
        next.append(distribution.bin(from: (levels[index - 1] + levels[index]) / 2))
      }
      edges = repaired(next + [distribution.binCount], count, distribution)
      levels = centroids(edges, distribution)
      var new = 0.0
      for cell in levels.indices { new += distribution.roughScatter(edges[cell]..<edges[cell + 1]) }
      quiet = new < error * (1 - 1e-7) ? 0 : quiet + 1
      error = min(error, new)
      if quiet == 8 { break }
    }
    return (levels, cost(edges, levels, distribution))
  }

  private static func centroids(_ edges: [Int], _ distribution: EmpiricalDistribution) -> [Double] {
    zip(edges, edges.dropFirst()).map { distribution.centroid($0..<$1) }
  }

  /// Σ n (mean − level)² over bins, without what is inside of bins.
  private static func cost(_ edges: [Int], _ levels: [Double], _ distribution: EmpiricalDistribution)
    -> Double
  {
    var sum = 0.0
    for (index, level) in levels.enumerated() {
      sum += distribution.scatter(edges[index]..<edges[index + 1], about: level)
    }
    return sum
  }
}
