/// A number as an unevaluated sum high + low with |low| ≤ ulp(high)/2: a double-double.
struct Pair {
  var high: Double
  var low: Double

  init(_ high: Double, _ low: Double = 0) {
    self.high = high
    self.low = low
  }

  /// a + b, exactly (Knuth's TwoSum).
  init(sum a: Double, _ b: Double) {
    let s = a + b
    let z = s - a
    self.init(s, (a - (s - z)) + (b - z))
  }

  /// a·b, exactly but for underflow.
  init(product a: Double, _ b: Double) {
    let p = a * b
    self.init(p, (-p).addingProduct(a, b))
  }

  /// |high| ≥ |low| put in normal form.
  init(fast high: Double, _ low: Double) {
    let s = high + low
    self.init(s, low - (s - high))
  }

  /// Relative error at most 2^−103 where the signs agree; else at most 2^−104 (|a| + |b|) (Joldes, Muller, Popescu, "Tight
  /// and rigorous error bounds for basic building blocks of double-word arithmetic", ACM TOMS 44(2), 2017, algorithm 6).
  static func + (a: Pair, b: Pair) -> Pair {
    let s = Pair(sum: a.high, b.high)
    let t = Pair(sum: a.low, b.low)
    let u = Pair(fast: s.high, s.low + t.high)
    return Pair(fast: u.high, t.low + u.low)
  }

  static prefix func - (a: Pair) -> Pair { Pair(-a.high, -a.low) }

  /// Relative error at most 2^−103 (the same, algorithm 12).
  static func * (a: Pair, b: Pair) -> Pair {
    let p = Pair(product: a.high, b.high)
    return Pair(fast: p.high, p.low + (a.high * b.low).addingProduct(a.low, b.high))
  }

  /// Relative error at most 2^−102 (the same, algorithm 18 with a margin).
  static func / (a: Pair, b: Pair) -> Pair {
    let q = a.high / b.high
    let r = a + -(b * Pair(q))
    let q2 = r.high / b.high
    let r2 = r + -(b * Pair(q2))
    let q3 = r2.high / b.high
    let s = Pair(fast: q, q2)
    return Pair(fast: s.high, s.low + q3)
  }
}
