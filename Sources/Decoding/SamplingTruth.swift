import NumKit

/// Which tokens a rule keeps of exact logits, proven.
public struct SamplingTruth: Sendable {
  /// Tokens in order: the larger logit first, of equal ones the smaller index, or the larger one where the chain says so.
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

  /// How many tokens are finite, and how many are left after top-k.
  let (finite, leftByTopK): (Int, Int)

  /// Decides; every comparison is proven. nil for logits that are not finite or −∞, or all −∞.
  ///
  /// Where the sum of Doubles is too near to p, the sign of Σ e^x of the kept less p Σ e^x of all is that of a weighted sum, which is
  /// proven (`SumReference.weightedSums`). They are equal only among equal logits (Lindemann, Weierstrass).
  public init?(_ logits: [Double], _ rule: SamplingRule) { self.init(logits, SamplingChain(rule)) }

  /// The same of cuts as somebody else makes them.
  init?(_ logits: [Double], _ chain: SamplingChain) {
    guard Self.hasAnswer(logits) else { return nil }
    let rule = chain.rule
    order = ordered(logits, tiesLast: chain.tiesLast)
    var truth = Truth()
    logits.withUnsafeBufferPointer {
      Reference(.softmax, format: .f64).answer(
        $0, parameters: OperationParameters(temperature: rule.temperature), into: &truth)
    }
    probabilities = truth.rounded
    // −∞ is never drawn.
    let finite = logits.count { $0.isFinite }
    let sorted = order.prefix(finite).map { logits[$0] }
    var parameters = OperationParameters()
    var (count, leftByTopK) = (finite, finite)
    var margin: Double?
    for step in chain.steps {
      switch step {
      case .temperature: parameters.temperature = rule.temperature
      case .topK:
        if let k = rule.topK { count = Swift.min(count, chain.reach(of: k, sorted)) }
        leftByTopK = count
      case .topP:
        guard let p = rule.topP else { continue }
        let cut = Cut(Array(sorted.prefix(count)), parameters)
        count = Swift.min(count, cut.count(chain.edge, p))
        let over = cut.share(count) - p
        margin = Swift.min(over, count > 1 ? p - cut.share(count - 1) : .infinity)
      case .minP:
        guard let m = rule.minP else { continue }
        let whole = chain.isAbsolute ? sorted.prefix(count) : sorted.prefix(1)
        count = Swift.max(1, Self.count(sorted.prefix(count), above: m, of: Array(whole), parameters))
      }
    }
    kept = count
    self.margin = margin
    (self.finite, self.leftByTopK) = (finite, leftByTopK)
  }

  /// Whether some tokens of a row can be drawn.
  static func hasAnswer(_ logits: [Double]) -> Bool {
    logits.contains(where: \.isFinite) && logits.allSatisfy { $0.isFinite || $0 == -.infinity }
  }

  /// How many of the sorted logits have at least `m` times what `whole` has: pᵢ − m Σ p is a weighted sum of 1 and −m, whose sign is
  /// proven.
  private static func count(
    _ sorted: ArraySlice<Double>, above m: Double, of whole: [Double], _ parameters: OperationParameters
  ) -> Int {
    let reference = SumReference(format: .f64)
    var truth = Truth()
    let values = Array(repeating: -m, count: whole.count) + [1]
    return sorted.prefix { x in
      (whole + [x]).withUnsafeBufferPointer { logits in
        values.withUnsafeBufferPointer {
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
  func share(_ count: Int) -> Double {
    count == 0 ? 0 : count == logits.count ? 1 : proven(count, 0).rounded[0]
  }

  /// How many are kept of these.
  func count(_ edge: SamplingChain.Edge, _ p: Double) -> Int {
    let n = logits.count
    switch edge {
    case .reaching: return first(p) { $0 >= 0 } ?? n
    case .beyond: return first(p) { $0 > 0 } ?? n
    case .within: return Swift.max(1, (first(p) { $0 > 0 } ?? n + 1) - 1)
    case .oneMore: return Swift.min(n, (first(p) { $0 >= 0 } ?? n) + 1)
    }
  }

  /// The least count of whose share less p this holds.
  private func first(_ p: Double, _ holds: (Double) -> Bool) -> Int? {
    // Estimates are off by less than (n + 1) 2⁻⁵³.
    let slack = Double(logits.count + 2) * 0x1p-52
    let start = (estimates.firstIndex { $0 >= p - slack } ?? logits.count - 1) + 1
    return (start...logits.count).first { holds(excess($0, p)) }
  }

  /// A number of the sign of the share of the first `count` less p.
  private func excess(_ count: Int, _ p: Double) -> Double {
    if count == logits.count { return 1 - p }
    let estimate = estimates[count - 1] - p
    let slack = Double(logits.count + 2) * 0x1p-52
    return estimate.magnitude > slack ? estimate : proven(count, p).high[0]
  }

  /// Σ e^x of the first less p Σ e^x of all, relative to the latter: each of the first stands there with 1 − p, which is not always a
  /// Double, so they stand there twice. Its sign is proven, however near it is to 0, which it is only among equal logits.
  private func proven(_ count: Int, _ p: Double) -> Truth {
    let isPlain = p == 0
    let terms = isPlain ? logits : Array(logits.prefix(count)) + logits
    let values =
      isPlain
      ? logits.indices.map { $0 < count ? 1.0 : 0 }
      : Array(repeating: 1.0, count: count) + Array(repeating: -p, count: logits.count)
    var truth = Truth()
    terms.withUnsafeBufferPointer { l in
      values.withUnsafeBufferPointer {
        SumReference(format: .f64).weightedSums(l, values: $0, parameters: parameters, into: &truth)
      }
    }
    return truth
  }
}
