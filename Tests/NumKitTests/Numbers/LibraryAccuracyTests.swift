import CMPFR
import Foundation
import NumKit
import TestSupport
import Testing

/// How far the platform's functions of Float and Double are from the exact values: what the a-priori bounds lean on.
/// `NUMCHECK_SAMPLES=1000000 swift test -c release --filter LibraryAccuracyTests` measures more, and prints.
@Suite struct LibraryAccuracyTests {
  static let setting = ProcessInfo.processInfo.environment["NUMCHECK_SAMPLES"].flatMap { Int($0) }

  @Test(arguments: ElementaryFunction.allCases)
  func floatAndDoubleKeepWhatTheBoundsAssume(function: ElementaryFunction) {
    let (float, atFloat) = worst(function, Float.self)
    let (double, atDouble) = worst(function, Double.self)
    if Self.setting != nil {
      print("\(function) Float \(float) ulp at \(atFloat), Double \(double) ulp at \(atDouble)")
    }
    let limit: Double
    switch function {
    case .sqrt: limit = 0.5
    case .exp, .exp2, .log: limit = 1
    case .log1p: limit = 2
    case .tanh: limit = 3
    }
    #expect(float <= limit, "at \(atFloat)")
    #expect(double <= limit, "at \(atDouble)")
    // Nothing that rounds can be much better than half an ulp: the measure itself must see that.
    #expect(float > 0.49 && double > 0.49)
  }

  /// The largest |computed − exact| / ulp(exact), and where.
  private func worst<S: Scalar>(_ function: ElementaryFunction, _: S.Type) -> (ulps: Double, at: Double) {
    let x = ExactRounding.number(precision: 53)
    let exact = ExactRounding.number(precision: 120)
    let computed = ExactRounding.number(precision: 53)
    defer {
      for z in [x, exact, computed] {
        mpfr_clear(z)
        z.deallocate()
      }
    }
    var random = RandomBits(seed: 5)
    var worst = (ulps: 0.0, at: 0.0)
    for i in 0..<(Self.setting ?? 40_000) {
      let argument = S(rounding: Self.argument(function, i, S.format, &random))
      mpfr_set_d(x, argument.exact, MPFR_RNDN)
      _ = function.exact(exact, x, MPFR_RNDN)
      let nearest = mpfr_get_d(exact, MPFR_RNDZ)
      guard nearest.magnitude <= S.format.largestFinite, nearest.magnitude >= S.format.smallestNormal else {
        continue
      }
      mpfr_set_d(computed, function.value(argument).exact, MPFR_RNDN)
      mpfr_sub(exact, exact, computed, MPFR_RNDN)
      // Divided before it becomes a Double, of which half an ulp may be below the smallest.
      mpfr_set_d(x, S.format.ulp(of: nearest), MPFR_RNDN)
      mpfr_div(exact, exact, x, MPFR_RNDN)
      let ulps = abs(mpfr_get_d(exact, MPFR_RNDN))
      if ulps > worst.ulps || ulps.isNaN { worst = (ulps, argument.exact) }
    }
    return worst
  }

  /// Half of the arguments spread over the binades, half over where the function neither over- nor underflows.
  private static func argument(
    _ function: ElementaryFunction, _ i: Int, _ format: NumberFormat, _ random: inout RandomBits
  ) -> Double {
    let unit = Double(random.next() >> 11) * 0x1p-53
    let sign = random.next() & 1 == 0 ? 1.0 : -1
    let binade =
      (1 + unit) * .powerOfTwo(Int.random(in: format.minExponent...format.maxExponent, using: &random))
    let small = (1 + unit) * .powerOfTwo(Int.random(in: -format.precision - 2...0, using: &random)) * sign
    switch (function, i % 2) {
    case (.exp, 0): return (2 * unit - 1) * Double(format.maxExponent) * 0.6932
    case (.exp2, 0): return (2 * unit - 1) * Double(format.maxExponent + 1)
    case (.exp, _), (.exp2, _): return small
    case (.log, 0), (.sqrt, _): return binade
    case (.log, _): return 1 + small * 0.499
    case (.log1p, 0): return binade
    case (.log1p, _): return small * 0.499
    case (.tanh, 0): return (2 * unit - 1) * 20
    case (.tanh, _): return small
    }
  }
}
