import NumKitNumbers

/// A rounding test: whether every number near a pair rounds alike.
enum PairRounding {
  /// The number of `format` that every value within `error` of (high + low)·2^exponent rounds to, or nil if the test cannot
  /// tell. `error` is absolute, in the scale of the pair.
  static func round(_ x: Pair, exponent: Int, error: Double, to format: NumberFormat) -> Double? {
    if exponent == 0 && x.high.magnitude < 0x1p-960 {
      let scale = 0x1p900
      return roundScaled(Pair(x.high * scale, x.low * scale), -900, error * scale, format)
    }
    if exponent != 0 || x.high.magnitude > 0x1p1000 { return roundScaled(x, exponent, error, format) }
    // A quarter more covers the rounding of low ± error itself, which is below 2^−53 (|low| + error).
    let margin = error * 1.25 + x.low.magnitude * 0x1p-52
    if format.significandBits == 52 {
      let s = Pair(sum: x.high, x.low)
      let up = s.high + (s.low + margin)
      let down = s.high + (s.low - margin)
      return up == down ? up : nil
    }
    let up = format.round(roundingOddSum(of: x.high, x.low + margin))
    let down = format.round(roundingOddSum(of: x.high, x.low - margin))
    if up == down && up.sign == down.sign { return up }
    return up.isNaN && down.isNaN ? up : nil
  }

  /// Far from 1. Only f64 has results there that are neither 0 nor an overflow.
  private static func roundScaled(
    _ x: Pair, _ exponent: Int, _ error: Double, _ format: NumberFormat
  ) -> Double? {
    guard x.high != 0, x.high.isFinite, error < 0.5 * x.high.magnitude else { return nil }
    let magnitude = Int(x.high.exponent) + exponent
    guard magnitude < 0 else { return nil }
    if !format.hasZero { return magnitude < format.minExponent - 2 ? format.smallestPositive : nil }
    let least = format.minExponent - format.significandBits
    if magnitude < least - 3 {
      return format.nanEncoding == .negativeZero ? 0 : Double(signOf: x.high, magnitudeOf: 0)
    }
    guard format.significandBits == 52 else { return nil }
    if magnitude > -1022 {
      guard let y = round(Pair(x.high, x.low), exponent: 0, error: error, to: format) else { return nil }
      return Double(sign: .plus, exponent: exponent, significand: y)
    }
    // Subnormal: to a multiple of 2^−1074, as an integer.
    let scale = exponent + 1074
    let h = Double(sign: .plus, exponent: scale, significand: x.high)
    let l = Double(sign: .plus, exponent: scale, significand: x.low)
    let margin = Double(sign: .plus, exponent: scale, significand: error) * 1.25 + l.magnitude * 0x1p-52
    let r = h.rounded(.toNearestOrEven)
    let f = h - r
    // How far the value is beyond the halves above and below r.
    let above = (f - 0.5) + l
    let below = (f + 0.5) + l
    var nearest = r
    if above > margin {
      nearest += 1
    } else if below < -margin {
      nearest -= 1
    } else if !(above < -margin && below > margin) {
      return nil
    }
    return Double(signOf: x.high, magnitudeOf: nearest.magnitude * 0x1p-1074)
  }
}
