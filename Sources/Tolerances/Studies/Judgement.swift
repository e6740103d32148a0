import NumKit

/// What one kernel's results come to under some rules, over all rows seen so far. The order of rows changes nothing.
public struct Judgement: Sendable {
  /// What one rule says.
  public struct Verdict: Sendable {
    /// The largest error as a multiple of what the rule allows: accepted up to 1. Infinite for a NaN or an infinity where there is
    /// none, and for any error where none is allowed.
    public fileprivate(set) var excess = 0.0
    /// Rows that a rule on elements would refuse by themselves.
    public fileprivate(set) var refusedRows = 0
    /// Where the largest stands: row and place; nil for rules on whole tensors.
    public fileprivate(set) var worst: (row: Int, index: Int)?
    /// Whether the rule accepts the results.
    public var accepts: Bool { excess <= 1 }
  }

  /// One for each rule, in their order.
  public private(set) var verdicts: [Verdict]
  /// The largest error in ulps of the format, beside the exact result.
  public private(set) var maxUlp = 0.0
  /// Whether any result is another than a right kernel's.
  public fileprivate(set) var differs = false
  private let limits: [ToleranceRule.Limit]
  private let format: NumberFormat
  private var sums = ErrorSums()
  /// The largest error of a plain kernel in the dtype.
  private var baseline = 0.0

  init(_ limits: [ToleranceRule.Limit], _ format: NumberFormat) {
    self.limits = limits
    self.format = format
    verdicts = limits.map { _ in Verdict() }
  }

  /// A row of results beside the exact ones, those rounded, a sound bound on each error (NaN where there is none) and a plain
  /// kernel's results.
  mutating func add(row: Int, _ y: [Double], _ truth: RowTruth) {
    var refused = [Bool](repeating: false, count: limits.count)
    for i in y.indices {
      let exact = truth.exact[i]
      let r = truth.rounded[i]
      let isWrong = y[i].isNaN != r.isNaN || y[i].isInfinite != r.isInfinite || (r.isInfinite && y[i] != r)
      if r.isFinite && !isWrong {
        maxUlp = Swift.max(maxUlp, (y[i] - exact).magnitude / format.ulp(of: exact))
        baseline = Swift.max(baseline, (truth.plain[i] - exact).magnitude)
      } else if isWrong {
        maxUlp = .infinity
      }
      for (k, limit) in limits.enumerated() {
        let excess: Double
        switch limit {
        case .close, .relative: excess = Self.ratio((y[i] - r).magnitude, limit.allowed(beside: r) ?? .nan)
        case .ulp(let n): excess = Self.ratio((y[i] - exact).magnitude, n * format.ulp(of: exact))
        case .bound: excess = Self.ratio((y[i] - exact).magnitude, truth.bounds[i])
        case .normalizedMeanSquare, .cosine, .baseline: excess = 0
        }
        let found = isWrong ? .infinity : r.isFinite ? excess : 0
        if found > 1 { refused[k] = true }
        verdicts[k].note(found, row, i)
      }
    }
    for k in limits.indices where refused[k] { verdicts[k].refusedRows += 1 }
    y.withUnsafeBufferPointer { sums.add($0, truth.truth) }
  }

  private static func ratio(_ error: Double, _ allowed: Double) -> Double {
    error == 0 ? 0 : allowed.isNaN ? 0 : allowed == 0 ? .infinity : error / allowed
  }

  mutating func merge(_ other: Judgement) {
    for k in verdicts.indices {
      let theirs = other.verdicts[k]
      verdicts[k].refusedRows += theirs.refusedRows
      if let w = theirs.worst { verdicts[k].note(theirs.excess, w.row, w.index) }
    }
    maxUlp = Swift.max(maxUlp, other.maxUlp)
    baseline = Swift.max(baseline, other.baseline)
    differs = differs || other.differs
    sums.merge(other.sums)
  }

  /// What rules on whole tensors say, once all rows are there.
  mutating func finish() {
    let isLost = sums.lostCount > 0 || maxUlp == .infinity
    for (k, limit) in limits.enumerated() {
      let excess: Double
      switch limit {
      case .normalizedMeanSquare(let allowed): excess = Self.ratio(sums.squaredError / sums.energy, allowed)
      // A vector of zeros has no direction.
      case .cosine(let allowed): excess = sums.cosine.isNaN ? .infinity : Self.ratio(1 - sums.cosine, allowed)
      case .baseline(let factor, let atol):
        excess = Self.ratio(sums.maxAbsoluteError, factor * baseline + atol)
      case .close, .relative, .ulp, .bound: continue
      }
      verdicts[k].excess = isLost ? .infinity : excess.isNaN ? .infinity : excess
    }
  }

  mutating func noteDifference() { differs = true }
}

extension Judgement.Verdict {
  fileprivate mutating func note(_ found: Double, _ row: Int, _ index: Int) {
    if let worst {
      guard found > excess || found == excess && (row, index) < (worst.row, worst.index) else { return }
    }
    excess = found
    worst = (row, index)
  }
}

/// What is known of one row.
struct RowTruth {
  var truth: Truth
  /// The exact results, in Double.
  var exact: [Double]
  /// Rounded correctly to the results' format.
  var rounded: [Double]
  /// A sound bound on each error of a right kernel of the plan; NaN where there is none.
  var bounds: [Double]
  /// The results of a plain kernel in the dtype.
  var plain: [Double]
}

extension ResultRow {
  /// What `model` allows the errors of this row's results to be; nil where it says nothing of the row.
  func bounds<Q: Question>(
    by model: inout (any ErrorModel<Q>)?, of item: Q.Item, _ profile: Q.Profile, exact: [Double]
  ) -> [Double]? {
    guard model != nil else { return nil }
    var bounds = [Double](repeating: .nan, count: exact.count)
    let worth = exact.withUnsafeBufferPointer { e in
      bounds.withUnsafeMutableBufferPointer { model?.bound(self, of: item, profile, exact: e, into: $0) }
    }
    return worth == .some(.none) ? nil : bounds
  }
}
