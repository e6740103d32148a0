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
  let absolute: Double
  /// Relative error of the computed sum; ∞ where it can overflow.
  private(set) var sum = Double.infinity
  /// The exact sum that is computed: s, or e^LSE without a shift.
  let exactSum: Double

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
    absolute = c.tiny
    relative = []
    let input = bounds.inputError
    let scale = base2 ? 1.4426950408889634 : 1.0
    let lowest = profile.minimum
    // No stage before the exponential may overflow, nor e^z itself without a shift.
    let reach = Swift.max(m.magnitude, lowest.magnitude, shifted ? m - lowest : 0) * scale * (1 + 8 * c.u)
    guard reach <= c.largest else { return nil }
    if !shifted && Double.exp(m) * (1 + 8 * c.u) > c.largest { return nil }
    relative = profile.z.map { zi in
      guard zi.isFinite else { return 0 }
      let e = exponentError(zi, input)
      return Double.expMinusOne(e) * (1 + c.exp) + c.exp
    }
    sum = sumError(terms: count, dropping: nil)
  }

  /// The absolute error of zᵢ − m (or of zᵢ, without a shift) as computed, in nats.
  private func exponentError(_ zi: Double, _ input: InputError) -> Double {
    func scaled(_ v: Double) -> Double {
      let e = input.error(v)
      // The constant log₂e is off by u, the product by u; each relative to the exponent.
      return base2 ? e + (2 * c.u + c.u * c.u) * (v.magnitude + e) + c.tiny : e
    }
    guard shifted else { return scaled(zi) }
    let before = scaled(zi) + scaled(maximum)
    return before + c.u * (maximum - zi + before)
  }

  /// Relative error of the computed sum of exponentials, `dropping` one index; each term passes `depth` additions.
  func sumError(terms: Int, dropping: Int?) -> Double {
    let rest = dropping.map { 1 - p[$0] } ?? 1
    guard rest > 0 else { return 0 }
    var weighted = 0.0
    for i in z.indices where i != dropping { weighted += p[i] * relative[i] }
    let underflow = Double(terms) * absolute / exactSum
    let conversion = a.conversion(from: c)
    let terms_ = (weighted + underflow) / rest
    let each = terms_ + conversion * (1 + terms_)
    let gamma = additionError(terms)
    let result = each + gamma * (1 + each) + (conversion > 0 ? Double(terms) * a.tiny / (exactSum * rest) : 0)
    if exactSum * (1 + result) > a.largest { return .infinity }
    return result
  }

  private func additionError(_ terms: Int) -> Double {
    if bounds.algorithm.kernel == "online" { return onlineError(terms) }
    return a.gamma(bounds.algorithm.summation.depth(terms))
  }

  /// Running sum: additions, and for each new maximum one product with a rounded exponential, whose exponents telescope
  /// into the shift already counted; each may underflow once.
  private func onlineError(_ terms: Int) -> Double {
    var updates = 0
    var running = z[0]
    for zi in z.dropFirst() where zi > running {
      updates += 1
      running = zi
    }
    let roundings = a.gamma(terms - 1 + updates)
    let exponentials = Double(updates) * (c.exp + a.conversion(from: c)) * 1.01
    let underflow = Double(updates) * (a.tiny + Double(terms) * c.tiny) / exactSum
    return roundings * (1 + exponentials) + exponentials + underflow
  }

  /// Error of the computed log of the sum, absolute, without the rounding of the log itself.
  func logOfSumError(_ relativeError: Double) -> Double {
    relativeError < 1 ? -Double.log(onePlus: -relativeError) : .infinity
  }

  /// Absolute error of the computed probability i, before storage.
  func probabilityError(_ i: Int) -> Double {
    guard z[i].isFinite else { return 0 }
    guard sum < 1 else { return .infinity }
    let grown = (1 + relative[i]) / (1 - sum)
    let quotient = grown * (1 + bounds.precisions.mixed) - 1
    // A quotient made in a wider accumulator underflows once more when it is converted.
    return p[i] * quotient + (absolute / exactSum / (1 - sum)) * (1 + bounds.precisions.mixed) + 2 * c.tiny
  }
}

private let Base2Name = "base2"
