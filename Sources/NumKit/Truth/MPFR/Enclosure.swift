import CMPFR

/// Ends of an enclosure that the value cannot be at.
package struct OpenEnds: OptionSet {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let lower = OpenEnds(rawValue: 1)
  package static let upper = OpenEnds(rawValue: 2)
}

/// An interval that contains a real number: a borrowed pair of MPFR numbers, `lower` ≤ `upper`, each of which belongs to it
/// (closed) or not (open).
///
/// Whether an end belongs is followed operation by operation, of intervals as sets: an end that was rounded lies outside of
/// what was rounded, so it is open; an exact one is as open as the ends it was made of. A clamp closes. So a value strictly
/// between two ends is known to be, and one that may lie at an end is known to: `rounded(to:)` decides by that.
/// Equal ends are the value itself.
///
/// The ends are written here only, together with what is known of them. A result must not be one of its own operands.
package struct Enclosure {
  private let low: mpfr_ptr
  private let high: mpfr_ptr
  private let open: UnsafeMutablePointer<OpenEnds>

  package init(_ low: mpfr_ptr, _ high: mpfr_ptr, open: UnsafeMutablePointer<OpenEnds>) {
    self.low = low
    self.high = high
    self.open = open
  }

  package var lower: mpfr_srcptr { UnsafePointer(low) }
  package var upper: mpfr_srcptr { UnsafePointer(high) }
  /// Which ends do not belong.
  package var openEnds: OpenEnds { open.pointee }
  private var isLowerOpen: Bool { open.pointee.contains(.lower) }
  private var isUpperOpen: Bool { open.pointee.contains(.upper) }

  /// A number to calculate with; this is no enclosure afterwards.
  package var scratch: mpfr_ptr { low }

  /// Notes for each end what rounded it (MPFR's ternary value, 0 for nothing), and whether what it was made of is open.
  private func note(_ lower: Int32, _ lowerIsOpen: Bool, _ upper: Int32, _ upperIsOpen: Bool) {
    var ends: OpenEnds = []
    if lower != 0 || lowerIsOpen { ends.insert(.lower) }
    if upper != 0 || upperIsOpen { ends.insert(.upper) }
    open.pointee = ends
  }

  // MARK: Numbers

  package func set(_ x: Double) {
    note(mpfr_set_d(low, x, MPFR_RNDD), false, mpfr_set_d(high, x, MPFR_RNDU), false)
  }

  package func set(_ n: Int) {
    note(mpfr_set_si(low, n, MPFR_RNDD), false, mpfr_set_si(high, n, MPFR_RNDU), false)
  }

  /// An exact number, of any precision.
  package func set(exact x: mpfr_srcptr) {
    note(nc_mpfr_set(low, x, MPFR_RNDD), false, nc_mpfr_set(high, x, MPFR_RNDU), false)
  }

  /// A rational number.
  func set(_ x: Rational) {
    note(x.round(into: low, MPFR_RNDD), false, x.round(into: high, MPFR_RNDU), false)
  }

  /// log 2.
  package func setLogOfTwo() {
    note(mpfr_const_log2(low, MPFR_RNDD), false, mpfr_const_log2(high, MPFR_RNDU), false)
  }

  /// x/n of an exact number.
  package func setQuotient(exact x: mpfr_srcptr, _ n: Int) {
    note(mpfr_div_si(low, x, n, MPFR_RNDD), false, mpfr_div_si(high, x, n, MPFR_RNDU), false)
  }

  /// x/y of exact numbers, y ≠ 0.
  package func setQuotient(exact x: mpfr_srcptr, exact y: mpfr_srcptr) {
    note(mpfr_div(low, x, y, MPFR_RNDD), false, mpfr_div(high, x, y, MPFR_RNDU), false)
  }

  package func set(_ a: Enclosure) {
    note(
      nc_mpfr_set(low, a.low, MPFR_RNDD), a.isLowerOpen, nc_mpfr_set(high, a.high, MPFR_RNDU),
      a.isUpperOpen)
  }

  // MARK: Sums

  /// −a.
  package func setNegated(_ a: Enclosure) {
    note(mpfr_neg(low, a.high, MPFR_RNDD), a.isUpperOpen, mpfr_neg(high, a.low, MPFR_RNDU), a.isLowerOpen)
  }

  /// Turns the sign, in place.
  package func negate() {
    mpfr_swap(low, high)
    note(mpfr_neg(low, low, MPFR_RNDD), isUpperOpen, mpfr_neg(high, high, MPFR_RNDU), isLowerOpen)
  }

  /// Adds `a` to this one, in place.
  package func add(_ a: Enclosure) {
    note(
      mpfr_add(low, low, a.low, MPFR_RNDD), isLowerOpen || a.isLowerOpen,
      mpfr_add(high, high, a.high, MPFR_RNDU), isUpperOpen || a.isUpperOpen)
  }

  /// Adds a Double, in place.
  package func add(_ x: Double) {
    note(mpfr_add_d(low, low, x, MPFR_RNDD), isLowerOpen, mpfr_add_d(high, high, x, MPFR_RNDU), isUpperOpen)
  }

  /// a + b.
  package func setSum(_ a: Enclosure, _ b: Enclosure) {
    note(
      mpfr_add(low, a.low, b.low, MPFR_RNDD), a.isLowerOpen || b.isLowerOpen,
      mpfr_add(high, a.high, b.high, MPFR_RNDU), a.isUpperOpen || b.isUpperOpen)
  }

  /// a − b.
  package func setDifference(_ a: Enclosure, _ b: Enclosure) {
    note(
      mpfr_sub(low, a.low, b.high, MPFR_RNDD), a.isLowerOpen || b.isUpperOpen,
      mpfr_sub(high, a.high, b.low, MPFR_RNDU), a.isUpperOpen || b.isLowerOpen)
  }

  /// a − b of two Doubles.
  package func setDifference(_ a: Double, _ b: Double) {
    set(a)
    add(-b)
  }

  // MARK: Products and quotients

  /// Divides by a positive Double, in place.
  package func divide(by divisor: Double) {
    note(
      mpfr_div_d(low, low, divisor, MPFR_RNDD), isLowerOpen, mpfr_div_d(high, high, divisor, MPFR_RNDU),
      isUpperOpen)
  }

  /// Multiplies by a positive Double, in place.
  package func multiply(by factor: Double) {
    note(
      mpfr_mul_d(low, low, factor, MPFR_RNDD), isLowerOpen, mpfr_mul_d(high, high, factor, MPFR_RNDU),
      isUpperOpen)
  }

  /// a·2^bits.
  package func setScaled(_ a: Enclosure, bits: Int) {
    note(
      mpfr_mul_2si(low, a.low, bits, MPFR_RNDD), a.isLowerOpen, mpfr_mul_2si(high, a.high, bits, MPFR_RNDU),
      a.isUpperOpen)
  }

  /// n·a for n > 0.
  package func setProduct(_ a: Enclosure, _ n: Int) {
    note(
      mpfr_mul_si(low, a.low, n, MPFR_RNDD), a.isLowerOpen, mpfr_mul_si(high, a.high, n, MPFR_RNDU),
      a.isUpperOpen)
  }

  /// a·b for a ≥ 0 and b of any sign.
  package func setProduct(nonnegative a: Enclosure, _ b: Enclosure) {
    let lowerIsNegative = nc_mpfr_sgn(b.lower) < 0
    let upperIsNegative = nc_mpfr_sgn(b.upper) < 0
    let down = mpfr_mul(low, lowerIsNegative ? a.high : a.low, b.low, MPFR_RNDD)
    let up = mpfr_mul(high, upperIsNegative ? a.low : a.high, b.high, MPFR_RNDU)
    // An end at 0 is reached wherever one of the factors can be 0, any other at its own corner alone.
    let reachesZero = a.containsZero || b.containsZero
    note(
      down,
      nc_mpfr_is_zero(lower) != 0
        ? !reachesZero : b.isLowerOpen || (lowerIsNegative ? a.isUpperOpen : a.isLowerOpen),
      up,
      nc_mpfr_is_zero(upper) != 0
        ? !reachesZero : b.isUpperOpen || (upperIsNegative ? a.isLowerOpen : a.isUpperOpen))
  }

  /// a/b for b > 0 and a of any sign.
  package func setQuotient(_ a: Enclosure, positive b: Enclosure) {
    let lowerIsNegative = nc_mpfr_sgn(a.lower) < 0
    let upperIsNegative = nc_mpfr_sgn(a.upper) < 0
    let down = mpfr_div(low, a.low, lowerIsNegative ? b.low : b.high, MPFR_RNDD)
    let up = mpfr_div(high, a.high, upperIsNegative ? b.high : b.low, MPFR_RNDU)
    // 0/b is 0 whatever b is.
    note(
      down,
      a.isLowerOpen || nc_mpfr_is_zero(lower) == 0 && (lowerIsNegative ? b.isLowerOpen : b.isUpperOpen),
      up,
      a.isUpperOpen || nc_mpfr_is_zero(upper) == 0 && (upperIsNegative ? b.isUpperOpen : b.isLowerOpen))
  }

  /// a/(a + b) for a, b ≥ 0, not both 0: it rises with a and falls with b, so that a is not met twice.
  package func setShare(of a: Enclosure, beside b: Enclosure) {
    let down = mpfr_add(low, a.low, b.high, MPFR_RNDU)
    let quotientDown = mpfr_div(low, a.low, low, MPFR_RNDD)
    let up = mpfr_add(high, a.high, b.low, MPFR_RNDD)
    let quotientUp = mpfr_div(high, a.high, high, MPFR_RNDU)
    // 0/b is 0 whatever b is.
    let (isZero, isAllZero) = (nc_mpfr_is_zero(a.lower) != 0, nc_mpfr_is_zero(a.upper) != 0)
    note(
      isZero ? 0 : down | quotientDown, a.isLowerOpen || !isZero && b.isUpperOpen,
      isAllZero ? 0 : up | quotientUp, a.isUpperOpen || !isAllZero && b.isLowerOpen)
  }

  /// ab/(a + b)² for a, b ≥ 0, not both 0, if it is known which of the two is smaller: it rises with that one and falls with the
  /// other. Returns false where it is not. Overwrites `room`.
  package func setProductOfShares(_ a: Enclosure, _ b: Enclosure, scratch room: Enclosure) -> Bool {
    if nc_mpfr_cmp(b.upper, a.lower) <= 0 {
      setOrdered(b, a, room.scratch)
    } else if nc_mpfr_cmp(a.upper, b.lower) <= 0 {
      setOrdered(a, b, room.scratch)
    } else {
      return false
    }
    return true
  }

  /// ab/(a + b)² for a ≤ b.
  private func setOrdered(_ a: Enclosure, _ b: Enclosure, _ t: mpfr_ptr) {
    var down = mpfr_add(low, a.low, b.high, MPFR_RNDU)
    down |= mpfr_div(t, a.low, low, MPFR_RNDD)
    down |= mpfr_div(low, b.high, low, MPFR_RNDD)
    down |= mpfr_mul(low, low, t, MPFR_RNDD)
    var up = mpfr_add(high, a.high, b.low, MPFR_RNDD)
    up |= mpfr_div(t, a.high, high, MPFR_RNDU)
    up |= mpfr_div(high, b.low, high, MPFR_RNDU)
    up |= mpfr_mul(high, high, t, MPFR_RNDU)
    let (isZero, isAllZero) = (nc_mpfr_is_zero(a.lower) != 0, nc_mpfr_is_zero(a.upper) != 0)
    note(
      isZero ? 0 : down, a.isLowerOpen || !isZero && b.isUpperOpen, isAllZero ? 0 : up,
      a.isUpperOpen || !isAllZero && b.isLowerOpen)
  }

  // MARK: Functions that rise

  /// e^a.
  package func setExponential(_ a: Enclosure) {
    note(mpfr_exp(low, a.low, MPFR_RNDD), a.isLowerOpen, mpfr_exp(high, a.high, MPFR_RNDU), a.isUpperOpen)
  }

  /// log(1 + a), a ≥ 0.
  package func setLogOnePlus(_ a: Enclosure) {
    note(
      mpfr_log1p(low, a.low, MPFR_RNDD), a.isLowerOpen, mpfr_log1p(high, a.high, MPFR_RNDU), a.isUpperOpen)
  }

  /// log n.
  package func setLog(_ n: Int) {
    set(n)
    note(mpfr_log(low, low, MPFR_RNDD), isLowerOpen, mpfr_log(high, high, MPFR_RNDU), isUpperOpen)
  }

  /// Takes the hyperbolic tangent, in place.
  package func takeTanh() {
    note(mpfr_tanh(low, low, MPFR_RNDD), isLowerOpen, mpfr_tanh(high, high, MPFR_RNDU), isUpperOpen)
  }

  /// Takes the square root of what is not negative, in place.
  package func takeSquareRoot() {
    note(mpfr_sqrt(low, low, MPFR_RNDD), isLowerOpen, mpfr_sqrt(high, high, MPFR_RNDU), isUpperOpen)
  }

  /// 1/√n, n > 0.
  package func setReciprocalSquareRoot(_ n: Int) {
    set(n)
    note(mpfr_rec_sqrt(low, low, MPFR_RNDD), isLowerOpen, mpfr_rec_sqrt(high, high, MPFR_RNDU), isUpperOpen)
  }

  /// Takes the natural logarithm of what is above 0, in place.
  package func takeLog() {
    note(mpfr_log(low, low, MPFR_RNDD), isLowerOpen, mpfr_log(high, high, MPFR_RNDU), isUpperOpen)
  }

  // MARK: Functions that turn

  /// The sine or cosine of a: that of its lower end, give or take the width of a, for neither is steeper than 1. Overwrites `room`.
  package func setTurning(_ a: Enclosure, sine isSine: Bool, scratch room: Enclosure) {
    let width = room.scratch
    mpfr_sub(width, a.high, a.low, MPFR_RNDU)
    let down = isSine ? mpfr_sin(low, a.low, MPFR_RNDD) : mpfr_cos(low, a.low, MPFR_RNDD)
    _ = nc_mpfr_set(high, lower, MPFR_RNDU)
    if down != 0 { mpfr_nextabove(high) }
    if nc_mpfr_is_zero(width) != 0 { return note(down, false, down, false) }
    mpfr_sub(low, low, width, MPFR_RNDD)
    mpfr_add(high, high, width, MPFR_RNDU)
    note(1, true, 1, true)
  }

  /// Holds it between 0 and 1, in place: what lay beyond an end now is at it.
  package func clamp() {
    let isAbove = mpfr_cmp_si(lower, 1) >= 0
    let isBelow = nc_mpfr_sgn(upper) <= 0
    if nc_mpfr_sgn(lower) < 0 || isAbove || isBelow {
      mpfr_set_si(low, isAbove ? 1 : 0, MPFR_RNDN)
      open.pointee.remove(.lower)
    }
    if mpfr_cmp_si(upper, 1) > 0 || isAbove || isBelow {
      mpfr_set_si(high, isBelow ? 0 : 1, MPFR_RNDN)
      open.pointee.remove(.upper)
    }
  }

  // MARK: Questions

  /// Whether both ends are one number, which then is the value.
  package var isExact: Bool { mpfr_equal_p(lower, upper) != 0 }

  /// Whether it is 0 and nothing else.
  package var isExactZero: Bool { nc_mpfr_is_zero(lower) != 0 && nc_mpfr_is_zero(upper) != 0 }

  /// Whether the value may be zero.
  package var containsZero: Bool { sign ?? 0 == 0 }

  /// Whether the value's size is known to within a factor of 4: not where an end is 0, whose sign alone is known if it is open, nor
  /// where one is the size of what has been rounded away.
  package var hasSize: Bool {
    guard !containsZero, nc_mpfr_is_zero(lower) == 0, nc_mpfr_is_zero(upper) == 0 else { return false }
    return abs(nc_mpfr_get_exp(upper) - nc_mpfr_get_exp(lower)) <= 1
  }

  /// The sign of every number inside; nil where they differ.
  package var sign: Int? {
    if mpfr_number_p(lower) == 0 || mpfr_number_p(upper) == 0 { return nil }
    let (a, b) = (nc_mpfr_sgn(lower), nc_mpfr_sgn(upper))
    if a > 0 || a == 0 && isLowerOpen { return 1 }
    if b < 0 || b == 0 && isUpperOpen { return -1 }
    return a == 0 && b == 0 ? 0 : nil
  }
}
