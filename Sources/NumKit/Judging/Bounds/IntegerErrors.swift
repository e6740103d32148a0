import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// How large the errors of softmax in integers alone can be (Documentation/Bounds.md, "Integers alone"): from the row's codes, exponentials
/// that are multiples of a unit, an exact sum and a rounded quotient.
public struct IntegerErrors: ErrorModel {
  public typealias Q = RowQuestion

  private enum Exponential { case table, polynomial }

  private let exponential: Exponential
  private let denominator: Double
  private let format: IntegerFormat
  private let temperature: Double

  /// nil for kernels that are no such ones, and at the limits of the temperature.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters)
  {
    guard algorithm.isInteger, case .integer(let format) = configuration.storage,
      let denominator = algorithm.variant.flatMap(Double.init), parameters.temperature > 0,
      parameters.temperature < .infinity
    else { return nil }
    switch algorithm.kernel {
    case TableIntegerSoftmax.name: exponential = .table
    case PolynomialIntegerSoftmax.name: exponential = .polynomial
    default: return nil
    }
    self.denominator = denominator
    self.format = format
    temperature = parameters.temperature
  }

  public mutating func bound(
    _ row: ResultRow, of item: RowQuestion.Item, _ profile: RowProfile, exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound? {
    if profile.isUnanswerable { return nil }
    return bound(profile, truth: exact, into: bounds)
  }

  /// Writes a bound on each result's absolute error into `bounds`, for a row whose exact results are `truth`.
  public func bound(
    _ profile: RowProfile, truth: UnsafeBufferPointer<Double>, into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    // No code says −∞.
    guard profile.isRegular, !profile.hasMinusInfinity else { return .none }
    let terms = terms(profile)
    let (sum, error) = terms.reduce((0, 0)) { ($0.0 + $1.exact, $0.1 + $1.error) }
    var worst = 0.0
    for i in truth.indices {
      // A share e/(e + others) rises with e and falls with the others; no share is beyond 0 and 1.
      let x = terms[i]
      let others = Computed(exact: Swift.max(0, sum - x.exact), error: error - x.error + 0x1p-40 * sum)
      let (low, high) = (Swift.max(0, x.exact - x.error), x.upper)
      let most = high / (high + Swift.max(0, others.exact - others.error))
      let least = low > 0 ? low / (low + others.upper) : 0
      let p = truth[i]
      let e = Swift.max(most - p, p - least, 0) + 0.5 / denominator + 0x1p-40
      // The largest code stands for what is beyond it.
      bounds[i] = Swift.max(e, p - 255 / denominator)
      worst = Swift.max(worst, bounds[i])
    }
    return worst >= (truth.max() ?? 0) ? .vacuous : .sound
  }

  /// e^(z − max z), each with what the kernel's may be off by.
  private func terms(_ profile: RowProfile) -> [Computed] {
    var grid = IntegerGrid(format)
    let z = profile.z
    grid.fit(count: z.count) { z[$0] }
    let codes = z.map { grid.code($0) }
    let top = codes.max() ?? 0
    let scale = Double(grid.scale)
    return z.indices.map { i in
      let steps = Double(top) - Double(codes[i])
      let exact = Double.exp(z[i] - profile.maximum)
      // What the grid makes of the exponent, and what Doubles lose.
      let exponent =
        ((profile.maximum - z[i]) - steps * scale).magnitude + 0x1p-50
        * (z[i].magnitude + profile.maximum.magnitude)
      let computed = Double.exp(-steps * scale)
      let e: Double
      switch exponential {
      // A multiple of 2⁻¹⁶, and 1 for the largest.
      case .table: e = steps == 0 ? 0 : 0x1p-17 * (1 + 0x1p-20)
      case .polynomial: e = PolynomialErrors(scale: scale).error(-steps * scale, computed)
      }
      // Two numbers of 0 to 1, of which one may be too small for a Double.
      let drift = computed > 0 ? Swift.min(1, computed * Double.expMinusOne(exponent)) : exact
      return Computed(exact: exact, error: e + drift)
    }
  }
}

/// The errors of I-BERT's integer exponential 2^−z·(0.3585(p + 1.353)² + 0.344), on a grid of steps of 2^−11 to 2^−10.
private struct PolynomialErrors {
  /// A step of exponents, after the shifts.
  private let step: Double
  /// Whether shifts lose bits.
  private let losesBits: Bool
  /// ln 2 in whole steps.
  private let ln2: Double
  /// What an exponential is a multiple of.
  private let unit: Double

  init(scale: Double) {
    // s·2^k in (2^−11, 2^−10]: shifts by k are exact to the left alone.
    let exponent = Double(scale.exponent)
    step = scale.significand == 1 ? 0x1p-10 : scale.significand * 0x1p-11
    losesBits = exponent - (scale.significand == 1 ? 1 : 0) < -11
    ln2 = (0.693147180559945 / step).rounded(.down)
    unit = 0.3585 * step * step
  }

  /// The largest distance of the polynomial from e^p in (−ln 2, 0].
  static let polynomial = 0.002128

  /// The absolute error of the exponential of `x` ≤ 0, which is `exact`.
  func error(_ x: Double, _ exact: Double) -> Double {
    // Bits that are shifted out make it smaller, by less than a step.
    let lost = losesBits ? step : 0
    let halvings = ((lost - x) / (ln2 * step)).rounded(.down)
    if halvings >= 62 { return exact + unit }
    // Each halving takes away ln 2 as rounded down to steps.
    let short = halvings * (0.6931471805599453 - ln2 * step)
    // 1.353 and 0.344 are rounded down too: 2·0.3585·1.353 of a step at most, and a unit.
    let polynomial = Self.polynomial + 0.9702 * step + unit
    let power = Swift.min(1, 2 * exact * Double.exp(short + lost))
    return exact * Double.expMinusOne(short + lost) + power * polynomial + unit
  }
}
