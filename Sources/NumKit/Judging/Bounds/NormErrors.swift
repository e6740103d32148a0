import NumKitKernels
import NumKitNumbers
import NumKitQuestions

/// How far the results of a normalisation can be off: the error runs along the computation, as derived in the section on
/// normalisations of Documentation/Bounds.md.
///
/// d stands for what is divided by the root: x, x/s or x − μ; v for the variance or mean square with ε.
struct NormErrors {
  let algorithm: NormAlgorithm
  let method: VarianceMethod
  let formats: NormFormats
  /// As stored.
  let parameters: NormParameters

  /// The row as the kernel has it in the compute format, and how far that is from the row as stored.
  private(set) var loaded: [Double] = []
  private(set) var loadErrors: [Double] = []
  /// |d| at most, and the error of the computed one.
  var reach: [Double] = []
  var errors: [Double] = []

  var c: Precision { formats.compute }
  var a: Precision { formats.accumulator }
  var count: Double { Double(loaded.count) }

  /// nil where no bound was derived: integer grids, a kernel that doesn't say how it goes about it.
  init?(_ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, parameters: NormParameters) {
    guard let method = algorithm.method, let formats = NormFormats(configuration) else { return nil }
    self.method = method
    self.algorithm = algorithm
    self.formats = formats
    self.parameters = parameters
  }

  /// Writes a bound on each result's absolute error, for a row `x` (in the storage format) whose exact results are `truth`; nil for a
  /// row that has no answer in the reals.
  mutating func bound(
    _ x: [Double], _ profile: NormProfile, truth: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    guard x.allSatisfy(\.isFinite), truth.allSatisfy(\.isFinite) else { return nil }
    guard profile.variance > 0 || parameters.epsilon > 0 else { return nil }
    guard profile.isRegular, load(x) else { return RowBound.none }
    var mean = Inexact(0)
    let v: Inexact
    switch method {
    case .squares: v = meanSquare(x, profile)
    case .scaledSquares: v = scaledMeanSquare(x, profile)
    case .differenceOfSquares: (mean, v) = differenceOfSquares(x, profile)
    case .deviations: (mean, v) = meanSquaredDeviation(x, profile)
    case .running: (mean, v) = runningVariance(x, profile)
    }
    guard let root = root(of: v) else { return RowBound.none }
    for i in bounds.indices { bounds[i] = error(i, root, mean, profile) }
    return finish(truth, bounds)
  }

  /// The row in the compute format; false where an element overflows.
  private mutating func load(_ x: [Double]) -> Bool {
    loaded.removeAll(keepingCapacity: true)
    loadErrors.removeAll(keepingCapacity: true)
    for v in x {
      let y = c.format.round(v, overflow: formats.overflow)
      loaded.append(y)
      loadErrors.append((y - v).magnitude)
    }
    reach = loaded.map(\.magnitude)
    errors = loadErrors
    return loaded.allSatisfy { $0.magnitude <= c.largest }
  }

  // MARK: From d and v to results

  /// √v and, where it is multiplied by, its reciprocal, as computed; nil where either may be 0, infinite or NaN.
  private func root(of v: Inexact) -> (root: Inexact, reciprocal: Inexact)? {
    let v = formats.narrowed(v)
    guard v.error < v.value else { return nil }
    // √(v − e) is farther from √v than √(v + e): by √v·ρ/(1 + √(1 − ρ)), ρ = e/v.
    let share = v.error / v.value
    let size = v.value.squareRoot()
    let root = c.rounded(Inexact(size, size * share / (1 + (1 - share).squareRoot())))
    guard root.error < root.value else { return nil }
    let inverse = Inexact(1 / root.value, root.error / root.value / (root.value - root.error))
    let reciprocal = c.rounded(inverse)
    if algorithm.finish == .divide { return (root, inverse) }
    return reciprocal.error.isNaN ? nil : (root, reciprocal)
  }

  /// The error of result i, before it is stored; NaN where a number on the way may overflow.
  private func error(
    _ i: Int, _ root: (root: Inexact, reciprocal: Inexact), _ mean: Inexact, _ profile: NormProfile
  ) -> Double {
    let r = root.reciprocal
    let d = Inexact(reach[i], errors[i])
    var y = d.times(r)
    switch algorithm.finish {
    case .multiply, .divide: y = c.rounded(y)
    case .folded:
      // (x − μ)·r, and three roundings: of x·r, of μ·r, of their difference.
      let x = c.rounded(Inexact(loaded[i].magnitude * r.upper))
      let m = c.rounded(Inexact(mean.upper * r.upper))
      y = c.sum(Inexact(y.value, y.error + x.error + m.error), Swift.min(x.upper, m.upper))
    }
    if !parameters.weight.isEmpty {
      y = c.rounded(y.times(formats.loaded(parameters.weight[i])))
    }
    if !parameters.bias.isEmpty {
      let b = formats.loaded(parameters.bias[i])
      y = c.sum(Inexact(y.value + b.value, y.error + b.error), Swift.min(y.upper, b.upper))
    }
    return y.error
  }

