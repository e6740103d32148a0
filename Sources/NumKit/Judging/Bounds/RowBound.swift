import NumKitKernels
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

extension RowBound {
  /// The less telling of two.
  func worse(_ other: RowBound) -> RowBound {
    func rank(_ b: RowBound) -> Int { b == .sound ? 0 : b == .vacuous ? 1 : 2 }
    return rank(other) > rank(self) ? other : self
  }
}

/// A-priori bounds: how large the errors of an algorithm can be on a row, from the precisions, the order of summation, the
/// row and its exact results. Every bound is sound: it holds with γ for n·u, with the functions' own errors, and with
/// the absolute errors of underflow. What is sound only to first order is in `PublishedBounds`.
public struct ErrorBounds {
  let algorithm: Algorithm
  let precisions: Precisions
  let parameters: OperationParameters
  let inputError: InputError

  /// nil where no bound was derived: integer grids, and limits of the temperature.
  public init?(_ algorithm: Algorithm, _ configuration: KernelConfiguration, parameters: OperationParameters)
  {
    guard !algorithm.isInteger, let precisions = Precisions(configuration) else { return nil }
    self.algorithm = algorithm
    self.precisions = precisions
    self.parameters = parameters
    inputError = InputError(precisions, temperature: parameters.temperature)
  }

  /// Writes a bound on each result's absolute error into `bounds`, for a row (in the storage format) whose exact results
  /// are `truth`, rounded to Double, and whose true class, where one is asked for, is `target`.
  public func bound(
    _ profile: RowProfile, target: Int, truth: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    guard precisions.compute.format.round(parameters.temperature) == parameters.temperature else {
      return .none
    }
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

  /// Storage rounding, a margin for the bound's own arithmetic, and what the bound is worth.
  private func finish(
    _ truth: UnsafeBufferPointer<Double>, _ bounds: UnsafeMutableBufferPointer<Double>
  ) -> RowBound {
    var worst = 0.0
    var scale = 0.0
    for i in truth.indices {
      // Exactly known infinities (log of a probability of exactly zero) have no error.
      if truth[i].isInfinite { bounds[i] = 0 }
      if bounds[i].isNaN { return .none }
      bounds[i] = precisions.stored(truth[i].isInfinite ? 0 : truth[i], bounds[i]) * (1 + 0x1p-30)
      if truth[i].isFinite {
        worst = Swift.max(worst, bounds[i])
        scale = Swift.max(scale, truth[i].magnitude)
      }
    }
    return worst >= scale && scale > 0 ? .vacuous : .sound
  }
}

/// The absolute error of an exponent before any shift: from a compute format narrower than the storage, and from the
/// division by the temperature.
struct InputError {
  let relative: Double
  let absolute: Double

  init(_ p: Precisions, temperature: Double) {
    let c = p.compute
    var r = 0.0
    var a = 0.0
    if let s = p.storage,
      c.format.precision < s.format.precision || c.format.minExponent > s.format.minExponent
    {
      r = c.u
      a = c.tiny
    }
    if temperature != 1 && temperature != 0 && temperature != .infinity {
      r = r + c.u * (1 + r)
      a += c.tiny
    }
    relative = r
    absolute = a
  }

  func error(_ z: Double) -> Double { relative * z.magnitude + absolute }
}
