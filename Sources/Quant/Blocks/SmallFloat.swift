import CSchemes
import NumKit

/// A float format of at most 8 bits, with its loops. Rounding is to nearest even.
///
/// NaN is the format's NaN with the sign of the element; in a format without NaN it is a zero of the opposite sign, as
/// ml_dtypes writes it. In loops with scales what is too large, ∞ too, becomes the largest number.
enum SmallFloat: Sendable, Hashable, CaseIterable {
  case e4m3fn, e5m2, e4m3fnuz, e5m2fnuz, e3m2, e2m3, e2m1

  var format: NumberFormat {
    switch self {
    case .e4m3fn: return .f8e4m3fn
    case .e5m2: return .f8e5m2
    case .e4m3fnuz: return .f8e4m3fnuz
    case .e5m2fnuz: return .f8e5m2fnuz
    case .e3m2: return .f6e3m2
    case .e2m3: return .f6e2m3
    case .e2m1: return .f4e2m1
    }
  }

  var bits: Int { format.bitWidth }
  var largest: Float { Float(format.largestFinite) }
  /// ⌊log2 of the largest number⌋.
  var maxExponent: Int { format.maxExponent }

  func cast(
    _ x: UnsafePointer<Float>, _ count: Int, into codes: UnsafeMutablePointer<UInt8>, saturating: Bool
  ) {
    switch (self, saturating) {
    case (.e4m3fn, false): nc_e4m3fn_cast(x, count, codes)
    case (.e5m2, false): nc_e5m2_cast(x, count, codes)
    case (.e4m3fnuz, false): nc_e4m3fnuz_cast(x, count, codes)
    case (.e5m2fnuz, false): nc_e5m2fnuz_cast(x, count, codes)
    case (.e4m3fn, true): nc_e4m3fn_cast_saturating(x, count, codes)
    case (.e5m2, true): nc_e5m2_cast_saturating(x, count, codes)
    case (.e4m3fnuz, true): nc_e4m3fnuz_cast_saturating(x, count, codes)
    case (.e5m2fnuz, true): nc_e5m2fnuz_cast_saturating(x, count, codes)
    case (.e3m2, _): nc_e3m2_cast(x, count, codes)
    case (.e2m3, _): nc_e2m3_cast(x, count, codes)
    case (.e2m1, _): nc_e2m1_cast(x, count, codes)
    }
  }

  /// Codes of x·divisor.
  func multiply(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    switch self {
    case .e4m3fn: nc_e4m3fn_multiplied(x, run.divisors, run.count, codes)
    case .e5m2: nc_e5m2_multiplied(x, run.divisors, run.count, codes)
    case .e4m3fnuz: nc_e4m3fnuz_multiplied(x, run.divisors, run.count, codes)
    case .e5m2fnuz: nc_e5m2fnuz_multiplied(x, run.divisors, run.count, codes)
    case .e3m2: nc_e3m2_multiplied(x, run.divisors, run.count, codes)
    case .e2m3: nc_e2m3_multiplied(x, run.divisors, run.count, codes)
    case .e2m1: nc_e2m1_multiplied(x, run.divisors, run.count, codes)
    }
  }

  /// Codes of x/divisor.
  func divide(_ x: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    switch self {
    case .e4m3fn: nc_e4m3fn_divided(x, run.divisors, run.count, codes)
    case .e5m2: nc_e5m2_divided(x, run.divisors, run.count, codes)
    case .e4m3fnuz: nc_e4m3fnuz_divided(x, run.divisors, run.count, codes)
    case .e5m2fnuz: nc_e5m2fnuz_divided(x, run.divisors, run.count, codes)
    case .e3m2: nc_e3m2_divided(x, run.divisors, run.count, codes)
    case .e2m3: nc_e2m3_divided(x, run.divisors, run.count, codes)
    case .e2m1: nc_e2m1_divided(x, run.divisors, run.count, codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ count: Int, into x: UnsafeMutablePointer<Float>) {
    switch self {
    case .e4m3fn: nc_e4m3fn_decoded(codes, count, x)
    case .e5m2: nc_e5m2_decoded(codes, count, x)
    case .e4m3fnuz: nc_e4m3fnuz_decoded(codes, count, x)
    case .e5m2fnuz: nc_e5m2fnuz_decoded(codes, count, x)
    case .e3m2: nc_e3m2_decoded(codes, count, x)
    case .e2m3: nc_e2m3_decoded(codes, count, x)
    case .e2m1: nc_e2m1_decoded(codes, count, x)
    }
  }

  /// value·scale.
  func scale(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into x: UnsafeMutablePointer<Float>) {
    switch self {
    case .e4m3fn: nc_e4m3fn_scaled(codes, run.scales, run.count, x)
    case .e5m2: nc_e5m2_scaled(codes, run.scales, run.count, x)
    case .e4m3fnuz: nc_e4m3fnuz_scaled(codes, run.scales, run.count, x)
    case .e5m2fnuz: nc_e5m2fnuz_scaled(codes, run.scales, run.count, x)
    case .e3m2: nc_e3m2_scaled(codes, run.scales, run.count, x)
    case .e2m3: nc_e2m3_scaled(codes, run.scales, run.count, x)
    case .e2m1: nc_e2m1_scaled(codes, run.scales, run.count, x)
    }
  }
}

/// Block scales in e4m3: quick, one at a time.
enum E4M3Scale {
  /// The code of `x` ≥ 0, too large ones as the largest.
  static func code(_ x: Float) -> UInt8 {
    var code: UInt8 = 0
    withUnsafePointer(to: x) { nc_e4m3fn_cast_saturating($0, 1, &code) }
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
