/// What a value too large for a format becomes.
public enum Overflow: String, Sendable, Hashable, CaseIterable {
  /// ±∞ where the format has it, else NaN where it has that, else the largest number: IEEE 754 §7.4 and what
  /// ml_dtypes does.
  case special
  /// The largest number of the same sign, for infinities too: ONNX `saturate=1`, OCP `satfinite`.
  case saturate
}

extension NumberFormat {
  /// `x` rounded to nearest, ties to even, as its exact value in Double.
  ///
  /// A finite `x` whose rounding with an unbounded exponent exceeds the largest number overflows as `overflow`
  /// says. NaN stays NaN; in a format without it, NaN becomes the largest number's negative zero: that is, 0.
  /// In a format without a sign negative values are NaN.
  @inlinable
  public func round(_ x: Double, overflow: Overflow = .special) -> Double {
    if significandBits == 52 { return x }
    if !hasZero { return roundToPowerOfTwo(x, overflow: overflow) }
    // Adding and subtracting 1.5·2^(q + 52) rounds to a multiple of 2^q, to nearest even.
    let field = Int(truncatingIfNeeded: (x.bitPattern >> 52) & 0x7ff) - 1023
    let q = Swift.min(Swift.max(field, minExponent), maxExponent + 1) - significandBits
    let magic = Double(bitPattern: (UInt64(truncatingIfNeeded: q + 52 + 1023) << 52) | (1 << 51))
    let magnitude = (x.magnitude + magic) - magic
    if magnitude <= largestFinite {
      if nanEncoding == .negativeZero && magnitude == 0 { return 0 }
      return Double(signOf: x, magnitudeOf: magnitude)
    }
    return overflowed(x, overflow)
  }

  /// What `x`, not finite or too large, becomes.
  @usableFromInline
  package func overflowed(_ x: Double, _ overflow: Overflow) -> Double {
    if x.isNaN { return hasNaN ? .nan : 0 }
    let largest = Double(signOf: x, magnitudeOf: largestFinite)
    if overflow == .saturate { return largest }
    if hasInfinity { return Double(signOf: x, magnitudeOf: .infinity) }
    return hasNaN ? .nan : largest
  }

  /// e8m0: nearest power of two, ties (1.5·2^k) to the even exponent field; zero and below are NaN.
  @usableFromInline
  package func roundToPowerOfTwo(_ x: Double, overflow: Overflow) -> Double {
    guard x > 0 else { return .nan }
    let smallest = Double.powerOfTwo(minExponent)
    if x <= smallest { return smallest }
    guard x.isFinite else { return overflowed(x, overflow) }
    var e = Int(x.exponent)
    let s = x.significand
    if s > 1.5 || (s == 1.5 && (e + bias) & 1 == 1) { e += 1 }
    return e > maxExponent ? overflowed(x, overflow) : Double.powerOfTwo(e)
  }
}
