import CJudging
import NumKitQuestions
import RealModule

/// The errors in the common stages of one row: exponents, exponentials, their sum.
///
/// In the names of Blanchard, Higham, Higham (2021): z = x/τ, m = max z, dᵢ = zᵢ − m, s = Σ e^dᵢ.
struct RowErrors {
  let bounds: ErrorBounds
  let profile: RowProfile
  /// log₂e folded in multiplies each exponent once more, by a rounded constant.
  let base2: Bool
  /// Whether the maximum is subtracted.
  let shifted: Bool
  /// Relative errors rᵢ of the exponentials, and one absolute error for all (underflow).
  private(set) var relative: [Double]
  private(set) var absolute: Double
  /// The error of the maximum as computed: what the sum and the terms may be shifted by.
  private(set) var shiftError: Double
  /// Relative error of the computed sum; NaN where it may overflow.
  private(set) var sum = Double.infinity
  /// The exact sum that is computed: s, or e^LSE without a shift.
  let exactSum: Double

  private var input: InputError { bounds.inputError }

  var c: Precision { bounds.precisions.compute }
  var a: Precision { bounds.precisions.accumulator }
  var z: [Double] { profile.z }
  var p: [Double] { profile.probabilities }
  var maximum: Double { profile.maximum }
  var lse: Double { profile.logSumExp }
  var count: Int { profile.z.count }

  /// nil where the row is not finite (−∞ aside) or an exponent may overflow.
  init?(_ bounds: ErrorBounds, _ profile: RowProfile) {
    guard profile.isRegular else { return nil }
    self.bounds = bounds
    self.profile = profile
    let c = bounds.precisions.compute
    let m = profile.maximum
    base2 = bounds.algorithm.kernel == Base2Name
    shifted =
      bounds.algorithm.kernel != "naive"
      || bounds.algorithm.operation != .softmax
        && bounds.algorithm.operation != .logSumExp
    exactSum = shifted ? profile.sum : Double.exp(profile.logSumExp)
    absolute = 0
    shiftError = 0
    relative = []
    let scale = base2 ? 1.4426950408889634 : 1.0
    let lowest = profile.minimum
    // No stage before the exponential may overflow, nor e^z itself without a shift.
    let reach = Swift.max(m.magnitude, lowest.magnitude, shifted ? m - lowest : 0) * scale * (1 + 8 * c.u)
    guard reach <= c.largest else { return nil }
    if !shifted && Double.exp(m) * (1 + 8 * c.u) > c.largest { return nil }
    shiftError = shifted ? scaledError(m) : 0
    absolute = c.tiny * Double.exp(shiftError)
    relative = profile.z.map { $0.isFinite ? exponentError($0) : 0 }
    relative.withUnsafeMutableBufferPointer { nc_expm1_above($0.baseAddress, $0.count) }
    for i in relative.indices { relative[i] = z[i].isFinite ? relative[i] * (1 + c.exp) + c.exp : 0 }
    let total = sumOfExponentials(dropping: nil)
    sum = total.error / total.exact
  }

  /// The error, in nats, of the exponent zᵢ − m (or of zᵢ, without a shift) as computed.
  ///
  /// The error of m itself does not count: every term and their sum are shifted by the same computed m, and what is made of
  /// them does not depend on a common shift.
  private func exponentError(_ zi: Double) -> Double {
    let own = scaledError(zi)
    return shifted ? own + c.u * (maximum - zi + own + scaledError(maximum)) : own
  }

  /// The absolute error of z itself as computed: of the division by the temperature, of the product with log₂e.
  private func scaledError(_ v: Double) -> Double {
    let e = input.error(v)
    // The constant log₂e is off by u, the product by u; each relative to the exponent.
    return base2 ? e + (2 * c.u + c.u * c.u) * (v.magnitude + e) + c.tiny : e
  }

  /// The computed sum of exponentials in the accumulator, `dropping` one index, whose place the last term takes; its error
  /// is NaN where it may overflow.
  func sumOfExponentials(dropping: Int?) -> SumErrors.Computed {
    let terms = count - (dropping == nil ? 0 : 1)
    guard terms > 0 else { return .init(exact: 0, error: 0) }
    let additions = SumErrors(u: a.u)
    var total: SumErrors.Computed
    if bounds.algorithm.kernel == "online" {
      total = onlineSum(additions)
    } else {
      total = additions.sum(bounds.algorithm.summation, count: terms) {
        term($0 == dropping ? count - 1 : $0)
      }
    }
    if !(total.upper * Double.exp(shiftError) <= a.largest) { total.error = .nan }
    return total
  }

  /// The exponential i, converted to the accumulator.
  private func term(_ i: Int) -> SumErrors.Computed {
    guard z[i].isFinite else { return .init(exact: 0, error: 0) }
    let exact = p[i] * exactSum
    return converted(.init(exact: exact, error: exact * relative[i] + absolute))
  }

  private func converted(_ x: SumErrors.Computed) -> SumErrors.Computed {
    let conversion = a.conversion(from: c)
    return .init(
      exact: x.exact,
      error: x.error + conversion * x.upper + (conversion > 0 ? a.tiny * Double.exp(shiftError) : 0))
  }

  /// The running sum, rescaled whenever the maximum grows: a rounded exponential, a rounded product, an addition.
  private func onlineSum(_ additions: SumErrors) -> SumErrors.Computed {
    let one = SumErrors.Computed(exact: 1, error: 0)
    var m = z[0]
    var s = one
    for zi in z.dropFirst() {
      if zi == m {
        s = additions.adding(s, one)
      } else if zi > m {
        let factor = exponential(of: zi - m, error: input.error(zi) + input.error(m))
        let exact = s.exact * factor.exact
        var error = s.error * factor.upper + s.exact * factor.error
        error += a.u * (exact + error) + a.tiny
        s = additions.adding(.init(exact: exact, error: error), one)
        m = zi
      } else {
        s = additions.adding(s, exponential(of: m - zi, error: input.error(zi) + input.error(m)))
      }
    }
    return s
  }

  /// e^−d for a difference d ≥ 0 whose operands err by `error`, computed and converted to the accumulator.
  private func exponential(of d: Double, error: Double) -> SumErrors.Computed {
    guard d < .infinity else { return .init(exact: 0, error: 0) }
    let exact = Double.exp(-d)
    let r = Double.expMinusOne(error + c.u * (d + error)) * (1 + c.exp) + c.exp
    return converted(.init(exact: exact, error: exact * r + c.tiny))
  }

  /// Error of the computed log of the sum, absolute, without the rounding of the log itself.
  func logOfSumError(_ relativeError: Double) -> Double {
    relativeError < 1 ? -Double.log(onePlus: -relativeError) : relativeError.isNaN ? .nan : .infinity
  }

  /// Absolute error of the computed probability i, before storage.
  func probabilityError(_ i: Int) -> Double {
    guard z[i].isFinite else { return 0 }
    guard sum < 1 else { return sum.isNaN ? .nan : .infinity }
    let grown = (1 + relative[i]) / (1 - sum)
    let quotient = grown * (1 + bounds.precisions.mixed) - 1
    // A quotient made in a wider accumulator underflows once more when it is converted.
    return p[i] * quotient + (absolute / exactSum / (1 - sum)) * (1 + bounds.precisions.mixed) + 2 * c.tiny
  }
}

private let Base2Name = "base2"
