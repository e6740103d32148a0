/// What one ulp is for the results under test.
public enum ErrorUnit: Sendable, Hashable {
  /// The spacing of a floating-point format at the exact value.
  case ulp(NumberFormat)
  /// The step of an integer grid.
  case step(Double)

  /// The unit at the exact value `t`.
  public func size(at t: Double) -> Double {
    switch self {
    case .ulp(let format): return format.ulp(of: t)
    case .step(let step): return step
    }
  }
}
