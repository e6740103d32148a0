import NumKitKernels
import NumKitNumbers

/// What a bound needs to know of a format and of its elementary functions.
struct Precision {
  let format: NumberFormat
  /// ErrorUnit roundoff.
  let u: Double
  /// Absolute error of a result rounded in the subnormal range: half the smallest positive number, or as many as an
  /// exponential may err by.
  let tiny: Double
  /// Relative errors of the functions: u where they are correctly rounded. For f32 and f64, whose functions are the
  /// platform's, as many ulps (at most 2u each) as `LibraryAccuracy` measures and allows; ∞ where they cannot be used. `exp`
  /// covers exp2.
  let exp: Double
  let log: Double
  let log1p: Double
  let tanh: Double

  init(_ format: NumberFormat) {
    self.format = format
    u = format.unitRoundoff
    let library = LibraryAccuracy.of(format)
    let ulp = 2 * format.unitRoundoff
    func relative(_ function: LibraryFunction) -> Double { ulp * (library?.ulps(function) ?? 0.5) }
    exp = Swift.max(relative(.exp), relative(.exp2))
    log = relative(.log)
    log1p = relative(.log1p)
    tanh = relative(.tanh)
    tiny = format.smallestPositive * (library == nil ? 0.5 : exp < .infinity ? Swift.max(1, exp / ulp) : 1)
  }

  var largest: Double { format.largestFinite }

  /// γ(d) = d·u/(1 − d·u): the relative error of d roundings in a row (Higham, "Accuracy and Stability of Numerical
  /// Algorithms", 2002, §3.1); ∞ once d·u ≥ 1.
  func gamma(_ d: Int) -> Double {
    let x = Double(d) * u
    return x < 1 ? x / (1 - x) : .infinity
  }

  /// The relative error of rounding a number of `other` to this format.
  func conversion(from other: Precision) -> Double {
    format.precision >= other.format.precision ? 0 : u
  }
}

/// The precisions of a configuration.
struct Precisions {
  let compute: Precision
  let accumulator: Precision
  /// nil where results are not rounded again for storage.
  let storage: Precision?

  init?(_ configuration: KernelConfiguration) {
    guard let format = configuration.storage.numberFormat else { return nil }
    compute = Precision(configuration.compute)
    accumulator = Precision(configuration.accumulator)
    storage = format == configuration.compute ? nil : Precision(format)
  }

  /// The wider of compute and accumulator: where what is made of both is computed.
  var wide: Precision {
    accumulator.format.precision > compute.format.precision ? accumulator : compute
  }

  /// Relative error of an operation on an element and a sum, rounded to compute: the sum's conversion, the operation, the
  /// result's conversion.
  var mixed: Double {
    if accumulator.format.precision > compute.format.precision {
      return accumulator.u + compute.u * (1 + accumulator.u)
    }
    return compute.u
  }

  /// Absolute error that rounding a result for storage adds to `value` ± `error`.
  func stored(_ value: Double, _ error: Double) -> Double {
    guard let storage else { return error }
    return error + storage.u * (value.magnitude + error) + storage.tiny
  }
}
