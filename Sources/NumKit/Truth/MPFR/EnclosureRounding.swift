import CMPFR
import NumKitNumbers

extension Enclosure {
  /// The one number of `format` that every value inside rounds to (nearest, ties to even), or nil if there are two.
  ///
  /// A closed end is rounded as the number it is, an open one as "just above `lower`" or "just below `upper`": so a tie, or a
  /// number of the format, does not hinder where the value cannot be at it, and does where it can. For formats narrower than
  /// Double each end is first rounded to odd in Double, after which rounding once more is innocuous (Boldo, Melquiond 2008).
  package func rounded(to format: NumberFormat) -> Double? {
    if isExactZero { return format.round(0) }
    let isLowerOpen = openEnds.contains(.lower) && !isExact
    let isUpperOpen = openEnds.contains(.upper) && !isExact
    if format.significandBits == 52 {
      let a = isLowerOpen ? nearestJustAbove(lower) : nearest(lower)
      let b = isUpperOpen ? nearestJustBelow(upper) : nearest(upper)
      return a == b && a.sign == b.sign ? a : nil
    }
    let down = mpfr_get_d(lower, MPFR_RNDD)
    let up = mpfr_get_d(upper, MPFR_RNDU)
    let isLowerDouble = !isLowerOpen && mpfr_cmp_d(lower, down) == 0
    let isUpperDouble = !isUpperOpen && mpfr_cmp_d(upper, up) == 0
    // An exact 0 has no sign.
    let x = isLowerDouble ? down + 0 : odd(down, down.nextUp)
    let y = isUpperDouble ? up + 0 : odd(up.nextDown, up)
    let a = format.round(x)
    let b = format.round(y)
    // A result of each sign would still be two results: an error of −0 and one of +0 differ.
    if a == b && a.sign == b.sign { return a }
    // NaN stands for what is too large, and without a sign for what is not positive: both ends must mean the same.
    let areAlike = x > 0 || y < 0 || (!format.hasSign && y <= 0)
    return a.isNaN && b.isNaN && areAlike ? a : nil
  }

  /// The middle, rounded: what is reported when no precision allowed decided.
  func middle(in format: NumberFormat) -> Double {
    let a = mpfr_get_d(lower, MPFR_RNDN)
    let b = mpfr_get_d(upper, MPFR_RNDN)
    return format.round(a / 2 + b / 2)
  }

  /// The odd one of two neighbours: the rounding to odd of everything between them.
  private func odd(_ a: Double, _ b: Double) -> Double { a.bitPattern & 1 == 1 ? a : b }

  /// The Double nearest to x.
  private func nearest(_ x: mpfr_srcptr) -> Double {
    nc_mpfr_is_zero(x) != 0 ? 0 : mpfr_get_d(x, MPFR_RNDN)
  }

  /// The Double nearest to x + ε.
  private func nearestJustAbove(_ x: mpfr_srcptr) -> Double {
    if nc_mpfr_is_zero(x) != 0 { return 0 }
    return mpfr_get_d(x, isTie(x) ? MPFR_RNDU : MPFR_RNDN)
  }

  /// The Double nearest to x − ε.
  private func nearestJustBelow(_ x: mpfr_srcptr) -> Double {
    if nc_mpfr_is_zero(x) != 0 { return -0.0 }
    return mpfr_get_d(x, isTie(x) ? MPFR_RNDD : MPFR_RNDN)
  }

  /// Whether x ≠ 0 is in the middle of two neighbouring Doubles: its lowest bit is half of their distance.
  private func isTie(_ x: mpfr_srcptr) -> Bool {
    if mpfr_number_p(x) == 0 { return false }
    let exponent = nc_mpfr_get_exp(x)
    let lowestBit = exponent - Int(mpfr_min_prec(x))
    return exponent <= 1024 && lowestBit == Swift.max(exponent - 53, -1074) - 1
  }
}

extension Enclosure {
  /// A point of the enclosure as a double-double with an exponent, and how far from the value it may be; nil if the
  /// value may be zero but need not be. Overwrites `room`.
  func scaled(scratch room: Enclosure) -> ScaledValue? {
    let scratch = room.scratch
    if isExactZero {
      return ScaledValue(high: 0, low: 0, exponent: 0, relativeError: 0)
    }
    if let vanishing { return vanishing }
    if containsZero || nc_mpfr_is_zero(lower) != 0 || nc_mpfr_is_zero(upper) != 0 { return nil }
    let binade = nc_mpfr_get_exp(lower)
    // Outside these Double would overflow, or lose bits of the low word.
    let exponent = (-900...1000).contains(binade) ? 0 : binade
    _ = nc_mpfr_set(scratch, lower, MPFR_RNDN)
    mpfr_mul_2si(scratch, scratch, -exponent, MPFR_RNDN)
    let high = mpfr_get_d(scratch, MPFR_RNDN)
    mpfr_sub_d(scratch, scratch, high, MPFR_RNDN)
    let low = mpfr_get_d(scratch, MPFR_RNDN)
    // |upper − lower| / the smaller magnitude, and 2^−106 for the low word's own rounding.
    mpfr_sub(scratch, upper, lower, MPFR_RNDU)
    let smaller = nc_mpfr_sgn(lower) > 0 ? lower : upper
    mpfr_div(scratch, scratch, smaller, MPFR_RNDA)
    let width = mpfr_get_d(scratch, MPFR_RNDA).magnitude
    return ScaledValue(
      high: high, low: low, exponent: Int32(exponent), relativeError: (width + 0x1p-106).nextUp)
  }

  /// What stands for a value that has no `scaled` form at the last precision allowed: ±2^−2^29 where its sign alone is known.
  var unscaled: ScaledValue {
    guard let sign, sign != 0 else { return ScaledValue(high: middle(in: .f64)) }
    return ScaledValue(high: Double(sign), exponent: ScaledValue.smallestExponent)
  }

  /// What stands for a value of known sign too small for a 32-bit exponent: ±2^−2^29.
  private var vanishing: ScaledValue? {
    func tiny(_ x: mpfr_srcptr) -> Bool {
      nc_mpfr_is_zero(x) != 0
        || (mpfr_number_p(x) != 0 && nc_mpfr_get_exp(x) < Int(ScaledValue.smallestExponent))
    }
    guard tiny(lower), tiny(upper), let sign, sign != 0 else { return nil }
    return ScaledValue(high: Double(sign), exponent: ScaledValue.smallestExponent)
  }
}
