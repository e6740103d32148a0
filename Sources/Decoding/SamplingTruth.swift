import NumKit

/// Which tokens a rule keeps of exact logits, proven.
public struct SamplingTruth: Sendable {
  /// Tokens in order: the larger logit first, of equal ones the smaller index.
  public let order: [Int]
  /// How many of them are kept.
  public let kept: Int
  /// How much of top-p's sum lies beyond p with the last kept token, and is short of it without: the smaller says how near the cut
  /// came to another. nil without top-p.
  public let margin: Double?
  /// Probabilities of all tokens at the temperature, in Double, before any cut.
  public let probabilities: [Double]

  /// The tokens that are kept.
  public var tokens: Set<Int> { Set(order.prefix(kept)) }

  /// Decides; every comparison is proven. nil for logits that are not finite or −∞, or all −∞.
  ///
  /// Where the sum of Doubles is too near to p, the sign of Σ e^x of the kept less p Σ e^x of all is that of a weighted sum, which is
  /// proven (`SumReference.weightedSums`). They are equal only among equal logits (Lindemann, Weierstrass).
  public init?(_ logits: [Double], _ rule: SamplingRule) {
    guard logits.contains(where: \.isFinite), logits.allSatisfy({ $0.isFinite || $0 == -.infinity }) else {
      return nil
    }
    order = ordered(logits)
    let parameters = OperationParameters(temperature: rule.temperature)
    var truth = Truth()
    logits.withUnsafeBufferPointer {
      Reference(.softmax, format: .f64).answer($0, parameters: parameters, into: &truth)
    }
    probabilities = truth.rounded
    // −∞ is never drawn.
    var count = Swift.min(rule.topK ?? .max, logits.count { $0.isFinite })
    let sorted = order.map { logits[$0] }
    var margin: Double?
    if let p = rule.topP {
      let cut = Cut(Array(sorted.prefix(count)), parameters)
      count = cut.first(reaching: p)
      let over = cut.share(count) - p
      let short = count > 1 ? p - cut.share(count - 1) : .infinity
      margin = Swift.min(over, short)
    }
    if let m = rule.minP { count = Self.count(sorted.prefix(count), above: m, parameters) }
    kept = count
    self.margin = margin
  }

  /// How many of the sorted logits have at least `m` times the first's probability p₀: p − m p₀ is a weighted sum of 1 and −m, whose
  /// sign is proven.
  private static func count(_ sorted: ArraySlice<Double>, above m: Double, _ parameters: OperationParameters)
    -> Int
  {
    guard let first = sorted.first else { return 0 }
    let reference = SumReference(format: .f64)
    var truth = Truth()
    return sorted.prefix { x in
      [first, x].withUnsafeBufferPointer { logits in
        [-m, 1].withUnsafeBufferPointer {
          reference.weightedSums(logits, values: $0, parameters: parameters, into: &truth)
        }
      }
      return truth.high[0] >= 0
    }.count
  }
}

/// Sums over the first tokens of a sorted row.
private struct Cut {
  private let logits: [Double]
  private let parameters: OperationParameters
  private let estimates: [Double]

  init(_ logits: [Double], _ parameters: OperationParameters) {
    self.logits = logits
    self.parameters = parameters
    var truth = Truth()
    logits.withUnsafeBufferPointer {
      Reference(.softmax, format: .f64).answer($0, parameters: parameters, into: &truth)
    }
    var sum = 0.0
    estimates = truth.rounded.map {
      sum += $0
      return sum
    }
  }

  /// The share of the first `count`, in Double.
  func share(_ count: Int) -> Double { count == 0 ? 0 : count == logits.count ? 1 : proven(count).rounded[0] }

  /// The least count whose share is at least p.
  func first(reaching p: Double) -> Int {
    // Estimates are off by less than (n + 1) 2⁻⁵³.
    let slack = Double(logits.count + 2) * 0x1p-52
    var low = (estimates.firstIndex { $0 >= p - slack } ?? logits.count - 1) + 1
    while low < logits.count && !reaches(low, p) { low += 1 }
    return low
  }

  private func reaches(_ count: Int, _ p: Double) -> Bool {
    let estimate = estimates[count - 1]
    let slack = Double(logits.count + 2) * 0x1p-52
    if estimate > p + slack { return true }
    if estimate < p - slack { return false }
    // Σ e^x of the first less p Σ e^x of all: each of the first stands there twice, with the values 1 and −p. Its sign is proven, however
    // near it is to 0, which it is only among equal logits.
    let terms = Array(logits.prefix(count)) + logits
    let values = Array(repeating: 1.0, count: count) + Array(repeating: -p, count: logits.count)
    var truth = Truth()
    terms.withUnsafeBufferPointer { l in
      values.withUnsafeBufferPointer {
        SumReference(format: .f64).weightedSums(l, values: $0, parameters: parameters, into: &truth)
      }
    }
    return truth.high[0] >= 0
  }

  private func proven(_ count: Int) -> Truth {
    let values = logits.indices.map { $0 < count ? 1.0 : 0 }
    var truth = Truth()
    logits.withUnsafeBufferPointer { l in
      values.withUnsafeBufferPointer {
        SumReference(format: .f64).weightedSums(l, values: $0, parameters: parameters, into: &truth)
      }
    }
    return truth
  }
}
