import NumKitKernels
import NumKitQuestions
import RealModule

/// Bounds as the literature prints them, for comparison: each is an O(u) term whose O(u²) remainder is left out, so a
/// correct kernel may exceed it. `ErrorBounds` has the sound ones.
///
/// Blanchard, Higham, Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41(4),
/// 2021. n is the length, Δ = max x − min x, y = LSE(x), u the unit roundoff.
public enum PublishedBounds {
  /// How far a bound can be trusted.
  public enum Kind: String, Sendable {
    /// Holds for every row and every u.
    case sound
    /// Holds up to terms of order u².
    case firstOrder = "first-order"
    /// 1 or more: says nothing.
    case vacuous
  }

  /// A relative bound, componentwise for softmax, and what it is worth.
  public struct Bound: Sendable {
    /// Where it is printed.
    public let source: String
    /// The relative error that it allows.
    public let relative: Double
    /// Never `.sound` here.
    public var kind: Kind { relative < 1 ? .firstOrder : .vacuous }
  }

  /// The bound for `algorithm` summed one after the other, or nil where none was published.
  public static func bound(_ algorithm: Algorithm, _ row: RowProfile, u: Double) -> Bound? {
    guard row.isRegular, let arithmetic = algorithm.arithmetic, !arithmetic.isBase2 else { return nil }
    let n = Double(row.z.count)
    let y = row.logSumExp
    let spread = row.maximum - row.minimum
    let farthest = Swift.max((row.maximum - y).magnitude, (row.minimum - y).magnitude)
    switch (algorithm.operation, arithmetic.shift, arithmetic.ending) {
    case (.logSumExp, .none, .logarithmOfSum):
      return Bound(source: "theorem 3.2", relative: (1 + (n + 1) / y.magnitude) * u)
    case (.softmax, .none, .quotient):
      return Bound(source: "theorem 3.3", relative: (n + 3) * u)
    case (.logSumExp, .maximum, .logarithmOfOnePlus):
      return Bound(source: "theorem 4.2", relative: (y + n - row.minimum).magnitude / y.magnitude * u)
    case (.softmax, .maximum, .quotient):
      return Bound(source: "theorem 4.3", relative: (n + 2 + 2 * spread) * u)
    case (.softmax, .maximum, .exponentialOfDifference):
      return Bound(
        source: "theorem 4.4", relative: (1 + farthest + (y + n - row.minimum).magnitude) * u)
    default:
      return nil
    }
  }

  /// Theorem 4.2 with the rounding of the last addition, which the printed one omits:
  /// |y − ŷ| ≤ (|y| + log(1 + s) + s/(1 + s)·(n + Δ)) u, with s = Σ e^(xᵢ − max x) − 1.
  public static func mendedTheorem42(_ row: RowProfile, u: Double) -> Double {
    let s = row.sum - 1
    let n = Double(row.z.count)
    return (row.logSumExp.magnitude + Double.log(onePlus: s) + s / (1 + s) * (n + row.maximum - row.minimum))
      * u
  }
}
