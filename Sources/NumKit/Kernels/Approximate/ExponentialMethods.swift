import NumKitNumbers
import RealModule

/// A way to make e^t at less than it costs: z = t·log₂ e, whose whole part goes to the exponent, and 2^fraction in some short way.
public protocol ExponentialMethod: Sendable {
  /// Its name on the command line.
  static var name: String { get }
  /// One line on how it works.
  static var summary: String { get }
  /// How near it comes.
  static var accuracy: ExponentialAccuracy { get }
  /// What t is multiplied by.
  static var log2e: Double { get }
  /// 2^z.
  static func power<C: Scalar>(_ z: C) -> C
}

extension ExponentialMethod {
  /// log₂ e.
  @inlinable public static var log2e: Double { 1.442695040888963407359924681 }

  /// e^t.
  @inlinable
  public static func exponential<C: Scalar>(_ t: C) -> C { power(t * C(rounding: log2e)) }
}

/// Every way: one line each.
public enum ExponentialMethods {
  /// In the order that `list kernels` shows.
  public static let all: [any ExponentialMethod.Type] = [
    Polynomial1.self,
    Polynomial2.self,
    Polynomial3.self,
    Piecewise.self,
    PowerTable.self,
    Schraudolph.self,
    FewBits.self,
    TruncatedTo11.self,
    TruncatedTo8.self,
  ]
}

extension Scalar {
  /// 2^n·(2^f as `fraction` has it) with n = ⌊z⌋, f = z − n, rounded once more where the result is subnormal.
  @inlinable
  static func split(_ z: Self, _ fraction: (Self) -> Self) -> Self {
    let exact = z.exact
    if exact.isNaN { return z }
    // Beyond Double's own range there is nothing left, or no number.
    if exact < -1100 { return .zero }
    if exact > 1100 { return Self(rounding: .infinity) }
    let whole = exact.rounded(.down)
    let part = fraction(z - Self(rounding: whole)).exact
    return Self(rounding: Double(sign: .plus, exponent: Int(whole), significand: part))
  }
}

/// 1 + c₁f of FlashAttention-4's degree 1: off by 3.9 %.
public enum Polynomial1: ExponentialMethod {
  public static let name = "poly1"
  public static let summary = "2^fraction as a polynomial of degree 1"
  public static let accuracy = ExponentialAccuracy(error: 0.03876, roundings: 4)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z) { C.fusedMultiplyAdd(C(rounding: 0.922497093677520751953125), $0, .one) }
  }
}

/// The same of degree 2: off by 0.21 %.
public enum Polynomial2: ExponentialMethod {
  public static let name = "poly2"
  public static let summary = "2^fraction as a polynomial of degree 2"
  public static let accuracy = ExponentialAccuracy(error: 0.002076, roundings: 6)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z) {
      let p = C.fusedMultiplyAdd(
        C(rounding: 0.330107033252716064453125), $0, C(rounding: 0.6657850742340087890625))
      return C.fusedMultiplyAdd(p, $0, .one)
    }
  }
}

/// The same of degree 3, which FlashAttention-4 takes for a share of its exponentials: off by 8.8e-5, in f32 1429 ulp just below a
/// power of two.
public enum Polynomial3: ExponentialMethod {
  public static let name = "poly3"
  public static let summary = "2^fraction as a polynomial of degree 3 (FlashAttention-4)"
  public static let accuracy = ExponentialAccuracy(error: 8.764e-5, roundings: 8)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z) {
      var p = C.fusedMultiplyAdd(
        C(rounding: 0.077119089663028717041015625), $0, C(rounding: 0.227564394474029541015625))
      p = C.fusedMultiplyAdd(p, $0, C(rounding: 0.695146143436431884765625))
      return C.fusedMultiplyAdd(p, $0, .one)
    }
  }
}

/// Eight chords of 2^f: off by 0.094 %.
public enum Piecewise: ExponentialMethod {
  public static let name = "piecewise"
  public static let summary = "2^fraction by 8 chords"
  public static let accuracy = ExponentialAccuracy(error: 9.4e-4, roundings: 6)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z) { f in
      let place = f.exact * 8
      let k = Swift.min(place.rounded(.down), 7)
      let (a, b) = (Double.exp2(k / 8), Double.exp2((k + 1) / 8))
      return C.fusedMultiplyAdd(C(rounding: b - a), C(rounding: place - k), C(rounding: a))
    }
  }
}

/// The nearest of 64 powers: off by 0.54 %.
public enum PowerTable: ExponentialMethod {
  public static let name = "table"
  public static let summary = "2^fraction as the nearest of 64 entries"
  public static let accuracy = ExponentialAccuracy(error: 0.005431, roundings: 2)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z) { C(rounding: Double.exp2(($0.exact * 64).rounded() / 64)) }
  }
}

/// The bits of t·2^p/log 2 taken for a number: 2^n(1 + f) of z less a constant that centres the error (Schraudolph, "A fast, compact
/// approximation of the exponential function", Neural Computation 11(4), 1999): off by 3.9 %, at 0 too.
public enum Schraudolph: ExponentialMethod {
  public static let name = "schraudolph"
  public static let summary = "the bits of z - 0.058 taken for a number"
  public static let accuracy = ExponentialAccuracy(error: 0.0394, roundings: 2, isExactAtZero: false)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    C.split(z - C(rounding: 0x1p-20 * 60801)) { C.one + $0 }
  }
}

/// 2^z to 8 bits, as a short unit gives it: off by 0.39 %.
public enum FewBits: ExponentialMethod {
  public static let name = "ex2:8"
  public static let summary = "2^z rounded to 8 bits"
  public static let accuracy = ExponentialAccuracy(error: 0x1p-8, roundings: 0, usesLibrary: true)
  @inlinable
  public static func power<C: Scalar>(_ z: C) -> C {
    let y = C.exp2(z).exact
    if !(y > 0 && y < .infinity) { return C(rounding: y) }
    let short = (y.significand * 128).rounded(.toNearestOrEven) / 128
    return C(rounding: Double(sign: .plus, exponent: Int(y.exponent), significand: short))
  }
}

/// log₂ e of 11 bits, as from an f16 constant cut off: off by 2.2e-4 of every exponent.
public enum TruncatedTo11: ExponentialMethod {
  public static let name = "log2e:11"
  public static let summary = "2^z with log2(e) cut to 11 bits"
  public static let accuracy = ExponentialAccuracy(
    error: 0, roundings: 0, constant: 2.17e-4, usesLibrary: true)
  @inlinable public static var log2e: Double { 1477 / 1024 }
  @inlinable public static func power<C: Scalar>(_ z: C) -> C { C.exp2(z) }
}

/// log₂ e of 8 bits, as from a bf16 constant cut off: off by 0.36 % of every exponent.
public enum TruncatedTo8: ExponentialMethod {
  public static let name = "log2e:8"
  public static let summary = "2^z with log2(e) cut to 8 bits"
  public static let accuracy = ExponentialAccuracy(
    error: 0, roundings: 0, constant: 3.61e-3, usesLibrary: true)
  @inlinable public static var log2e: Double { 184 / 128 }
  @inlinable public static func power<C: Scalar>(_ z: C) -> C { C.exp2(z) }
}
