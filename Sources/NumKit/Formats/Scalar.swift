import RealModule

/// What a kernel computes in: arithmetic that rounds to nearest even after every operation.
///
/// Conforming types are `Float16`, `Float`, `Double` and `Simulated` for every other floating-point format.
/// This is neither `Real` nor `BinaryFloatingPoint`: a saturating 4-bit number cannot keep their promises.
public protocol Scalar: Comparable, Sendable {
  /// The format of every value of this type.
  static var format: NumberFormat { get }

  /// `value` rounded to nearest even.
  init(rounding value: Double)

  /// The exact value.
  var exact: Double { get }

  static func + (a: Self, b: Self) -> Self
  static func - (a: Self, b: Self) -> Self
  static func * (a: Self, b: Self) -> Self
  static func / (a: Self, b: Self) -> Self
  static prefix func - (a: Self) -> Self

  /// a·b + c with one rounding.
  static func fusedMultiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self

  /// e^x. Correctly rounded but for `Float` and `Double`, which use the platform's library.
  static func exp(_ x: Self) -> Self
  /// 2^x.
  static func exp2(_ x: Self) -> Self
  /// The natural logarithm.
  static func log(_ x: Self) -> Self
  /// log(1 + x).
  static func log1p(_ x: Self) -> Self
  /// √x.
  static func sqrt(_ x: Self) -> Self
  /// The hyperbolic tangent.
  static func tanh(_ x: Self) -> Self
}

extension Scalar {
  /// 0.
  @inlinable public static var zero: Self { Self(rounding: 0) }
  /// 1.
  @inlinable public static var one: Self { Self(rounding: 1) }
  /// −∞, or the most negative number where there is no infinity.
  @inlinable public static var lowest: Self {
    Self(rounding: format.hasInfinity ? -.infinity : -format.largestFinite)
  }
  /// Whether this is not a number.
  @inlinable public var isNaN: Bool { !(self == self) }

  /// The larger; NaN if either is.
  @inlinable public static func maximum(_ a: Self, _ b: Self) -> Self {
    if a.isNaN { return a }
    return b.isNaN || b > a ? b : a
  }
}

extension Double: Scalar {
  @inlinable public static var format: NumberFormat { .f64 }
  @inlinable public init(rounding value: Double) { self = value }
  @inlinable public var exact: Double { self }
  @inlinable public static func fusedMultiplyAdd(_ a: Double, _ b: Double, _ c: Double) -> Double {
    c.addingProduct(a, b)
  }
  @inlinable public static func log1p(_ x: Double) -> Double { log(onePlus: x) }
}

extension Float: Scalar {
  @inlinable public static var format: NumberFormat { .f32 }
  @inlinable public init(rounding value: Double) { self = Float(value) }
  @inlinable public var exact: Double { Double(self) }
  @inlinable public static func fusedMultiplyAdd(_ a: Float, _ b: Float, _ c: Float) -> Float {
    c.addingProduct(a, b)
  }
  @inlinable public static func log1p(_ x: Float) -> Float { log(onePlus: x) }
}

// Functions and fused multiply-add go through Double: through Float they would round twice, and the
// compiler's own Float16.addingProduct does.
extension Float16: Scalar {
  @inlinable public static var format: NumberFormat { .f16 }
  @inlinable public init(rounding value: Double) { self = Float16(value) }
  @inlinable public var exact: Double { Double(self) }
  @inlinable public static func fusedMultiplyAdd(_ a: Float16, _ b: Float16, _ c: Float16) -> Float16 {
    Float16(roundingOddSum(of: Double(a) * Double(b), Double(c)))
  }
  @inlinable public static func exp(_ x: Float16) -> Float16 { Float16(Double.exp(Double(x))) }
  @inlinable public static func exp2(_ x: Float16) -> Float16 { Float16(Double.exp2(Double(x))) }
  @inlinable public static func log(_ x: Float16) -> Float16 { Float16(Double.log(Double(x))) }
  @inlinable public static func log1p(_ x: Float16) -> Float16 { Float16(Double.log(onePlus: Double(x))) }
  @inlinable public static func sqrt(_ x: Float16) -> Float16 { Float16(Double.sqrt(Double(x))) }
  @inlinable public static func tanh(_ x: Float16) -> Float16 { Float16(Double.tanh(Double(x))) }
}

/// a + b rounded to odd, for exact products: rounding that once more, to a format of at most 51 bits, rounds a + b
/// correctly (Boldo, Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Comput. 57(4), 2008).
@inlinable
package func roundingOddSum(of a: Double, _ b: Double) -> Double {
  let s = a + b
  guard s.isFinite else { return s }
  let bVirtual = s - a
  let error = (a - (s - bVirtual)) + (b - bVirtual)
  if error == 0 || s.bitPattern & 1 == 1 { return s }
  // Towards the error: one step up or down in magnitude, which makes the last bit odd.
  let away = (error > 0) == (s > 0)
  return Double(bitPattern: away ? s.bitPattern + 1 : s.bitPattern - 1)
}
