import CMPFR

/// An exact rational number of any size, for the questions that need a yes or no. Never changed once it is made.
///
/// Each operation allocates: not for loops that most input goes through.
final class Rational {
  private let number = UnsafeMutablePointer<__mpq_struct>.allocate(capacity: 1)

  private init() { nc_mpq_init(number) }

  deinit {
    nc_mpq_clear(number)
    number.deallocate()
  }

  /// A finite Double.
  convenience init(_ x: Double) {
    self.init()
    nc_mpq_set_d(number, x)
  }

  /// A whole number.
  convenience init(_ n: Int) {
    self.init()
    nc_mpq_set_si(number, n)
  }

  /// A finite MPFR number.
  convenience init(_ x: mpfr_srcptr) {
    self.init()
    mpfr_get_q(number, x)
  }

  /// The number zero.
  static var zero: Rational { Rational(0) }

  /// −1, 0 or 1.
  var sign: Int { Int(nc_mpq_sgn(number)) }

  var isZero: Bool { sign == 0 }

  /// The number cut to a Double; infinite where that overflows.
  var approximate: Double { nc_mpq_get_d(number) }

  /// √x where that is rational, x ≥ 0.
  var squareRoot: Rational? {
    let root = Rational()
    return nc_mpq_root(root.number, number) != 0 ? root : nil
  }

  var squared: Rational { self * self }

  static func + (a: Rational, b: Rational) -> Rational { apply(nc_mpq_add, a, b) }
  static func - (a: Rational, b: Rational) -> Rational { apply(nc_mpq_sub, a, b) }
  static func * (a: Rational, b: Rational) -> Rational { apply(nc_mpq_mul, a, b) }
  /// - Precondition: b ≠ 0.
  static func / (a: Rational, b: Rational) -> Rational { apply(nc_mpq_div, a, b) }
  static prefix func - (a: Rational) -> Rational { zero - a }

  private static func apply(
    _ operation: (mpq_ptr, mpq_srcptr, mpq_srcptr) -> Void, _ a: Rational, _ b: Rational
  ) -> Rational {
    let result = Rational()
    operation(result.number, a.number, b.number)
    return result
  }
}

extension Rational: Comparable {
  static func == (a: Rational, b: Rational) -> Bool { nc_mpq_equal(a.number, b.number) != 0 }
  static func < (a: Rational, b: Rational) -> Bool { nc_mpq_cmp(a.number, b.number) < 0 }
}

extension Rational {
  /// Rounds it into an MPFR number; returns on which side of the number that is.
  func round(into result: mpfr_ptr, _ direction: mpfr_rnd_t) -> Int32 {
    mpfr_set_q(result, number, direction)
  }
}