  /// Storage, a margin for the bound's own arithmetic, and what the bound is worth.
  private func finish(
    _ truth: UnsafeBufferPointer<Double>, _ bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    var worst = 0.0
    var scale = 0.0
    for i in truth.indices {
      let e = formats.stored(truth[i].magnitude, bounds[i])
      if e.isNaN { return RowBound.none }
      // What errors are measured against is itself known to 2^−36, of f64 to 2^−74.
      let known = formats.storage.format.precision <= 24 ? 0x1p-35 : 0x1p-73
      bounds[i] = e * (1 + 0x1p-28) + known * truth[i].magnitude
      worst = Swift.max(worst, bounds[i])
      scale = Swift.max(scale, truth[i].magnitude)
    }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }
}

/// A number that was computed: what it should be, and how far it can be off. NaN in the error: it may have overflowed.
struct Inexact {
  var value: Double
  var error: Double

  init(_ value: Double, _ error: Double = 0) {
    self.value = value
    self.error = error
  }

  /// No magnitude that was computed is larger.
  var upper: Double { value.magnitude + error }

  /// A product before it is rounded.
  func times(_ b: Inexact) -> Inexact {
    Inexact(value * b.value, value.magnitude * b.error + b.value.magnitude * error + error * b.error)
  }
}

extension Precision {
  /// A product, quotient or root rounded to this format.
  func rounded(_ x: Inexact) -> Inexact { within(Inexact(x.value, x.error + u * x.upper + tiny)) }

  /// A sum or difference, which nothing underflows in. It errs by no more than either operand, for the other is a candidate: `smaller`
  /// bounds one of them.
  func sum(_ x: Inexact, _ smaller: Double) -> Inexact {
    within(Inexact(x.value, x.error + Swift.min(u * x.upper, smaller)))
  }

  /// Its error unknown where it may have overflowed.
  func within(_ x: Inexact) -> Inexact { x.upper <= largest ? x : Inexact(x.value, .nan) }
}

/// The formats of a normalisation, and the ways between them.
struct NormFormats {
  let compute: Precision
  let accumulator: Precision
  let storage: Precision
  let overflow: Overflow

  init?(_ configuration: KernelConfiguration) {
    guard let format = configuration.storage.numberFormat, format.hasZero else { return nil }
    compute = Precision(configuration.compute)
    accumulator = Precision(configuration.accumulator)
    storage = Precision(format)
    overflow = configuration.overflow
  }

  /// Whether what is made of an element and a sum is computed in the accumulator.
  var isWide: Bool { accumulator.format.precision > compute.format.precision }

  private func converted(_ x: Inexact, _ from: Precision, _ to: Precision) -> Inexact {
    var error = x.error
    if to.format.precision < from.format.precision { error += to.u * x.upper }
    if to.format.smallestPositive > from.format.smallestPositive { error += to.tiny }
    return to.within(Inexact(x.value, error))
  }

  /// From the compute format to the accumulator.
  func widened(_ x: Inexact) -> Inexact { converted(x, compute, accumulator) }

  /// From the accumulator to the compute format.
  func narrowed(_ x: Inexact) -> Inexact { converted(x, accumulator, compute) }

  /// A stored number in the compute format.
  func loaded(_ x: Double) -> Inexact {
    let y = compute.format.round(x, overflow: overflow)
    return Inexact(x, y.isFinite ? (y - x).magnitude : .nan)
  }

  /// The error of a result once it is stored; NaN where it may overflow to something else than the largest number.
  func stored(_ size: Double, _ error: Double) -> Double {
    if storage.format == compute.format { return error }
    let upper = size + error
    var e = error
    if storage.format.precision < compute.format.precision { e += storage.u * upper }
    if storage.format.smallestPositive > compute.format.smallestPositive { e += storage.tiny }
    if upper <= storage.largest || error == .infinity { return e }
    let saturates = overflow == .saturate || !storage.format.hasInfinity && !storage.format.hasNaN
    return saturates ? Swift.max(e, size - storage.largest) : .nan
  }
}
