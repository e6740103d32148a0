import CSchemes
import NumKit

/// A float format of at most 8 bits, with its loops. Rounding is to nearest even.
///
/// NaN is the format's NaN with the sign of the element; in a format without NaN it is a zero of the opposite sign, as
/// ml_dtypes writes it. In loops with scales what is too large, ∞ too, becomes the largest number.
struct SmallFloat: Sendable, Hashable {
  let format: NumberFormat
  /// What the loops need to know: overflow as the format has it, and to the largest number.
  private let plain: nc_small_format
  private let saturated: nc_small_format

  static func == (a: SmallFloat, b: SmallFloat) -> Bool { a.format == b.format }
  func hash(into hasher: inout Hasher) { hasher.combine(format) }

  /// Every format there is of at most 8 bits, with a sign and a zero.
  static let all = FormatRegistry.all.compactMap { $0.dtype.numberFormat.flatMap(SmallFloat.init) }

  static let e4m3fn = SmallFloat(known: .f8e4m3fn)
  static let e5m2 = SmallFloat(known: .f8e5m2)
  static let e3m2 = SmallFloat(known: .f6e3m2)
  static let e2m3 = SmallFloat(known: .f6e2m3)
  static let e2m1 = SmallFloat(known: .f4e2m1)

  private init(known: NumberFormat) {
    format = known
    plain = Self.codes(known, saturating: false)
    saturated = Self.codes(known, saturating: true)
  }

  /// nil for a format that is wider, or has no sign or no zero.
  init?(_ format: NumberFormat) {
    guard format.bitWidth <= 8, format.hasSign, format.hasZero else { return nil }
    self.init(known: format)
  }

  var bits: Int { format.bitWidth }
  var largest: Float { Float(format.largestFinite) }
  /// ⌊log2 of the largest number⌋.
  var maxExponent: Int { format.maxExponent }

  private static func codes(_ format: NumberFormat, saturating: Bool) -> nc_small_format {
    let t = Int32(format.significandBits)
    let sign = Int32(1) << Int32(format.bitWidth - 1)
    let full = ((Int32(1) << Int32(format.exponentBits)) - 1) << t
    let largest = Int32(truncatingIfNeeded: format.encode(format.largestFinite))
    var (nan, special) = (Int32(-1), sign)
    switch format.nanEncoding {
    case .ieee: (nan, special) = (full | 1 << (t - 1), full)
    case .allOnes: (nan, special) = (sign - 1, sign - 1)
    case .negativeZero: nan = sign
    case .none: break
    }
    let overflow = format.hasInfinity ? full : nan
    return nc_small_format(
      t: t, min_exponent: Int32(format.minExponent), largest: largest,
      overflow: saturating || !format.hasNaN ? largest : overflow, nan: nan, sign: sign, special: special,
      one_zero: format.nanEncoding == .negativeZero ? 1 : 0)
  }

  func cast(
    _ x: UnsafePointer<Float>, _ count: Int, into codes: UnsafeMutablePointer<UInt8>, saturating: Bool
  ) {
    nc_small_cast(x, count, codes, saturating ? saturated : plain)
  }

  /// Codes of x·divisor.
  func multiply(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_small_multiplied(x, run.divisors, run.count, codes, saturated)
  }

  /// Codes of x·divisor, ties away from zero.
  func multiplyAway(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_small_multiplied_away(x, run.divisors, run.count, codes, saturated)
  }

  /// Codes of x·divisor, ties towards zero.
  func multiplyDown(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_small_multiplied_down(x, run.divisors, run.count, codes, saturated)
  }

  /// Codes of x/divisor, ties towards zero.
  func divideDown(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_small_divided_down(x, run.divisors, run.count, codes, saturated)
  }

  /// Codes of x/divisor.
  func divide(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    nc_small_divided(x, run.divisors, run.count, codes, saturated)
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ count: Int, into x: UnsafeMutablePointer<Float>) {
    nc_small_decoded(codes, count, x, plain)
  }

  /// value·scale.
  func scale(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into x: UnsafeMutablePointer<Float>) {
    nc_small_scaled(codes, run.scales, run.count, x, plain)
  }
}

/// Block scales in e4m3: quick, one at a time.
enum E4M3Scale {
  /// The code of `x` ≥ 0, too large ones as the largest.
  static func code(_ x: Float) -> UInt8 {
    var code: UInt8 = 0
    withUnsafePointer(to: x) { SmallFloat.e4m3fn.cast($0, 1, into: &code, saturating: true) }
    return code
  }

  static func value(_ code: UInt8) -> Float { values[Int(code)] }

  private static let values = (0..<256).map { Float(NumberFormat.f8e4m3fn.decode($0)) }
}

/// amax/q as a scale: 1 for a block of nothing but zeros, and never below the smallest normal number, so that
/// neither it nor its reciprocal is 0 or ∞.
func usableScale(_ scale: Float) -> Float {
  if scale == 0 { return 1 }
  return max(scale, .leastNormalMagnitude)
}
