/// What a floating-point format is, as a record: sizes, bias, and what its special codes mean.
///
/// A finite number is (−1)^s · 2^(e − bias) · (1 + f/2^t) for 0 < e, and (−1)^s · 2^(1 − bias) · f/2^t for
/// e = 0, with an exponent field of `exponentBits` and a trailing significand field of t = `significandBits`.
///
/// Sources: IEEE 754-2019 §3.4 (f16, f32, f64), OCP 8-bit Floating Point Specification (OFP8) rev. 1.0,
/// OCP Microscaling Formats (MX) v1.0, and for the `fnuz` formats Noune et al., arXiv 2206.02915.
public struct NumberFormat: Sendable, Hashable {
  /// How a format spells "not a number".
  public enum NaNEncoding: Sendable, Hashable {
    /// Every code with a full exponent field and a non-zero significand field.
    case ieee
    /// Only the codes with all exponent and significand bits set (`fn`).
    case allOnes
    /// Only the code that would be −0 (`fnuz`).
    case negativeZero
    /// No code: the format cannot say it.
    case none
  }

  /// The dtype name, as on the command line.
  public let name: String
  /// Width of the exponent field, in bits.
  public let exponentBits: Int
  /// Width of the trailing significand field, in bits, without the hidden one.
  public let significandBits: Int
  /// What is subtracted from the exponent field.
  public let bias: Int
  /// Whether a full exponent field with a zero significand field is ±∞.
  public let hasInfinity: Bool
  /// How NaN is spelled.
  public let nanEncoding: NaNEncoding
  /// Whether the top bit is a sign.
  public let hasSign: Bool
  /// Whether the zero exponent field holds zero and the subnormals (all but e8m0).
  public let hasZero: Bool

  /// Makes a record; `bias` defaults to 2^(exponentBits − 1) − 1.
  @inlinable
  public init(
    name: String, exponentBits: Int, significandBits: Int, bias: Int? = nil, hasInfinity: Bool,
    nanEncoding: NaNEncoding, hasSign: Bool = true, hasZero: Bool = true
  ) {
    self.name = name
    self.exponentBits = exponentBits
    self.significandBits = significandBits
    self.bias = bias ?? (1 << (exponentBits - 1)) - 1
    self.hasInfinity = hasInfinity
    self.nanEncoding = nanEncoding
    self.hasSign = hasSign
    self.hasZero = hasZero
  }
}

extension NumberFormat {
  /// Bits of a code.
  @inlinable public var bitWidth: Int { (hasSign ? 1 : 0) + exponentBits + significandBits }

  /// p: bits of the significand, the hidden one counted.
  @inlinable public var precision: Int { significandBits + 1 }

  /// The exponent of the smallest normal number.
  @inlinable public var minExponent: Int { hasZero ? 1 - bias : -bias }

  /// The exponent of the largest finite number.
  @inlinable public var maxExponent: Int {
    let full = (1 << exponentBits) - 1
    if hasInfinity || nanEncoding == .ieee { return full - 1 - bias }
    // With no fraction bits the one all-ones code takes the whole binade.
    if nanEncoding == .allOnes && significandBits == 0 { return full - 1 - bias }
    return full - bias
  }

  /// Whether the format can say NaN.
  @inlinable public var hasNaN: Bool { nanEncoding != .none }

  /// u = 2^−p: the largest relative error of rounding to nearest.
  @inlinable public var unitRoundoff: Double { Double.powerOfTwo(-precision) }

  /// The distance from 1 to the next larger number, 2^(1 − p).
  @inlinable public var epsilon: Double { Double.powerOfTwo(1 - precision) }

  /// The largest finite number.
  @inlinable public var largestFinite: Double {
    let allOnesIsNaN = nanEncoding == .allOnes && significandBits > 0
    let significand = 2 - epsilon * (allOnesIsNaN ? 2 : 1)
    return significand * Double.powerOfTwo(maxExponent)
  }

  /// 2^minExponent.
  @inlinable public var smallestNormal: Double { Double.powerOfTwo(minExponent) }

  /// The smallest positive number: subnormal where there are subnormals.
  @inlinable public var smallestPositive: Double {
    hasZero ? Double.powerOfTwo(minExponent - significandBits) : smallestNormal
  }

  /// ulp(y) = 2^(max(⌊log2|y|⌋, e_min) − (p − 1)): the spacing of the format at the exact value `y`, also
  /// beyond its largest number. For y = 0 the smallest spacing; for a non-finite y NaN.
  @inlinable
  public func ulp(of y: Double) -> Double {
    guard y.isFinite else { return .nan }
    let e = y == 0 ? minExponent : Swift.max(Int(y.exponent), minExponent)
    return Double.powerOfTwo(e - (precision - 1))
  }
}

extension Double {
  /// 2^`exponent`, exactly, for −1074 … 1023.
  @inlinable
  package static func powerOfTwo(_ exponent: Int) -> Double {
    exponent >= -1022
      ? Double(bitPattern: UInt64(exponent + 1023) << 52)
      : Double(bitPattern: 1 << UInt64(exponent + 1074))
  }
}
