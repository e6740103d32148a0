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
  /// - An `x` whose rounding with an unbounded exponent exceeds the largest number, ±∞ included, becomes what
  ///   `overflow` says.
  /// - NaN stays NaN. In a format without NaN it becomes −0, whatever its sign bit: what ml_dtypes makes of a quiet
  ///   NaN with the sign clear. (Processors differ in the sign of the NaN that 0/0 makes; results must not.)
  /// - A zero keeps its sign, unless the format has but one zero (`fnuz`, no sign).
  /// - In a format without a sign every number below zero is NaN, also one that would round to zero.
  ///
  /// A format without a zero (e8m0) holds powers of two: a tie, 1.5·2^k, goes to the even exponent field, a value
  /// below the smallest to the smallest; zero and below are NaN.
  @inlinable @inline(__always)
  public func round(_ x: Double, overflow: Overflow = .special) -> Double {
    if significandBits == 52 {
      return overflow == .saturate && x.isInfinite ? Double(signOf: x, magnitudeOf: largestFinite) : x
    }
    if !hasZero { return roundToPowerOfTwo(x, overflow: overflow) }
    if !hasSign && x < 0 { return hasNaN ? .nan : 0 }
    // With 2^q the spacing at x, adding and taking away 1.5·2^(q + 52) rounds to a multiple of 2^q, to nearest even.
    // Selects, no branches: this is the inner loop of every simulated kernel, and as it stands it vectorises.
    let magnitude = x.magnitude
    let binade = Double(bitPattern: x.bitPattern & Double.infinity.bitPattern)
    let magic = Swift.max(binade, smallestNormal) * roundingFactor
    let rounded = (magnitude + magic) - magic
    let y = magnitude >= overflowThreshold ? overflowResult(overflow) : rounded
    let signed = Double(bitPattern: y.bitPattern | (x.bitPattern & (1 << 63)))
    if nanEncoding == .none { return x.isNaN ? -0.0 : signed }
    return nanEncoding == .negativeZero || !hasSign ? (y == 0 ? 0 : signed) : signed
  }

  /// What a positive value too large becomes.
  @inlinable @inline(__always)
  package func overflowResult(_ overflow: Overflow) -> Double {
    if overflow == .saturate { return largestFinite }
    return hasInfinity ? .infinity : hasNaN ? .nan : largestFinite
  }

  @usableFromInline
  package func roundToPowerOfTwo(_ x: Double, overflow: Overflow) -> Double {
    guard x > 0 else { return .nan }
    if x <= smallestNormal { return smallestNormal }
    guard x.isFinite else { return overflowResult(overflow) }
    var e = Int(x.exponent)
    let s = x.significand
    if s > 1.5 || (s == 1.5 && (e + bias) & 1 == 1) { e += 1 }
    return e > maxExponent ? overflowResult(overflow) : Double.powerOfTwo(e)
  }
}
