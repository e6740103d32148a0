import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import RealModule

/// What is known of the errors that one algorithm can make on one row.
public enum RowBound: Sendable, Equatable {
  /// Every result's absolute error is at most the number written for it.
  case sound
  /// The bound holds but says nothing: some result may be off by as much as the largest result.
  case vacuous
  /// No bound: an overflow on the way is possible, the row is not finite, or none was derived.
  case none
}

extension RowBound: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&self, of: [.sound, .vacuous, .none])
  }
}

extension RowBound {
  /// The less telling of two.
  package func worse(_ other: RowBound) -> RowBound {
    func rank(_ b: RowBound) -> Int { b == .sound ? 0 : b == .vacuous ? 1 : 2 }
    return rank(other) > rank(self) ? other : self
  }
}

/// A-priori bounds: how large the errors of an algorithm can be on a row, from the precisions, the order of summation, the
/// row and its exact results. Every bound is sound: it holds with γ for n·u, with the functions' own errors, and with
/// the absolute errors of underflow, at every conversion too. `Documentation/Bounds.md` derives them. What is sound only to
/// first order is in `PublishedBounds`.
public struct ErrorBounds {
  let algorithm: Algorithm
  let arithmetic: RowArithmetic
  private(set) var precisions: Precisions
  let parameters: OperationParameters
  private(set) var inputError: InputError
  private let isHopeless: Bool
  /// λ of `SumErrors`.
  private(set) var confidence: Double?
  /// What a test leaves out.
  private(set) var omitted: BoundTerm?

  /// nil where no bound was derived: integer grids, and kernels that say no error model. `inputs` is what logits are numbers of,
  /// where that is not the storage's format.
  public init?(
    _ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters,
    inputs: NumberFormat? = nil
  ) {
    guard let arithmetic = algorithm.arithmetic, let format = configuration.storage.numberFormat else {
      return nil
    }
    var precisions = Precisions(storage: format, configuration, inputs: inputs)
    if let made = arithmetic.exponential {
      precisions.compute = precisions.compute.making(exponentialsBy: made)
    }
    self.algorithm = algorithm
    self.arithmetic = arithmetic
    self.precisions = precisions
    self.parameters = parameters
    inputError = InputError(precisions, temperature: parameters.temperature)
    isHopeless = BoundBasis(algorithm, configuration).isHopeless
  }

  /// The same for additions whose roundings are random, exceeded in a row with `probability` at most.
  public func exceeded(withProbability probability: Double) -> ErrorBounds {
    var other = self
    other.confidence = (2 * Double.log(2 / probability)).squareRoot()
    return other
  }

  /// The same without one of its terms: no bound any more.
  package func without(_ term: BoundTerm) -> ErrorBounds {
    var other = self
    other.omitted = term
    other.precisions.leaveOut(term)
    other.inputError = InputError(
      other.precisions, temperature: parameters.temperature, roundsQuotient: term != .temperature)
    return other
  }

  /// Writes a bound on each result's absolute error into `bounds`, for a row (in the storage format) whose exact results
  /// are `truth`, rounded to Double, and whose true class, where one is asked for, is `target`.
  ///
  /// Where results are stored without saturating, the bound is on what they would be with an unbounded exponent.
  public func bound(
    _ profile: RowProfile, target: Int, truth: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    let c = precisions.compute.format
    // Limits are another computation, a temperature that a kernel rounds another question, and −∞ is another number where
    // there is no infinity.
    guard !isHopeless, parameters.temperature > 0, parameters.temperature < .infinity,
      c.round(parameters.temperature) == parameters.temperature,
      !profile.hasMinusInfinity || precisions.computeIsUnbounded
    else { return .none }
    if algorithm.operation == .sigmoid {
      for i in truth.indices { bounds[i] = sigmoidError(profile.z[i], truth[i]) }
    } else {
      guard let row = RowErrors(self, profile) else { return .none }
      switch algorithm.operation {
      case .softmax: row.softmax(truth, bounds)
      case .logSoftmax: row.logSoftmax(truth, bounds)
      case .logSumExp: row.logSumExp(truth, bounds)
      case .crossEntropy: row.crossEntropy(target, truth, bounds)
      case .crossEntropyGradient: row.crossEntropyGradient(target, truth, bounds)
      case .softmaxJacobian: row.jacobian(truth, bounds)
      case .softmaxVJP: row.vectorJacobian(truth, bounds)
      case .sigmoid: break
      }
    }
    return finish(truth, bounds)
  }

  /// Whether the maximum times log₂e, which is subtracted from itself, surely overflows.
  func isSpoiled(_ profile: RowProfile) -> Bool {
    guard arithmetic.isBase2, arithmetic.shift != .none, precisions.computeIsUnbounded, profile.isRegular,
      parameters.temperature > 0
    else { return false }
    let error = Exponents(self, base2: true, maximum: profile.maximum).shift
    return (profile.maximum.magnitude - error) * (1 / Double.log(2)) * (1 - 0x1p-50)
      >= precisions.compute.format.overflowThreshold
  }

  /// Storage rounding, a margin for the bound's own arithmetic, and what the bound is worth.
  private func finish(
    _ truth: UnsafeBufferPointer<Double>, _ bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    var worst = 0.0
    var scale = 0.0
    for i in truth.indices {
      if bounds[i].isNaN { return .none }
      // Exactly known infinities (log of a probability of exactly zero) have no error.
      if truth[i].isInfinite { bounds[i] = 0 }
      guard truth[i].isFinite else { continue }
      bounds[i] = precisions.stored(truth[i], bounds[i]) * (1 + 0x1p-30)
      worst = Swift.max(worst, bounds[i])
      scale = Swift.max(scale, truth[i].magnitude)
    }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }
}

/// The absolute error of an exponent before any shift: of the conversion to a compute format that does not hold the
/// storage's numbers, and of the division by the temperature.
struct InputError {
  private let loading: Conversion
  private let temperature: Double
  private let divides: Bool
  /// Relative error of the quotient: 0 where the temperature is a power of two.
  private let relative: Double
  private let compute: Precision
  /// Whether there is no error.
  let isNone: Bool

  init(_ p: Precisions, temperature: Double, roundsQuotient: Bool = true) {
    loading = p.loading
    compute = p.compute
    self.temperature = temperature
    divides = temperature != 1
    relative = temperature.significand == 1 || !roundsQuotient ? 0 : compute.u
    isNone = loading.relative == 0 && loading.absolute == 0 && !divides
  }

  /// For the exact exponent `z`.
  func error(_ z: Double) -> Double {
    if isNone { return 0 }
    let size = z.magnitude
    let loaded = loading.error(size * temperature) / temperature
    guard divides else { return loaded }
    let upper = size + loaded
    let tiny = size - loaded < compute.format.smallestNormal ? Swift.min(compute.tiny, upper) : 0
    return loaded + Swift.max(relative * upper, tiny)
  }

  /// Whether the conversion or the division may overflow.
  func overflows(_ z: Double) -> Bool {
    let size = z.magnitude
    return size * temperature * (1 + 0x1p-50) >= loading.limit || compute.overflows(size + error(z))
  }
}
