import NumKitNumbers
import NumKitTruth
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The functions of the platform that kernels in f32 and f64 call. In every other format they are correctly rounded.
package enum LibraryFunction: String, CaseIterable, Sendable {
  case exp, exp2, log, log1p, tanh

  /// The platform's.
  package func value<S: Scalar>(_ x: S) -> S {
    switch self {
    case .exp: return S.exp(x)
    case .exp2: return S.exp2(x)
    case .log: return S.log(x)
    case .log1p: return S.log1p(x)
    case .tanh: return S.tanh(x)
    }
  }

  fileprivate func exact(_ x: Double) -> CertifiedFunctions.Value? {
    switch self {
    case .exp: return CertifiedFunctions.exp(x)
    case .exp2: return CertifiedFunctions.exp2(x)
    case .log: return CertifiedFunctions.log(x)
    case .log1p: return CertifiedFunctions.log1p(x)
    case .tanh: return CertifiedFunctions.tanh(x)
    }
  }

  /// The error in ulps that bounds allow: what glibc 2.36 is seen to do (0.51, 0.51, 0.82, 0.77 and 2.11 of 10⁶ arguments),
  /// rounded up with room.
  fileprivate var allowance: Double {
    switch self {
    case .exp, .exp2, .log: return 1
    case .log1p: return 2
    case .tanh: return 3
    }
  }
}

/// How far the platform's functions are from the exact ones in one format: measured once a process on some hundred arguments
/// against certified values, which takes a millisecond. No measurement is a proof; that is why bounds name it.
package struct LibraryAccuracy: Sendable {
  /// The largest error seen, in ulps; NaN where a finite result was not finite.
  package let seen: [LibraryFunction: Double]

  /// From here on a function is no approximation that a bound could speak of.
  private static let hopeless = 1024.0

  /// The error in ulps that a bound takes: the usual allowance; where more was seen twice that, for a sample does not find
  /// the worst; ∞, and so no sound bound, where the function is no approximation.
  package func ulps(_ function: LibraryFunction) -> Double {
    let worst = seen[function] ?? .infinity
    if worst <= function.allowance { return function.allowance }
    return worst < Self.hopeless ? 2 * worst : .infinity
  }

  /// The functions that are worse than bounds usually allow.
  package var excesses: [LibraryFunction] {
    LibraryFunction.allCases.filter { ulps($0) > $0.allowance }
  }

  /// What a bound in `format` rests on: nil where the functions are correctly rounded.
  package static func of(_ format: NumberFormat) -> LibraryAccuracy? {
    if let standIn = standIns.withLock({ $0[thread] }) { return standIn(format) }
    return format == .f32 ? ofFloat : format == .f64 ? ofDouble : nil
  }

  package typealias StandIn = @Sendable (NumberFormat) -> LibraryAccuracy?

  /// Tests' platforms in place of this one, each on its own thread.
  private static let standIns = Mutex<[UInt: StandIn]>([:])
  #if canImport(Darwin)
    private static var thread: UInt { UInt(bitPattern: pthread_self()) }
  #else
    private static var thread: UInt { pthread_self() }
  #endif

  /// Runs `body` as on a test's platform.
  package static func with<T>(standIn: @escaping StandIn, _ body: () throws -> T) rethrows -> T {
    standIns.withLock { $0[thread] = standIn }
    defer { _ = standIns.withLock { $0.removeValue(forKey: thread) } }
    return try body()
  }

  private static let ofFloat = measure(Float.self)
  private static let ofDouble = measure(Double.self)

  /// Measures the platform's functions of `S`, or those given.
  package static func measure<S: Scalar>(
    _: S.Type, _ value: (LibraryFunction, S) -> S = { $0.value($1) }
  ) -> LibraryAccuracy {
    var seen: [LibraryFunction: Double] = [:]
    for function in LibraryFunction.allCases {
      var worst = 0.0
      for x in LibraryArguments.all(function, S.format) {
        let x = S(rounding: x)
        guard let exact = function.exact(x.exact), let error = ulps(value(function, x).exact, exact, S.format)
        else { continue }
        worst = error.isNaN || worst.isNaN ? .nan : Swift.max(worst, error)
      }
      seen[function] = worst
    }
    return LibraryAccuracy(seen: seen)
  }

  /// |y − exact| in ulps of the exact value; nil where that overflows.
  private static func ulps(_ y: Double, _ exact: CertifiedFunctions.Value, _ format: NumberFormat) -> Double?
  {
    let binade = Int(exact.high.exponent) + exact.exponent
    guard exact.high != 0, binade <= format.maxExponent else { return exact.high == y ? 0 : nil }
    guard y.isFinite else { return .nan }
    let unit = Swift.max(binade, format.minExponent) - format.significandBits
    func scaled(_ x: Double, _ exponent: Int) -> Double {
      Double(sign: .plus, exponent: exponent, significand: x)
    }
    let high = scaled(exact.high, exact.exponent - unit)
    return ((scaled(y, -unit) - high) - scaled(exact.low, exact.exponent - unit)).magnitude
  }
}
