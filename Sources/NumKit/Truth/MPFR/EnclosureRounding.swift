import CMPFR
import NumKitNumbers

extension Enclosure {
  /// The one number of `format` that every value inside rounds to (nearest, ties to even), or nil if there are two.
  ///
  /// An end that is itself a tie or a representable number does not hinder: the value is strictly inside, so the
  /// ends are rounded as "just above `lower`" and "just below `upper`". For formats narrower than Double each is first
  /// rounded to odd in Double, after which rounding once more is innocuous (Boldo, Melquiond 2008).
  func rounded(to format: NumberFormat) -> Double? {
    if isExact {
      if nc_mpfr_is_zero(lower) != 0 { return format.round(0) }
      if format.significandBits == 52 { return mpfr_get_d(lower, MPFR_RNDN) }
      let down = mpfr_get_d(lower, MPFR_RNDD)
      let up = mpfr_get_d(lower, MPFR_RNDU)
      return format.round(down == up ? down : odd(down, up))
    }
    let a: Double
    let b: Double
    if format.significandBits == 52 {
      a = nearestJustAbove(lower)
      b = nearestJustBelow(upper)
    } else {
      let down = mpfr_get_d(lower, MPFR_RNDD)
      let up = mpfr_get_d(upper, MPFR_RNDU)
      let x = odd(down, down.nextUp)
      let y = odd(up.nextDown, up)
      if x == y { return format.round(x) }
      a = format.round(x)
      b = format.round(y)
    }
    // A result of each sign would still be two results: an error of −0 and one of +0 differ.
    if a == b && a.sign == b.sign { return a }
    return a.isNaN && b.isNaN ? a : nil
  }

  /// The middle, rounded: what is reported when no precision allowed decided.
  func middle(in format: NumberFormat) -> Double {
    let a = mpfr_get_d(lower, MPFR_RNDN)
    let b = mpfr_get_d(upper, MPFR_RNDN)
    return format.round(a / 2 + b / 2)
  }

  /// The odd one of two neighbours: the rounding to odd of everything between them.
  private func odd(_ a: Double, _ b: Double) -> Double { a.bitPattern & 1 == 1 ? a : b }

  /// The Double nearest to x + ε.
  private func nearestJustAbove(_ x: mpfr_ptr) -> Double {
    if nc_mpfr_is_zero(x) != 0 { return 0 }
    return mpfr_get_d(x, isTie(x) ? MPFR_RNDU : MPFR_RNDN)
  }

  /// The Double nearest to x − ε.
  private func nearestJustBelow(_ x: mpfr_ptr) -> Double {
    if nc_mpfr_is_zero(x) != 0 { return -0.0 }
    return mpfr_get_d(x, isTie(x) ? MPFR_RNDD : MPFR_RNDN)
  }

  /// Whether x ≠ 0 is in the middle of two neighbouring Doubles: its lowest bit is half of their distance.
  private func isTie(_ x: mpfr_ptr) -> Bool {
    if mpfr_number_p(x) == 0 { return false }
    let exponent = nc_mpfr_get_exp(x)
    let lowestBit = exponent - Int(mpfr_min_prec(x))
    return exponent <= 1024 && lowestBit == Swift.max(exponent - 53, -1074) - 1
  }
}

extension Enclosure {
  /// A point of the enclosure as a double-double with an exponent, and how far from the value it may be; nil if the
  /// enclosure contains zero but is not exactly that. Overwrites `scratch`.
  func scaled(scratch: mpfr_ptr) -> ScaledValue? {
    if isExact && nc_mpfr_is_zero(lower) != 0 {
      return ScaledValue(high: 0, low: 0, exponent: 0, relativeError: 0)
    }
    if let vanishing { return vanishing }
    if containsZero || mpfr_number_p(lower) == 0 || mpfr_number_p(upper) == 0 { return nil }
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

  /// What stands for a value of known sign too small for a 32-bit exponent: ±2^−2^29.
  private var vanishing: ScaledValue? {
    func tiny(_ x: mpfr_ptr) -> Bool {
      nc_mpfr_is_zero(x) != 0
        || (mpfr_number_p(x) != 0 && nc_mpfr_get_exp(x) < Int(ScaledValue.smallestExponent))
    }
    guard tiny(lower), tiny(upper) else { return nil }
    if nc_mpfr_sgn(lower) >= 0 { return ScaledValue(high: 1, exponent: ScaledValue.smallestExponent) }
    if nc_mpfr_sgn(upper) <= 0 { return ScaledValue(high: -1, exponent: ScaledValue.smallestExponent) }
    return nil
  }
}
