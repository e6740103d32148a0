import CJudging
import NumKitNumbers

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

  /// What a result may be off by, of its row's largest, before a row counts as lost or the question as ill-conditioned:
  /// an eighth, or in formats too short for that what rounding alone may cost.
  var tolerance: Double {
    guard case .ulp(let format) = self else { return 0.125 }
    return Swift.max(0.125, 4 * format.unitRoundoff)
  }

  /// As the vector loops take it.
  var vector: nc_unit {
    switch self {
    case .ulp(let format):
      return nc_unit(
        step: 0, fraction_bits: Int32(format.precision - 1), min_exponent: Int32(format.minExponent))
    case .step(let step): return nc_unit(step: step, fraction_bits: 0, min_exponent: 0)
    }
  }
}
