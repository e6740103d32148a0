/// An exact result as it goes into a `Truth`.
struct ScaledValue {
  var high = 0.0
  var low = 0.0
  var exponent: Int32 = 0
  /// A bound on |(high + low)·2^exponent − exact| / |exact|.
  var relativeError = 0.0

  /// Non-zero results below 2^smallestExponent stand as ±2^smallestExponent, which `relativeError` does not cover.
  /// MPFR's own range ends at 2^±2^30 unless a caller changes it.
  static let smallestExponent: Int32 = -(1 << 29)
}
