import CJudging
import NumKitQuestions
import RealModule

/// The errors in the common stages of one row: exponents, exponentials, their sum.
///
/// In the names of Blanchard, Higham, Higham (2021): z = x/τ, m = max z, dᵢ = m − zᵢ, s = Σ e^−dᵢ. A hat marks what is
/// computed: ẑᵢ = zᵢ + εᵢ with |εᵢ| ≤ Eᵢ.
///
/// There is one accounting. Conversion and division by τ > 0 are monotone, so the computed maximum m̂ belongs to a largest
/// element. What a kernel makes is held against e^(zᵢ − m̂), in which m̂ is the number it did subtract: then the exponent
/// errs by εᵢ alone, also that of the maximum, whose computed exponential is exactly 1; their sum is s·e^(m − m̂); and the
/// factor that all share cancels in quotients and in m̂ + log(sum). Numbers stand here in units in which that factor is 1,
/// in which 1 in the kernel's own is worth `lift` = e^E at most: so much what is absolute (underflow, overflow) counts.
struct RowErrors {
  let bounds: ErrorBounds
  let profile: RowProfile
  /// log₂e folded in multiplies each exponent once more, by a rounded constant.
  let base2: Bool
  /// Whether the maximum is subtracted.
  let shifted: Bool
  /// A bound on the error of each exponential, beside e^−dᵢ (or e^zᵢ, without a shift).
  private(set) var errors: [Double]
  /// Eₘ: the error of the maximum as computed; 0 without a shift.
  let shiftError: Double
  /// What 1 in the kernel's units is worth at most.
  let lift: Double
  /// The computed sum; its error is NaN where it may overflow.
  private(set) var sum = Computed.unknown
  /// What exponentials are divided by: the sum, in the wider of the two formats.
  private(set) var divisor = Computed.unknown
  /// Whether some difference zᵢ − m may be −∞.
  let mayOverflowBelow: Bool

  var c: Precision { bounds.precisions.compute }
  var a: Precision { bounds.precisions.accumulator }
  var z: [Double] { profile.z }
  var p: [Double] { profile.probabilities }
  var maximum: Double { profile.maximum }
  var lse: Double { profile.logSumExp }
  var count: Int { profile.z.count }

  /// nil where the row is not finite (−∞ aside), or a stage before the exponentials may overflow other than to −∞.
  init?(_ bounds: ErrorBounds, _ profile: RowProfile) {
    guard profile.isRegular else { return nil }
    self.bounds = bounds
    self.profile = profile
    let c = bounds.precisions.compute
    base2 = bounds.arithmetic.isBase2
    shifted = bounds.arithmetic.shift != .none
    errors = []
    let exponents = Exponents(bounds, base2: base2, maximum: shifted ? profile.maximum : nil)
    guard !exponents.overflows(profile.maximum) else { return nil }
    mayOverflowBelow = exponents.overflows(profile.minimum)
    // e^−∞ is as good as e^−(what overflows); a NaN, or the largest number in its place, is not.
    if mayOverflowBelow && !bounds.precisions.computeIsUnbounded { return nil }
    shiftError = exponents.shift
    lift = Double.exp(shiftError)
    errors = profile.z.map { $0.isFinite ? exponents.error($0) : 0 }
    errors.withUnsafeMutableBufferPointer { nc_expm1_above($0.baseAddress, $0.count) }
    let tiny = c.tiny * lift
    let total = shifted ? profile.sum : Double.exp(profile.logSumExp)
    for i in errors.indices {
      guard profile.z[i].isFinite else {
        errors[i] = 0
        continue
      }
      let exact = profile.probabilities[i] * total
      // e^0 is exact, and stands for e^(z − m̂).
      if shifted && profile.x[i] == profile.x[profile.argmax] { continue }
      let relative = errors[i] * (1 + c.exp) + c.exp
      errors[i] =
        (relative < .infinity
          ? exact * relative
          : sizeOfExponential(
            (shifted ? -profile.maximum : 0) + profile.z[i], off: exponents.error(profile.z[i])))
        + tiny
      if mayOverflowBelow && exponents.overflows(profile.z[i]) { errors[i] = Swift.max(errors[i], exact) }
    }
    if !shifted && c.overflows(Double.exp(profile.maximum) + (errors.max() ?? 0)) { return nil }
    sum = sumOfExponentials(dropping: nil)
    let narrowing = bounds.precisions.narrowing
    if bounds.precisions.isWide {
      divisor = sum
    } else if !overflows(sum, of: profile.z.count, lift, narrowing.overflows) {
      divisor = sum.erring(by: narrowing.error(sum.upper, lift: lift))
    }
  }

  /// The exact sum that is computed: s, or e^LSE without a shift.
  var exactSum: Double { shifted ? profile.sum : Double.exp(profile.logSumExp) }

  /// The errors of exponents.
  var exponents: Exponents { Exponents(bounds, base2: base2, maximum: shifted ? maximum : nil) }

  /// What e^x, `exact`, errs by where x is off by `error`, but for underflow.
  func exponentialError(_ exact: Double, _ x: Double, off error: Double) -> Double {
    let relative = Double.expMinusOne(error) * (1 + c.exp) + c.exp
    return relative < .infinity ? exact * relative : sizeOfExponential(x, off: error)
  }

