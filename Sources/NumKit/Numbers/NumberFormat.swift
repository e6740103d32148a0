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

  /// `name`, as a type without a destructor: a String in the record would keep the compiler from folding it away.
  @usableFromInline let staticName: StaticString
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

  // Derived, and kept so that `round` reads nothing else.

  /// The exponent of the smallest normal number.
  public let minExponent: Int
  /// The exponent of the largest finite number.
  public let maxExponent: Int
  /// The largest finite number.
  public let largestFinite: Double
  /// 2^minExponent.
  public let smallestNormal: Double
  /// The smallest Double that overflows: the midpoint of the largest number and what would come next, or one Double
  /// above it where the tie goes down, to an even last bit.
  @usableFromInline package let overflowThreshold: Double
  /// 1.5·2^(52 − significandBits).
  @usableFromInline let roundingFactor: Double

  /// Makes a record; `bias` defaults to 2^(exponentBits − 1) − 1.
  ///
  /// Every number of the format, and twice its largest, must be a normal Double; `significandBits` is at most 50. (The
  /// one exception is binary64 itself, which is passed through.) Infinity stands with NaN of kind `.ieee` and with no
  /// other. Without a zero the format is one of powers of two, unsigned.
  @inlinable @inline(__always)
  public init(
    name: StaticString, exponentBits: Int, significandBits: Int, bias: Int? = nil, hasInfinity: Bool,
    nanEncoding: NaNEncoding, hasSign: Bool = true, hasZero: Bool = true
  ) {
    let bias = bias ?? (1 << (exponentBits - 1)) - 1
    staticName = name
    self.exponentBits = exponentBits
    self.significandBits = significandBits
    self.bias = bias
    self.hasInfinity = hasInfinity
    self.nanEncoding = nanEncoding
    self.hasSign = hasSign
    self.hasZero = hasZero
    minExponent = hasZero ? 1 - bias : -bias
    // No number has the full exponent field where it is IEEE's for infinity and NaN, nor where, for want of
    // significand bits, NaN's one code takes it all.
    let ieee = nanEncoding == .ieee
    let allOnes = nanEncoding == .allOnes
    let top = (1 << exponentBits) - 1 - (ieee || (allOnes && significandBits == 0) ? 1 : 0) - bias
    maxExponent = top
    let allOnesIsNaN = allOnes && significandBits > 0
    let largest =
      (2 - Double.powerOfTwo(allOnesIsNaN ? 1 - significandBits : -significandBits)) * Double.powerOfTwo(top)
    largestFinite = largest
    let midpoint = largest + 0.5 * Double.powerOfTwo(top - significandBits)
    overflowThreshold = allOnesIsNaN ? Double(bitPattern: midpoint.bitPattern + 1) : midpoint
    smallestNormal = Double.powerOfTwo(minExponent)
    roundingFactor = 1.5 * Double.powerOfTwo(52 - significandBits)
  }
}

extension NumberFormat {
  /// The dtype name, as on the command line.
  public var name: String { staticName.description }

  public static func == (a: NumberFormat, b: NumberFormat) -> Bool {
    a.exponentBits == b.exponentBits && a.significandBits == b.significandBits && a.bias == b.bias
      && a.hasInfinity == b.hasInfinity && a.nanEncoding == b.nanEncoding && a.hasSign == b.hasSign
      && a.hasZero == b.hasZero && a.name == b.name
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(exponentBits)
    hasher.combine(significandBits)
    hasher.combine(bias)
    hasher.combine(nanEncoding)
  }

  /// Bits of a code.
  @inlinable public var bitWidth: Int { (hasSign ? 1 : 0) + exponentBits + significandBits }

  /// p: bits of the significand, the hidden one counted.
  @inlinable public var precision: Int { significandBits + 1 }

  /// Whether the format can say NaN.
  @inlinable @inline(__always) public var hasNaN: Bool { nanEncoding != .none }

  /// u = 2^−p: the largest relative error of rounding to nearest.
  @inlinable public var unitRoundoff: Double { Double.powerOfTwo(-precision) }

  /// The distance from 1 to the next larger number, 2^(1 − p).
  @inlinable @inline(__always) public var epsilon: Double { Double.powerOfTwo(1 - precision) }

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
  @inlinable @inline(__always)
  package static func powerOfTwo(_ exponent: Int) -> Double {
    exponent >= -1022
      ? Double(bitPattern: UInt64(exponent + 1023) << 52)
      : Double(bitPattern: 1 << UInt64(exponent + 1074))
  }
}
