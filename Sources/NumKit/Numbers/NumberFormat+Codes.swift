extension NumberFormat {
  /// The code of `x` after rounding to nearest even, in the low `bitWidth` bits.
  ///
  /// NaN is the canonical quiet NaN (sign clear, top significand bit set), or the format's only
  /// one; in a format without NaN the code of −0.
  public func encode(_ x: Double, overflow: Overflow = .special) -> UInt64 {
    let y = round(x, overflow: overflow)
    if significandBits == 52 { return y.isNaN ? 0x7ff8_0000_0000_0000 : y.bitPattern }
    if y.isNaN { return nanCode }
    let sign: UInt64 = hasSign && y.sign == .minus ? 1 << UInt64(bitWidth - 1) : 0
    if y.isInfinite { return sign | (exponentMask << UInt64(significandBits)) }
    if !hasZero { return UInt64(Int(y.exponent) + bias) }
    let magnitude = y.magnitude
    if magnitude < smallestNormal {
      return sign | UInt64(magnitude / smallestPositive)
    }
    let exponentField = UInt64(Int(magnitude.exponent) + bias)
    let fraction = (magnitude.bitPattern & ((1 << 52) - 1)) >> UInt64(52 - significandBits)
    return sign | exponentField << UInt64(significandBits) | fraction
  }

  /// The exact value of `code`; bits above `bitWidth` are ignored.
  public func decode(_ code: UInt64) -> Double {
    if significandBits == 52 { return Double(bitPattern: code) }
    let fraction = code & ((1 << UInt64(significandBits)) - 1)
    let exponentField = (code >> UInt64(significandBits)) & exponentMask
    let negative = hasSign && (code >> UInt64(bitWidth - 1)) & 1 == 1
    let allOnes = exponentField == exponentMask && fraction == (1 << UInt64(significandBits)) - 1
    switch nanEncoding {
    case .ieee where exponentField == exponentMask && fraction != 0: return .nan
    case .allOnes where allOnes: return .nan
    case .negativeZero where negative && exponentField == 0 && fraction == 0: return .nan
    default: break
    }
    if hasInfinity && exponentField == exponentMask && fraction == 0 {
      return negative ? -.infinity : .infinity
    }
    let magnitude: Double
    if exponentField == 0 && hasZero {
      magnitude = Double(fraction) * smallestPositive
    } else {
      let significand = 1 + Double(fraction) * epsilon
      magnitude = significand * Double.powerOfTwo(Int(exponentField) - bias)
    }
    return negative ? -magnitude : magnitude
  }

  /// Every code.
  public var codes: ClosedRange<UInt64> { 0...UInt64.max >> UInt64(64 - bitWidth) }

  private var exponentMask: UInt64 { (1 << UInt64(exponentBits)) - 1 }

  private var nanCode: UInt64 {
    switch nanEncoding {
    case .ieee:
      return (exponentMask << UInt64(significandBits)) | (1 << UInt64(significandBits - 1))
    case .allOnes:
      return (1 << UInt64(exponentBits + significandBits)) - 1
    case .negativeZero, .none:
      return 1 << UInt64(bitWidth - 1)
    }
  }
}
