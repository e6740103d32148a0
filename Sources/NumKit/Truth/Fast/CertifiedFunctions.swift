/// Elementary functions of one Double to a relative 2^−75, from the pairs of tiers 2: what the platform's are held against.
package enum CertifiedFunctions {
  /// (high + low)·2^exponent.
  package struct Value: Sendable {
    package var high: Double
    package var low: Double
    package var exponent = 0

    init(_ p: Pair, exponent: Int = 0) {
      (high, low) = (p.high, p.low)
      self.exponent = exponent
    }
  }

  private static let ln2 = Pair(0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56)

  /// e^x for |x| ≤ 2^20.
  package static func exp(_ x: Double) -> Value {
    let (e, k) = PairFunctions.exp(Pair(x))
    return Value(e, exponent: k)
  }

  /// 2^x for |x| ≤ 2^20.
  package static func exp2(_ x: Double) -> Value {
    let n = x.rounded()
    let (e, k) = PairFunctions.exp(Pair(x - n) * ln2)
    return Value(e, exponent: k + Int(n))
  }

  /// log x for a normal x > 0.
  package static func log(_ x: Double) -> Value? {
    if (x - 1).magnitude < 0x1p-20 { return Value(logNearOne(x - 1)) }
    if x.exponent.magnitude < 800 { return PairFunctions.log(Pair(x)).map { Value($0) } }
    let power = Double(x.exponent)
    return PairFunctions.log(Pair(x.significand)).map { Value($0 + ln2 * Pair(power)) }
  }

  /// log(1 + x) for x > −½.
  package static func log1p(_ x: Double) -> Value? {
    if x.magnitude < 0x1p-20 { return Value(logNearOne(x)) }
    if x > 0x1p700 { return log(x) }
    return PairFunctions.log(Pair(sum: 1, x)).map { Value($0) }
  }

  /// tanh x: (1 − e^−2x)/(1 + e^−2x), or the series to x⁷.
  package static func tanh(_ x: Double) -> Value {
    let size = x.magnitude
    var y: Pair
    if size < 0x1p-400 {
      y = Pair(size)
    } else if size < 0x1p-10 {
      let s = Pair(product: size, size)
      let tail = s.high * s.high * (2 / 15.0 - s.high * (17 / 315.0))
      y = Pair(size) * (Pair(1) + (-(s / Pair(3)) + Pair(tail)))
    } else if size < 50 {
      let (e, k) = PairFunctions.exp(Pair(-2 * size))
      let power = Double(sign: .plus, exponent: k, significand: 1)
      let t = Pair(e.high * power, e.low * power)
      y = (Pair(1) + -t) / (Pair(1) + t)
    } else {
      y = Pair(1)
    }
    return Value(x < 0 ? -y : y)
  }

  /// log(1 + t) for |t| < 2^−20: for t < 0 it is −log(1 + r), r = −t/(1 + t).
  private static func logNearOne(_ t: Double) -> Pair {
    if t == 0 || t.magnitude < 0x1p-400 { return Pair(t) }
    if t > 0 { return PairFunctions.logOnePlus(small: Pair(t)) }
    return -PairFunctions.logOnePlus(small: Pair(-t) / Pair(sum: 1, t))
  }
}
