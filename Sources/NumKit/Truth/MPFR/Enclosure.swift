import CMPFR

/// An interval that contains a real number: a borrowed pair of MPFR numbers, `lower` ≤ `upper`.
///
/// The convention throughout: equal ends are the exact value; different ends contain it strictly inside. It holds for
/// the quotient of two exact numbers (each end is rounded only if the quotient is not representable) and for every
/// enclosure of an irrational number. Whoever reads a decision out of an enclosure must know one or the other.
///
/// A result must not be one of its own operands.
struct Enclosure {
  let lower: mpfr_ptr
  let upper: mpfr_ptr

  func set(_ x: Double) {
    mpfr_set_d(lower, x, MPFR_RNDD)
    mpfr_set_d(upper, x, MPFR_RNDU)
  }

  func set(_ n: Int) {
    mpfr_set_si(lower, n, MPFR_RNDD)
    mpfr_set_si(upper, n, MPFR_RNDU)
  }

  func set(_ a: Enclosure) {
    _ = nc_mpfr_set(lower, a.lower, MPFR_RNDD)
    _ = nc_mpfr_set(upper, a.upper, MPFR_RNDU)
  }

  /// −a.
  func setNegated(_ a: Enclosure) {
    mpfr_neg(lower, a.upper, MPFR_RNDD)
    mpfr_neg(upper, a.lower, MPFR_RNDU)
  }

  /// Turns the sign; the one operation in place.
  func negate() {
    mpfr_swap(lower, upper)
    mpfr_neg(lower, lower, MPFR_RNDD)
    mpfr_neg(upper, upper, MPFR_RNDU)
  }

  /// Adds `a` to this one, in place.
  func add(_ a: Enclosure) {
    mpfr_add(lower, lower, a.lower, MPFR_RNDD)
    mpfr_add(upper, upper, a.upper, MPFR_RNDU)
  }

  /// a + b.
  func setSum(_ a: Enclosure, _ b: Enclosure) {
    mpfr_add(lower, a.lower, b.lower, MPFR_RNDD)
    mpfr_add(upper, a.upper, b.upper, MPFR_RNDU)
  }

  /// a − b.
  func setDifference(_ a: Enclosure, _ b: Enclosure) {
    mpfr_sub(lower, a.lower, b.upper, MPFR_RNDD)
    mpfr_sub(upper, a.upper, b.lower, MPFR_RNDU)
  }

  /// a − b of two Doubles.
  func setDifference(_ a: Double, _ b: Double) {
    mpfr_set_d(lower, a, MPFR_RNDD)
    mpfr_set_d(upper, a, MPFR_RNDU)
    mpfr_sub_d(lower, lower, b, MPFR_RNDD)
    mpfr_sub_d(upper, upper, b, MPFR_RNDU)
  }

  /// Divides by a positive Double, in place.
  func divide(by divisor: Double) {
    mpfr_div_d(lower, lower, divisor, MPFR_RNDD)
    mpfr_div_d(upper, upper, divisor, MPFR_RNDU)
  }

  /// a·b for a ≥ 0 and b of any sign.
  func setProduct(nonnegative a: Enclosure, _ b: Enclosure) {
    let lowerIsNegative = nc_mpfr_sgn(b.lower) < 0
    let upperIsNegative = nc_mpfr_sgn(b.upper) < 0
    mpfr_mul(lower, lowerIsNegative ? a.upper : a.lower, b.lower, MPFR_RNDD)
    mpfr_mul(upper, upperIsNegative ? a.lower : a.upper, b.upper, MPFR_RNDU)
  }

  /// a/b for b > 0 and a of any sign.
  func setQuotient(_ a: Enclosure, positive b: Enclosure) {
    let lowerIsNegative = nc_mpfr_sgn(a.lower) < 0
    let upperIsNegative = nc_mpfr_sgn(a.upper) < 0
    mpfr_div(lower, a.lower, lowerIsNegative ? b.lower : b.upper, MPFR_RNDD)
    mpfr_div(upper, a.upper, upperIsNegative ? b.upper : b.lower, MPFR_RNDU)
  }

  /// e^a.
  func setExponential(_ a: Enclosure) {
    mpfr_exp(lower, a.lower, MPFR_RNDD)
    mpfr_exp(upper, a.upper, MPFR_RNDU)
  }

  /// log(1 + a), a ≥ 0.
  func setLogOnePlus(_ a: Enclosure) {
    mpfr_log1p(lower, a.lower, MPFR_RNDD)
    mpfr_log1p(upper, a.upper, MPFR_RNDU)
  }

  /// log n.
  func setLog(_ n: Int) {
    mpfr_set_si(lower, n, MPFR_RNDD)
    mpfr_set_si(upper, n, MPFR_RNDU)
    mpfr_log(lower, lower, MPFR_RNDD)
    mpfr_log(upper, upper, MPFR_RNDU)
  }

  /// Whether both ends are one number, which then is the value.
  var isExact: Bool { mpfr_equal_p(lower, upper) != 0 }

  /// Whether zero is inside or at an end.
  var containsZero: Bool { nc_mpfr_sgn(lower) <= 0 && nc_mpfr_sgn(upper) >= 0 }
}
