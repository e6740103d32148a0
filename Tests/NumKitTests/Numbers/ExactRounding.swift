import CMPFR
import NumKit

/// Operations correctly rounded to a format by MPFR, which is given the format's precision and smallest exponent: MPFR
/// rounds once, also in the subnormal range. Shares no code with the formats; their special values are stated here anew.
final class ExactRounding {
  typealias Number = UnsafeMutablePointer<__mpfr_struct>

  private let format: NumberFormat
  private let overflow: Overflow
  private let a = ExactRounding.number(precision: 53)
  private let b = ExactRounding.number(precision: 53)
  private let c = ExactRounding.number(precision: 53)
  private let result: Number

  init(_ format: NumberFormat, overflow: Overflow = .special) {
    self.format = format
    self.overflow = overflow
    result = ExactRounding.number(precision: format.significandBits + 1)
  }

  deinit {
    for x in [a, b, c, result] {
      mpfr_clear(x)
      x.deallocate()
    }
  }

  static func number(precision: Int) -> Number {
    let x = Number.allocate(capacity: 1)
    mpfr_init2(x, mpfr_prec_t(precision))
    return x
  }

  func unary(
    _ x: Double, _ operation: (mpfr_ptr, mpfr_srcptr, mpfr_rnd_t) -> Int32
  ) -> Double {
    mpfr_set_d(a, x, MPFR_RNDN)
    return rounded { operation(result, a, MPFR_RNDN) }
  }

  func binary(
    _ x: Double, _ y: Double, _ operation: (mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t) -> Int32
  ) -> Double {
    mpfr_set_d(a, x, MPFR_RNDN)
    mpfr_set_d(b, y, MPFR_RNDN)
    return rounded { operation(result, a, b, MPFR_RNDN) }
  }

  func fusedMultiplyAdd(_ x: Double, _ y: Double, _ z: Double) -> Double {
    mpfr_set_d(a, x, MPFR_RNDN)
    mpfr_set_d(b, y, MPFR_RNDN)
    mpfr_set_d(c, z, MPFR_RNDN)
    return rounded { mpfr_fma(result, a, b, c, MPFR_RNDN) }
  }

  /// A number of any precision.
  func round(_ x: mpfr_srcptr) -> Double {
    if format.hasZero {
      return rounded { mpfr_check_range(result, nc_mpfr_set(result, x, MPFR_RNDN), MPFR_RNDN) }
    }
    return powerOfTwo(x)
  }

  /// To one of 2^−127 … 2^127, ties to the even exponent field; zero and below are NaN.
  private func powerOfTwo(_ x: mpfr_srcptr) -> Double {
    guard nc_mpfr_sgn(x) > 0 else { return .nan }
    let low = nc_mpfr_get_exp(x) - 1
    mpfr_set_ui(a, 3, MPFR_RNDN)
    mpfr_mul_2si(a, a, low - 1, MPFR_RNDN)
    let side = nc_mpfr_cmp(x, a)
    let up = side > 0 || side == 0 && (low + 127) % 2 != 0
    let exponent = low + (up ? 1 : 0)
    if exponent > 127 { return overflow == .saturate ? 0x1p127 : .nan }
    return exponent < -127 ? 0x1p-127 : Double(sign: .plus, exponent: exponent, significand: 1)
  }

  /// MPFR's significands lie in [1/2, 1): its exponents are one more than IEEE's.
  private func rounded(_ operation: () -> Int32) -> Double {
    let smallest = mpfr_get_emin()
    mpfr_set_emin(mpfr_exp_t(format.minExponent - format.significandBits + 1))
    let subnormal = mpfr_subnormalize(result, operation(), MPFR_RNDN)
    mpfr_set_emin(smallest)
    _ = subnormal
    return special(mpfr_get_d(result, MPFR_RNDN))
  }

  private func special(_ y: Double) -> Double {
    let hasNaN = format.nanEncoding != .none
    if y.isNaN { return hasNaN ? y : -0.0 }
    if y == 0 && format.nanEncoding == .negativeZero { return 0 }
    guard y.magnitude > format.largestFinite else { return y }
    let sign = y < 0 ? -1.0 : 1.0
    if overflow == .special {
      if format.hasInfinity { return sign * .infinity }
      if hasNaN { return .nan }
    }
    return sign * format.largestFinite
  }
}
