import NumKitNumbers
import NumKitTruth
import RealModule

/// How far computed probabilities are from a distribution, and from the true one.
public struct DistributionStatistics: Sendable {
  /// The largest |Σp − 1| over rows.
  public private(set) var maxSumError = 0.0
  /// The largest divergence KL(truth ‖ computed) of a row, in nats.
  public private(set) var maxDivergence = 0.0
  /// Rows whose largest true probability is not among the largest computed ones.
  public private(set) var topFlips = 0
  /// Rows counted: finite ones.
  public private(set) var rows = 0
  private var divergence = ExactSum()

  /// No rows.
  public init() {}

  /// The mean divergence of a row, in nats.
  public var meanDivergence: Double { rows == 0 ? 0 : divergence.value / Double(rows) }

  /// Adds a row; rows that are not finite in either are left out.
  ///
  /// The divergence is Σ t log(t/y) − t + y, which is KL for distributions and stays ≥ 0 when Σy ≠ 1; a lost
  /// probability (y = 0 though t is not too small for the format) makes it ∞, one too small for the format does not count.
  public mutating func add(computed: UnsafeBufferPointer<Double>, truth: Truth) {
    add(computed: computed, truth: truth, flat: FlatTruth(truth))
  }

  /// The same, with the truth in Double at hand.
  public mutating func add(computed: UnsafeBufferPointer<Double>, truth: Truth, flat: FlatTruth) {
    var total = 0.0
    var row = 0.0
    var top = 0
    var largest = -Double.infinity
    for i in computed.indices {
      let y = computed[i]
      let t = truth.rounded[i]
      guard y.isFinite, t.isFinite else { return }
      let exact = flat.value[i]
      total += y
      if truth.high[i] > largest && truth.exponent[i] == 0 {
        largest = truth.high[i]
        top = i
      }
      if y > 0 && exact > 0 {
        row += Self.term(t: exact, y: y)
      } else if y > 0 {
        row += y
      } else if t > 0 {
        row = .infinity
      }
    }
    rows += 1
    maxSumError = Swift.max(maxSumError, (total - 1).magnitude)
    maxDivergence = Swift.max(maxDivergence, row)
    divergence.add(row)
    let winner = computed[top]
    if computed.contains(where: { $0 > winner }) { topFlips += 1 }
  }

  /// t log(t/y) − t + y = t (r − log(1 + r)) with r = (y − t)/t, by its series where r is small.
  private static func term(t: Double, y: Double) -> Double {
    let r = (y - t) / t
    if r.magnitude < 1e-3 { return t * r * r * (0.5 - r * (1.0 / 3 - r * (0.25 - r * 0.2))) }
    return t * (r - Double.log(onePlus: r))
  }

  /// Adds other rows.
  public mutating func merge(_ other: DistributionStatistics) {
    maxSumError = Swift.max(maxSumError, other.maxSumError)
    maxDivergence = Swift.max(maxDivergence, other.maxDivergence)
    topFlips += other.topFlips
    rows += other.rows
    divergence.merge(other.divergence)
  }
}

extension DistributionStatistics: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(&maxSumError)
    try c.carry(&maxDivergence)
    try c.carry(count: &topFlips)
    try c.carry(count: &rows)
    try c.carry(&divergence)
  }
}
