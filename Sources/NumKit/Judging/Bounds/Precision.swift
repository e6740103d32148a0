import NumKitKernels
import NumKitNumbers
import RealModule

/// What a bound needs to know of a format and of its elementary functions.
struct Precision {
  let format: NumberFormat
  /// ErrorUnit roundoff.
  let u: Double
  /// Absolute error of a result rounded in the subnormal range: half the smallest positive number, or as many as an
  /// exponential may err by.
  var tiny: Double
  /// Relative errors of the functions: u where they are correctly rounded. For f32 and f64, whose functions are the
  /// platform's, as many ulps (at most 2u each) as `LibraryAccuracy` measures and allows; ∞ where they cannot be used. `exp`
  /// covers exp2.
  var exp: Double
  var log: Double
  var log1p: Double
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

  /// (1 + u)^d − 1: the relative error of d roundings one after the other, a little less than the customary γ(d) = d·u/(1 − d·u)
  /// (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.1), and finite for every d.
  func growth(_ d: Int) -> Double { Double.expMinusOne(Double(d) * Double.log(onePlus: u)) }
}

/// The precisions of a configuration, and the ways between them.
struct Precisions {
  var compute: Precision
  var accumulator: Precision
  let storage: Precision
  /// Inputs on their way from storage to compute.
  var loading: Conversion
  /// Elements on their way into sums.
  var widening: Conversion
  /// Sums on their way back.
  var narrowing: Conversion
  /// Results on their way to storage.
  var storing: Conversion
  /// Whether a result too large is stored as the largest number.
  let saturates: Bool
  /// Whether compute and accumulator have infinities to overflow to.
  let computeIsUnbounded: Bool
  let accumulatorIsUnbounded: Bool

  init?(_ configuration: KernelConfiguration) {
    guard let format = configuration.storage.numberFormat else { return nil }
    self.init(storage: format, configuration)
  }

  /// `inputs` is what inputs are numbers of, where that is not the storage's format.
  init(storage format: NumberFormat, _ configuration: KernelConfiguration, inputs: NumberFormat? = nil) {
    compute = Precision(configuration.compute)
    accumulator = Precision(configuration.accumulator)
    storage = Precision(format)
    loading = Conversion(to: compute, from: inputs.map(Precision.init) ?? storage)
    widening = Conversion(to: accumulator, from: compute)
    narrowing = Conversion(to: compute, from: accumulator)
    storing = Conversion(to: storage, from: compute)
    saturates = format.saturates(configuration.overflow)
    computeIsUnbounded = configuration.compute.overflowsToInfinity(configuration.overflow)
    accumulatorIsUnbounded = configuration.accumulator.overflowsToInfinity(configuration.overflow)
  }

  /// Whether what is made of an element and a sum is computed in the accumulator.
  var isWide: Bool { accumulator.format.precision > compute.format.precision }

  /// Whether what the last operation gives is the result: then an overflow of it is seen, and no reason for no bound.
  var storesAsComputed: Bool { storage.format == compute.format }

  /// The bound on a stored result whose value before was `exact` ± `error`. Where storing saturates, the largest number
  /// may stand for one beyond it; where it does not, the bound is on the result as it would be with an unbounded
  /// exponent, and `ErrorStatistics` knows which overflows that explains.
  func stored(_ exact: Double, _ error: Double) -> Double {
    let upper = exact.magnitude + error
    var e = error + storing.error(upper)
    // Without a zero the smallest number stands for all below it.
    if !storage.format.hasZero { e = error + Swift.max(storage.u * upper, storage.format.smallestPositive) }
    return saturates ? Swift.max(e, exact.magnitude - storage.format.largestFinite) : e
  }
}

extension NumberFormat {
  /// Whether numbers too large become the largest one.
  func saturates(_ overflow: Overflow) -> Bool { overflow == .saturate || !hasInfinity && !hasNaN }

  /// Whether arithmetic in this format gives infinities: only the 8-bit formats can be told to saturate.
  func overflowsToInfinity(_ overflow: Overflow) -> Bool {
    let entry = FormatRegistry.all.first { $0.dtype == .float(self) }
    return hasInfinity && (overflow == .special || entry?.saturating == nil)
  }
}
