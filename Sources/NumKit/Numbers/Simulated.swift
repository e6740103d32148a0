import RealModule

/// Names a format at compile time, so that arithmetic on it can be specialised.
public protocol SimulatedFormat: Sendable {
  /// The record.
  static var format: NumberFormat { get }
  /// What a result too large becomes; `.special` unless said otherwise.
  static var overflow: Overflow { get }
}

extension SimulatedFormat {
  @inlinable public static var overflow: Overflow { .special }
}

/// The format `F` with results too large becoming its largest number.
public enum Saturating<F: SimulatedFormat>: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { F.format }
  @inlinable public static var overflow: Overflow { .saturate }
}

/// A number of the format `F`, rounded correctly (to nearest even) after every operation.
///
/// The value is held as a Double, which every supported format is a subset of. Rounding the Double result once more
/// is innocuous for + − × ÷ √ because 53 ≥ 2p + 2 (Figueroa, "When is double rounding innocuous?", 1995), and in
/// the subnormal range because there the format has fewer bits still while Double keeps all of its own.
@frozen
public struct Simulated<F: SimulatedFormat>: Scalar {
  /// The exact value.
  public let exact: Double

  /// `value` must be a number of the format.
  @inlinable
  package init(unchecked value: Double) { exact = value }

  @inlinable @inline(__always)
  public init(rounding value: Double) { exact = F.format.round(value, overflow: F.overflow) }

  @inlinable @inline(__always) public static var format: NumberFormat { F.format }
  @inlinable public static var zero: Self { Self(unchecked: 0) }

  @inlinable public static func == (a: Self, b: Self) -> Bool { a.exact == b.exact }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.exact < b.exact }
  @inlinable public static func <= (a: Self, b: Self) -> Bool { a.exact <= b.exact }
  @inlinable public static func > (a: Self, b: Self) -> Bool { a.exact > b.exact }
  @inlinable public static func >= (a: Self, b: Self) -> Bool { a.exact >= b.exact }
  @inlinable @inline(__always) public static func + (a: Self, b: Self) -> Self {
    Self(rounding: a.exact + b.exact)
  }
  @inlinable @inline(__always) public static func - (a: Self, b: Self) -> Self {
    Self(rounding: a.exact - b.exact)
  }
  @inlinable @inline(__always) public static func * (a: Self, b: Self) -> Self {
    Self(rounding: a.exact * b.exact)
  }
  @inlinable @inline(__always) public static func / (a: Self, b: Self) -> Self {
    Self(rounding: a.exact / b.exact)
  }
  @inlinable @inline(__always) public static prefix func - (a: Self) -> Self { Self(rounding: -a.exact) }
  @inlinable @inline(__always) public static func fusedMultiplyAdd(_ a: Self, _ b: Self, _ c: Self) -> Self {
    Self(rounding: roundingOddSum(of: a.exact * b.exact, c.exact))
  }
  @inlinable @inline(__always) public static func exp(_ x: Self) -> Self {
    Self(rounding: Double.exp(x.exact))
  }
  @inlinable @inline(__always) public static func exp2(_ x: Self) -> Self {
    Self(rounding: Double.exp2(x.exact))
  }
  @inlinable @inline(__always) public static func log(_ x: Self) -> Self {
    Self(rounding: Double.log(x.exact))
  }
  @inlinable @inline(__always) public static func log1p(_ x: Self) -> Self {
    Self(rounding: Double.log(onePlus: x.exact))
  }
  @inlinable @inline(__always) public static func sqrt(_ x: Self) -> Self {
    Self(rounding: Double.sqrt(x.exact))
  }
  @inlinable @inline(__always) public static func tanh(_ x: Self) -> Self {
    Self(rounding: Double.tanh(x.exact))
  }
}
