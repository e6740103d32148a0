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
  let precisions: Precisions
  let overflow: Overflow
  /// As stored.
  let parameters: NormParameters

  /// The row as stored, in the compute format, and what is known of it.
  private(set) var row: [Computed] = []
  /// |d| at most, and the error of the computed one.
  var deviations: [Computed] = []

  var c: Precision { precisions.compute }
  var a: Precision { precisions.accumulator }
  var count: Double { Double(row.count) }

  /// nil where no bound was derived: integer grids, a format without a zero, a kernel that doesn't say how it goes about it.
  init?(_ algorithm: NormAlgorithm, _ configuration: KernelConfiguration, parameters: NormParameters) {
    guard let method = algorithm.method, let precisions = Precisions(configuration),
      precisions.storage.format.hasZero
    else { return nil }
    self.algorithm = algorithm
    self.method = method
    self.precisions = precisions
    overflow = configuration.overflow
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
    guard profile.isRegular else { return RowBound.none }
    row = x.map(loaded)
    guard row.allSatisfy({ !$0.error.isNaN }) else { return RowBound.none }
    deviations = row
    var mean = Computed(exact: 0, error: 0)
    let v: Computed
    switch method {
    case .squares: v = meanSquare(profile)
    case .scaledSquares: v = scaledMeanSquare(profile)
    case .differenceOfSquares: (mean, v) = differenceOfSquares(profile)
    case .deviations: (mean, v) = meanSquaredDeviation(profile)
    case .running: (mean, v) = runningVariance(profile)
    }
    guard let root = root(of: v) else { return RowBound.none }
    for i in bounds.indices { bounds[i] = error(i, root, mean) }
    return finish(truth, bounds)
  }

  /// A stored number in the compute format; unknown where it overflows.
  private func loaded(_ x: Double) -> Computed {
    let y = c.format.round(x, overflow: overflow)
    return y.isFinite ? Computed(exact: x, error: (y - x).magnitude) : .unknown
  }

  // MARK: From d and v to results

  /// What d is multiplied by: 1/√v, as computed and, for `divide`, before any rounding of its own; nil where √v may be 0 or NaN.
  private func root(of v: Computed) -> Computed? {
    let v = precisions.narrowing(v)
    guard v.error < v.exact else { return nil }
    // √(v − e) is farther from √v than √(v + e): by √v·ρ/(1 + √(1 − ρ)), ρ = e/v.
    let share = v.error / v.exact
    let size = v.exact.squareRoot()
    let root = c.rounded(Computed(exact: size, error: size * share / (1 + (1 - share).squareRoot())))
    guard root.error < root.exact else { return nil }
    let inverse = Computed(exact: 1, error: 0).quotient(by: root)
    if algorithm.finish == .divide { return inverse }
    let reciprocal = c.rounded(inverse)
    return reciprocal.error.isNaN ? nil : reciprocal
  }

  /// The error of result i, before it is stored; NaN where a number on the way may overflow.
  private func error(_ i: Int, _ r: Computed, _ mean: Computed) -> Double {
    let hasWeight = !parameters.weight.isEmpty
    let hasBias = !parameters.bias.isEmpty
    var y = deviations[i].product(r)
    let isLast = !hasWeight && !hasBias
    switch algorithm.finish {
    case .multiply, .divide: y = rounded(y, isLast: isLast)
    case .folded:
      // (x − μ)·r, and three roundings: of x·r, of μ·r, of their difference.
      let x = c.rounded(Computed(exact: row[i].upper * r.upper, error: 0))
      let m = c.rounded(Computed(exact: mean.upper * r.upper, error: 0))
      y = added(y.erring(by: x.error + m.error), Swift.min(x.upper, m.upper), isLast: isLast)
    }
    if hasWeight { y = rounded(y.product(loaded(parameters.weight[i])), isLast: !hasBias) }
    if hasBias {
      let b = loaded(parameters.bias[i])
      // No sign is known of y.
      let sum = Computed(exact: y.exact.magnitude + b.exact.magnitude, error: y.error + b.error)
      y = added(sum, Swift.min(y.upper, b.upper), isLast: true)
    }
    return y.error
  }

  /// A product or quotient, rounded. Where it is the result itself an overflow is there to see, and no reason for no bound.
  private func rounded(_ y: Computed, isLast: Bool) -> Computed {
    isLast && precisions.storesAsComputed ? y.erring(by: c.rounding(y.upper)) : c.rounded(y)
  }

  /// A sum, rounded, of which one operand is at most `smaller`.
  private func added(_ y: Computed, _ smaller: Double, isLast: Bool) -> Computed {
    if isLast && precisions.storesAsComputed { return y.erring(by: Swift.min(c.u * y.upper, smaller)) }
    return c.sum(y, smaller)
  }

  /// Storage, a margin for the bound's own arithmetic, and what the bound is worth.
  private func finish(
    _ truth: UnsafeBufferPointer<Double>, _ bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    var worst = 0.0
    var scale = 0.0
    for i in truth.indices {
      let e = precisions.stored(truth[i], bounds[i])
      if e.isNaN { return RowBound.none }
      bounds[i] = e * (1 + 0x1p-28)
      worst = Swift.max(worst, bounds[i])
      scale = Swift.max(scale, truth[i].magnitude)
    }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }
}

extension Precision {
  /// A sum or difference of two numbers of this format. It errs by no more than either operand, for the other is a candidate: `smaller`
  /// bounds one of them.
  func sum(_ x: Computed, _ smaller: Double) -> Computed {
    overflows(x.upper) ? .unknown : x.erring(by: Swift.min(u * x.upper, smaller))
  }

  /// The sum of two numbers of either sign.
  func sum(_ x: Computed, _ y: Computed) -> Computed {
    sum(Computed(exact: x.exact + y.exact, error: x.error + y.error), Swift.min(x.upper, y.upper))
  }
}
