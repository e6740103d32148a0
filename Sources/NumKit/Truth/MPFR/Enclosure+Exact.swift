import CMPFR

/// Enclosures of what is made of exact numbers.
extension Enclosure {
  /// An exact number, of any precision.
  func set(exact x: mpfr_ptr) {
    _ = nc_mpfr_set(lower, x, MPFR_RNDD)
    _ = nc_mpfr_set(upper, x, MPFR_RNDU)
  }

  /// Adds a Double, in place.
  func add(_ x: Double) {
    mpfr_add_d(lower, lower, x, MPFR_RNDD)
    mpfr_add_d(upper, upper, x, MPFR_RNDU)
  }

  /// Takes the square root of what is not negative, in place.
  func takeSquareRoot() {
    mpfr_sqrt(lower, lower, MPFR_RNDD)
    mpfr_sqrt(upper, upper, MPFR_RNDU)
  }
}