  /// What e^x is at most as computed: beyond e^700 that says more than a relative error.
  func sizeOfExponential(_ x: Double, off error: Double) -> Double {
    Double.exp(error + x) * (1 + c.exp)
  }

  /// The exponential i as computed.
  func term(_ i: Int) -> Computed { Computed(exact: p[i] * exactSum, error: errors[i]) }

  /// The computed sum of exponentials in the accumulator, `dropping` one index, whose place the last term takes.
  func sumOfExponentials(dropping: Int?) -> Computed {
    let terms = count - (dropping == nil ? 0 : 1)
    guard terms > 0 else { return Computed(exact: 0, error: 0) }
    let u = bounds.omitted == .additions ? 0 : a.u
    let additions = SumErrors(u: u, confidence: bounds.confidence)
    let widening = bounds.precisions.widening
    let total: Computed
    if bounds.arithmetic.shift == .runningMaximum && bounds.omitted != .rescaling {
      total = onlineSum(additions)
    } else {
      let exactSum = exactSum
      total = additions.sum(bounds.algorithm.summation, count: terms) { place in
        let i = place == dropping ? count - 1 : place
        return widening(Computed(exact: p[i] * exactSum, error: errors[i]), lift: lift)
      }
    }
    return overflows(total, of: terms, lift, a.overflows) ? .unknown : total
  }

  /// Whether a computed sum of so many terms may overflow a format: no exponential after a shift is larger than 1.
  private func overflows(_ sum: Computed, of terms: Int, _ lift: Double, _ isTooLarge: (Double) -> Bool)
    -> Bool
  {
    isTooLarge(sum.upper * lift) && !(shifted && !isTooLarge(Double(terms) * (1 + a.growth(terms))))
  }

  /// The running sum, rescaled whenever the maximum grows: a rounded exponential, a rounded product, an addition.
  ///
  /// Each partial sum is held against Σ e^(zᵢ − m̂) with the running maximum m̂ as computed. The factor e^(m̂ − m̂′) is one
  /// of computed numbers: only their difference is rounded. The 1 of a new maximum stands for e^(z − m̂) and errs by its ε.
  private func onlineSum(_ additions: SumErrors) -> Computed {
    let widening = bounds.precisions.widening
    let exponents = exponents
    func one(_ own: Double) -> Computed { Computed(exact: 1, error: own == 0 ? 0 : Double.expMinusOne(own)) }
    /// e^−d for a difference of zᵢ from something larger, off by `error`; 0 exactly for ∞.
    func exponential(_ i: Int, _ d: Double, error: Double, lift: Double) -> Computed {
      guard d < .infinity else { return Computed(exact: 0, error: 0) }
      let exact = Double.exp(-d)
      var e = exponentialError(exact, -d, off: error) + c.tiny * lift
      // What is −∞ to the kernel leaves nothing.
      if mayOverflowBelow && (exponents.overflows(z[i]) || c.overflows(d + error)) { e = Swift.max(e, exact) }
      return widening(Computed(exact: exact, error: e), lift: lift)
    }
    var top = 0
    var own = z[0].isFinite ? exponents.own(z[0]) : 0
    var lift = Double.exp(own)
    var s = one(own)
    for i in 1..<Swift.max(count, 1) {
      guard z[i].isFinite || !z[top].isFinite else { continue }
      if profile.x[i] == profile.x[top] {
        s = additions.adding(s, one(own))
      } else if profile.x[i] > profile.x[top] {
        let next = exponents.own(z[i])
        let d = z[i] - z[top]
        let both = lift * Double.exp(next)
        lift = Double.exp(next)
        let factor = exponential(top, d, error: c.u * (d + own + next), lift: both)
        var product = s.product(factor)
        product.error += a.rounding(product.upper, lift: lift)
        if factor.error >= factor.exact { product.error = Swift.max(product.error, product.exact) }
        s = additions.adding(product, one(next))
        (top, own) = (i, next)
      } else {
        let d = z[top] - z[i]
        let error = exponents.own(z[i])
        s = additions.adding(s, exponential(i, d, error: error + c.u * (d + error + own), lift: lift))
      }
      if overflows(s, of: i + 1, lift, a.overflows) { return .unknown }
    }
    return s
  }

  /// Absolute error of the computed probability i, before storage: the quotient of exponential and sum in the wider
  /// format, and what conversions to and fro add. Nothing overflows: no computed exponential exceeds the computed sum.
  func probabilityError(_ i: Int) -> Double {
    guard z[i].isFinite else { return 0 }
    var e: Double
    let rounds = bounds.omitted == .quotient ? 0.0 : 1
    if bounds.precisions.isWide {
      let q = bounds.precisions.widening(term(i), lift: lift).quotient(by: divisor)
      e = q.error + rounds * a.rounding(q.upper)
      e += bounds.precisions.narrowing.error(q.exact + e)
    } else {
      let q = term(i).quotient(by: divisor)
      e = q.error + rounds * c.rounding(q.upper)
    }
    return shifted && !e.isNaN ? Swift.min(e, share(i)) : e
  }

  /// What any number from 0 to 1 differs from the probability i by.
  func share(_ i: Int) -> Double { Swift.max(p[i], 1 - p[i]) + 2 * c.u }
}
