#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Where a series of figures stepped from one level to another: the split that leaves the least squared distance from the means of both
/// sides. What is positive is compared by logarithm, for errors change by factors.
package struct Jump: Sendable, Equatable {
  /// The first point after the step.
  package let index: Int
  /// The level after over the level before; the difference where a level is not positive.
  package let factor: Double

  /// Nil where nothing stepped: where a step explains no more than its points scatter, or it is less than a thousandth.
  package init?(_ values: [Double]) {
    guard values.count >= 2, values.allSatisfy(\.isFinite) else { return nil }
    let isPositive = values.allSatisfy { $0 > 0 }
    let x = isPositive ? values.map { log($0) } : values
    func spread(_ part: ArraySlice<Double>) -> (mean: Double, squares: Double) {
      let mean = part.reduce(0, +) / Double(part.count)
      return (mean, part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) })
    }
    var best: (index: Int, squares: Double, step: Double)?
    for k in 1..<x.count {
      let (a, b) = (spread(x[..<k]), spread(x[k...]))
      if best == nil || a.squares + b.squares < (best?.squares ?? 0) {
        best = (k, a.squares + b.squares, b.mean - a.mean)
      }
    }
    guard let best else { return nil }
    let scatter = (best.squares / Double(x.count)).squareRoot()
    let least = isPositive ? 0.001 : 0.001 * (values.map(\.magnitude).max() ?? 0)
    guard best.step.magnitude > 3 * scatter, best.step.magnitude > least else { return nil }
    index = best.index
    factor = isPositive ? exp(best.step) : best.step
  }
}
