import RealModule

/// What a kernel computes in: arithmetic that rounds to nearest even after every operation.
///
/// Conforming types are `Float16`, `Float`, `Double` and `Simulated` for every other floating-point format.
/// This is neither `Real` nor `BinaryFloatingPoint`: a saturating 4-bit number cannot keep their promises.
public protocol Scalar: Comparable, Sendable {
  /// The format of every value of this type.
  static var format: NumberFormat { get }

  /// 0. (A requirement and no default: `Double.zero` would be ambiguous to whoever imports this module.)
  static var zero: Self { get }

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

  /// e^x in place of every x: what `exp` answers.
  static func formExponentials(_ values: UnsafeMutableBufferPointer<Self>)
  /// 2^x in place of every x: what `exp2` answers.
  static func formExponentials2(_ values: UnsafeMutableBufferPointer<Self>)
  /// `start` and all values added one after the other, each addition rounded.
  static func sum(_ values: UnsafeMutableBufferPointer<Self>, from start: Self) -> Self
  /// The largest of at least one value; of equals the first; NaN if any is.
  static func maximum(_ values: UnsafeMutableBufferPointer<Self>) -> Self
  /// The largest finite magnitude, and whether all values are finite.
  static func peak(_ values: UnsafeMutableBufferPointer<Self>) -> (largest: Double, isFinite: Bool)
}

extension Scalar {
  /// 1.
  @inlinable public static var one: Self { Self(rounding: 1) }
  /// −∞, or the most negative number where there is no infinity or overflow saturates.
  @inlinable public static var lowest: Self {
    Self(rounding: format.hasInfinity ? -.infinity : -format.largestFinite)
  }
  /// Whether this is not a number.
  @inlinable public var isNaN: Bool { !(self == self) }

  /// The larger; `a` if they are equal (zeros of either sign are); NaN if either is (which is not what
  /// `Double.maximum` answers).
  @inlinable public static func larger(_ a: Self, _ b: Self) -> Self {
    b.isNaN || b > a ? b : a
  }
}

extension Double: Scalar {
  @inlinable @inline(__always) public static var format: NumberFormat { .f64 }
  @inlinable public init(rounding value: Double) { self = value }
  @inlinable public var exact: Double { self }
  @inlinable public static func fusedMultiplyAdd(_ a: Double, _ b: Double, _ c: Double) -> Double {
    c.addingProduct(a, b)
  }
  @inlinable public static func log1p(_ x: Double) -> Double { log(onePlus: x) }
}

extension Float: Scalar {
  @inlinable @inline(__always) public static var format: NumberFormat { .f32 }
  @inlinable public init(rounding value: Double) { self = Float(value) }
  @inlinable public var exact: Double { Double(self) }
  @inlinable public static func fusedMultiplyAdd(_ a: Float, _ b: Float, _ c: Float) -> Float {
    c.addingProduct(a, b)
  }
  @inlinable public static func log1p(_ x: Float) -> Float { log(onePlus: x) }
}

/// a + b rounded to odd, for exact products: rounding that once more, to a format of at most 51 bits, rounds a + b
/// correctly (Boldo, Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Comput. 57(4), 2008).
@inlinable @inline(__always)
package func roundingOddSum(of a: Double, _ b: Double) -> Double {
  let s = a + b
  let bVirtual = s - a
  let error = (a - (s - bVirtual)) + (b - bVirtual)  // NaN where s is not finite: then no step
  // Towards the error: one step up or down in magnitude, which makes the last bit odd.
  let up: Int64 = error > 0 ? 1 : error < 0 ? -1 : 0
  let away = s < 0 ? -up : up
  let step = s.bitPattern & 1 == 1 ? 0 : away
  return Double(bitPattern: s.bitPattern &+ UInt64(bitPattern: step))
}
