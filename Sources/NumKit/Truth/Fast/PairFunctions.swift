import CMPFR
import CProof
import RealModule

/// Exponential and logarithm as pairs.
enum PairFunctions {
  /// 2^(j/1024) for j = 0 … 1023 as pairs, by MPFR: high rounded to nearest, low the rest rounded to nearest.
  nonisolated(unsafe) static let table: UnsafeMutableBufferPointer<Double> = {
    let table = UnsafeMutableBufferPointer<Double>.allocate(capacity: 2048)
    withUnsafeTemporaryAllocation(of: __mpfr_struct.self, capacity: 1) { x in
      guard let p = x.baseAddress else { return }
      mpfr_init2(p, 160)
      for j in 0..<1024 {
        mpfr_set_d(p, Double(j) / 1024, MPFR_RNDN)
        mpfr_exp2(p, p, MPFR_RNDN)
        table[2 * j] = mpfr_get_d(p, MPFR_RNDN)
        mpfr_sub_d(p, p, table[2 * j], MPFR_RNDN)
        table[2 * j + 1] = mpfr_get_d(p, MPFR_RNDN)
      }
      mpfr_clear(p)
    }
    return table
  }()

  /// e^d = (high + low)·2^exponent for |d| ≤ 2^29: relative error at most `CertifiedBounds.exponential2(of: d)`.
  static func exp(_ d: Pair) -> (Pair, exponent: Int) {
    var result = Pair(0)
    var k = 0.0
    var dh = d.high
    var dl = d.low
    nc_exponentials2(&dh, &dl, table.baseAddress, &result.high, &result.low, &k, 1)
    return (result, Int(k))
  }

  /// log s for 2^−900 ≤ s ≤ 2^900, with an absolute error of at most `CertifiedBounds.logarithm`; nil if the first guess, which nothing
  /// is assumed of, was no good.
  ///
  /// log s = a + log(s e^−a) for any a; the second logarithm is of a number near 1.
  static func log(_ s: Pair) -> Pair? {
    guard s.high > 0x1p-900, s.high < 0x1p900 else { return nil }
    let a = Double.log(s.high)
    let (e, k) = exp(Pair(-a))
    let scaled = Pair(
      Double(sign: .plus, exponent: k, significand: e.high),
      Double(sign: .plus, exponent: k, significand: e.low))
    let t = s * scaled + Pair(-1)
    guard t.high.magnitude < 0x1p-40 else { return nil }
    // log(1 + t) = t − t²/2 + t³/3 − …; the third is below 2^−121.
    let square = t.high * t.high
    return Pair(a) + (t + Pair(-0.5 * square))
  }
}

extension PairFunctions {
  /// log(1 + r) for 0 < r < 2^−19, with a relative error of at most 2^−99: the series to r⁶, whose rest is below
  /// r⁶/7 ≤ 2^−116 of it.
  static func logOnePlus(small r: Pair) -> Pair {
    let x = r.high
    // Weighs at most 2^−59 of the result, so that plain Double errs by 2^−110 of it.
    let tail = x * (1 / 4.0 - x * (1 / 5.0 - x / 6))
    let cubic = Pair(1) / Pair(3) + Pair(-tail)
    return r * (Pair(1) + -(r * (Pair(0.5) + -(r * cubic))))
  }
}

/// Tier 2's exponential of dh + dl, for tests to attack.
package func certifiedExponentialPair(_ dh: Double, _ dl: Double) -> (
  value: (high: Double, low: Double), exponent: Int
) {
  let (e, k) = PairFunctions.exp(Pair(dh, dl))
  return ((e.high, e.low), k)
}

/// 2^(j/1024) as tiers 1 and 2 have it, for tests to attack.
package func certifiedTablePair(_ j: Int) -> (high: Double, low: Double) {
  (PairFunctions.table[2 * j], PairFunctions.table[2 * j + 1])
}

/// The logarithm of high + low, for tests to attack.
package func certifiedLogarithm(_ high: Double, _ low: Double) -> (high: Double, low: Double)? {
  PairFunctions.log(Pair(high, low)).map { ($0.high, $0.low) }
}
