import RealModule

/// What bounds and conditioning need to know of a row, in Double: its exponents z = x/τ, their softmax and LSE, to within
/// a relative 2^−40.
public struct RowProfile: Sendable {
  /// The logits.
  package private(set) var x: [Double] = []
  /// x/τ.
  public private(set) var z: [Double] = []
  /// softmax(z).
  public private(set) var probabilities: [Double] = []
  /// max z.
  public private(set) var maximum = Double.nan
  /// min z, −∞ left out.
  public private(set) var minimum = Double.nan
  /// Σ e^(z − max z).
  public private(set) var sum = Double.nan
  /// Whether some element is −∞.
  package private(set) var hasMinusInfinity = false
  /// The first place where the largest element stands.
  package private(set) var argmax = 0
  /// Whether every element is finite or −∞, one at least is finite, and 0 < τ < ∞.
  public private(set) var isRegular = false

  /// Whether the row has no answer in the reals: a NaN, +∞, or nothing but −∞.
  public private(set) var isUnanswerable = false

  /// log Σ e^z.
  public var logSumExp: Double { maximum + Double.log(sum) }

  /// Nothing; storage is kept from row to row.
  public init() {}

  /// Looks at another row.
  public mutating func update(_ x: UnsafeBufferPointer<Double>, temperature: Double) {
    self.x.removeAll(keepingCapacity: true)
    self.x.append(contentsOf: x)
    if z.count != x.count {
      z = Array(repeating: 0, count: x.count)
      probabilities = z
    }
    maximum = -.infinity
    minimum = .infinity
    hasMinusInfinity = false
    argmax = 0
    var highest = -Double.infinity
    isUnanswerable = false
    isRegular = temperature > 0 && temperature < .infinity
    for i in x.indices {
      let v = x[i] / temperature
      highest = Swift.max(highest, x[i])
      if x[i].isNaN { isUnanswerable = true }
      z[i] = v
      if v.isNaN || v.isInfinite && x[i] != -.infinity { isRegular = false }
      maximum = Swift.max(maximum, v)
      if x[i] > x[argmax] { argmax = i }
      if v > -.infinity { minimum = Swift.min(minimum, v) } else { hasMinusInfinity = true }
    }
    isRegular = isRegular && maximum.isFinite
    isUnanswerable = isUnanswerable || highest.isInfinite
    guard isRegular else { return }
    sum = 0
    for i in z.indices {
      probabilities[i] = Double.exp(z[i] - maximum)
      sum += probabilities[i]
    }
    for i in z.indices { probabilities[i] /= sum }
  }

  /// The condition number of `operation` at this row: how much a relative change of every logit can change the answer,
  /// relative to its largest entry; NaN for an irregular row.
  ///
  /// From ∂pᵢ/∂zⱼ = pᵢ(δᵢⱼ − pⱼ): an entry of log p changes by at most |zᵢ|(1 − pᵢ) + Σ_{j≠i} pⱼ|zⱼ| per unit of
  /// relative change.
  public func conditioning(_ operation: RowOperation, target: Int) -> Double {
    guard isRegular else { return .nan }
    if operation == .sigmoid {
      return z.reduce(0) { Swift.max($0, $1.isFinite ? $1.magnitude / (1 + Double.exp($1)) : 0) }
    }
    let weighted = zip(probabilities, z).reduce(0.0) { $0 + ($1.0 > 0 ? $1.0 * $1.1.magnitude : 0) }
    func sensitivity(_ i: Int) -> Double {
      z[i].isFinite ? z[i].magnitude * (1 - 2 * probabilities[i]) + weighted : 0
    }
    switch operation {
    case .logSumExp:
      return weighted / logSumExp.magnitude
    case .crossEntropy:
      return sensitivity(target) / (logSumExp - z[target]).magnitude
    case .logSoftmax:
      let change = z.indices.reduce(0.0) { Swift.max($0, sensitivity($1)) }
      return change / Swift.max((minimum - logSumExp).magnitude, (maximum - logSumExp).magnitude)
    default:
      let change = z.indices.reduce(0.0) { Swift.max($0, probabilities[$1] * sensitivity($1)) }
      return change * sum
    }
  }
}
