import RealModule

/// How often something happens that happened `hits` times of `trials`.
public struct Rate: Sendable, Hashable {
  /// How often it happened.
  public let hits: Int
  /// Of how many.
  public let trials: Int

  /// hits ≤ trials.
  public init(_ hits: Int, of trials: Int) {
    self.hits = hits
    self.trials = trials
  }

  /// The share seen.
  public var share: Double { trials == 0 ? .nan : Double(hits) / Double(trials) }

  /// Between which shares the true one lies, with 95 % confidence (Clopper, Pearson, Biometrika 26(4), 1934).
  public var interval: (low: Double, high: Double) {
    guard trials > 0 else { return (0, 1) }
    // P(X ≥ hits) falls from 1 to 0 as the share falls.
    let low = hits == 0 ? 0 : Self.solve { 1 - Self.cumulative(hits - 1, trials, $0) - 0.025 }
    let high = hits == trials ? 1 : Self.solve { 0.025 - Self.cumulative(hits, trials, $0) }
    return (low, high)
  }

  /// Where a rising function crosses 0 between 0 and 1.
  private static func solve(_ f: (Double) -> Double) -> Double {
    var (a, b) = (0.0, 1.0)
    for _ in 0..<200 {
      let m = (a + b) / 2
      if f(m) < 0 { a = m } else { b = m }
    }
    return (a + b) / 2
  }

  /// P(X ≤ k) for X binomial.
  private static func cumulative(_ k: Int, _ n: Int, _ p: Double) -> Double {
    if p <= 0 { return 1 }
    if p >= 1 { return k >= n ? 1 : 0 }
    var sum = 0.0
    let (a, b) = (Double.log(p), Double.log(onePlus: -p))
    let whole = Double.logGamma(Double(n + 1))
    for i in 0...k {
      let term =
        whole - Double.logGamma(Double(i + 1)) - Double.logGamma(Double(n - i + 1)) + Double(i) * a
        + Double(n - i) * b
      sum += Double.exp(term)
    }
    return Swift.min(sum, 1)
  }
}
