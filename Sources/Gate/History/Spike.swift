/// A run whose figure stands off from all others, before and after: what came and went within one run, which is no jump.
package struct Spike: Sendable, Equatable {
  /// The point that stands off.
  package let index: Int
  /// The mean of the others.
  package let level: Double

  /// Nil where none does: of fewer than four points; where the farthest is off by no more than six times what the others scatter, or
  /// by less than a hundredth; or at either end, where nobody knows whether it stays.
  package init?(_ values: [Double]) {
    guard values.count >= 4, values.allSatisfy(\.isFinite) else { return nil }
    func others(_ k: Int) -> (mean: Double, scatter: Double) {
      let rest = values[..<k] + values[(k + 1)...]
      let mean = rest.reduce(0, +) / Double(rest.count)
      let squares = rest.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return (mean, (squares / Double(rest.count)).squareRoot())
    }
    let inner = 1..<values.count - 1
    guard
      let far = inner.max(by: {
        (values[$0] - others($0).mean).magnitude < (values[$1] - others($1).mean).magnitude
      })
    else { return nil }
    let (mean, scatter) = others(far)
    let distance = (values[far] - mean).magnitude
    guard distance > 6 * scatter, distance > 0.01 * mean.magnitude else { return nil }
    (index, level) = (far, mean)
  }
}
