import NumKit

/// Routing as a question about rows: a weight for each expert, 0 for those that are not kept.
package struct RoutingFormula: Formula {
  /// Who is kept.
  package var rule: RoutingRule
  /// Whether weights are shares of their sum, or the scores themselves.
  package var isNormalized: Bool
  /// Whether the bias counts in the weights too, which it must not.
  var weighsBias = false

  /// All that is asked.
  package init(_ rule: RoutingRule, isNormalized: Bool = true) {
    (self.rule, self.isNormalized) = (rule, isNormalized)
  }

  package var name: String { "routing" }
  package func check(length: Int) throws { try rule.check(experts: length) }

  package func stored(_ round: (Double) -> Double) -> RoutingFormula {
    var copy = self
    copy.rule.bias = rule.bias.map(round)
    return copy
  }
}

extension RoutingFormula: ProvenFormula {
  package typealias Enclosures = RoutingEnclosures
}

/// Who is kept is decided by `RoutingTruth`. Weights are quotients of sums of σ(x), or of e^x; of equal scores alone 1/k. That no other
/// is rational is not known of sigmoids (σ(x) + σ(−x) = 1): refining ends all the same, or says that it did not.
package final class RoutingEnclosures: FormulaEnclosures {
  package typealias F = RoutingFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = RoutingFormula(RoutingRule(.sigmoid, topK: 1))
  private var truth: RoutingTruth?
  private var kept: Set<Int> = []
  private let scores = EnclosureStorage()
  private let work = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: RoutingFormula) {
    (self.x, self.formula) = (x, formula)
    truth = RoutingTruth(Array(x), formula.rule)
    kept = Set(truth?.experts ?? [])
    // With a bias in them weights may have no sum to be shares of.
    if formula.weighsBias, let scores = truth?.scores,
      !(kept.reduce(0) { $0 + scores[$1] + formula.rule.bias($1) } > 0x1p-30)
    {
      truth = nil
    }
  }

  package func prepare(precision: Int) {
    guard truth != nil else { return }
    scores.reserve(x.count + 1, precision: precision)
    work.reserve(2, precision: precision)
    let total = scores[x.count]
    let largest = x.max() ?? 0
    total.set(0)
    for i in x.indices {
      let score = scores[i]
      switch formula.rule.scoring {
      case .softmax:
        work[0].setDifference(x[i], largest)
        score.setExponential(work[0])
      case .sigmoid:
        work[0].set(-x[i])
        work[1].setExponential(work[0])
        work[1].add(1)
        work[0].set(1)
        score.setQuotient(work[0], positive: work[1])
      }
      // Of a softmax all count where weights are its own; else those that are kept.
      if areExponentials || formula.isNormalized && kept.contains(i) { total.add(score) }
    }
    if formula.weighsBias { addBias() }
  }

  /// Whether scores are divided by the sum of all.
  private var areExponentials: Bool {
    formula.rule.scoring == .softmax && (formula.weighsBias || !formula.isNormalized)
  }

  /// Makes scores shares of all, adds the bias to each, and all that are kept.
  private func addBias() {
    let total = scores[x.count]
    for i in x.indices {
      if areExponentials {
        work[0].setQuotient(scores[i], positive: total)
        scores[i].set(work[0])
      }
      scores[i].add(formula.rule.bias(i))
    }
    total.set(0)
    for i in kept { total.add(scores[i]) }
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    guard truth != nil else { return .known(.nan) }
    guard kept.contains(i) else { return .known(0) }
    if formula.isNormalized, kept.allSatisfy({ x[$0] == x[i] && sameBias($0, i) }) {
      work[0].set(1)
      work[1].set(kept.count)
      result.setQuotient(work[0], positive: work[1])
      return .rational
    }
    if !formula.isNormalized, formula.rule.scoring == .sigmoid || formula.weighsBias {
      if x[i] == 0 && !formula.weighsBias { return .known(0.5) }
      result.set(scores[i])
      return .irrational
    }
    result.setQuotient(scores[i], positive: scores[x.count])
    return .irrational
  }

  private func sameBias(_ i: Int, _ j: Int) -> Bool {
    !formula.weighsBias || formula.rule.bias(i) == formula.rule.bias(j)
  }
}

extension RoutingFormula: ComputedFormula {
  /// There is one: a gate.
  package enum Method: Sendable, Hashable { case gate }

  package static let algorithms = [
    FormulaAlgorithm<RoutingFormula>(
      "gate", "scores, the bias added for the choice, the largest kept, their shares", .gate
    ) { formula, configuration in
      guard let algorithm = formula.scorer(configuration),
        let gate = RoutingGate(algorithm, configuration, formula.rule)
      else { return nil }
      return { _, x, results, _ in
        for (i, w) in gate.answer(Array(x)).weights.enumerated() { results[i] = w }
      }
    }
  ]

  /// The usual kernel of the scores.
  func scorer(_ configuration: KernelConfiguration) -> Algorithm? {
    Algorithm.all(for: rule.scoring.operation, dtype: configuration.storage).first {
      $0.description != "naive" && $0.variant == nil
    }
  }
}

/// What weights may be off by: of a row in which no expert can flip what their scores are, and their sum; of one in which some can,
/// whatever any choice makes of them.
private struct RoutingErrors: FormulaErrors {
  let formula: RoutingFormula
  let gate: RoutingGate
  let compute: NumberFormat
  let accumulator: NumberFormat

  mutating func bound(
    _ row: Int, _ x: [Double], exact: UnsafeBufferPointer<Double>,
    into bounds: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    guard let truth = RoutingTruth(x, formula.rule) else { return false }
    let margin = gate.margin(x, truth)
    guard margin.isFinite else { return false }
    let k = formula.rule.topK
    let half = margin / 2
    let biased = truth.scores.indices.map { truth.scores[$0] + formula.rule.bias($0) }
    let order = ordered(biased)
    let (last, next) = (biased[order[k - 1]], order.count > k ? biased[order[k]] : -.infinity)
    let slack = margin + 0x1p-48 * (1 + last.magnitude)
    let sure = order.filter { biased[$0] > next + slack }
    let open = order.filter { biased[$0] <= next + slack && biased[$0] >= last - slack }
    let values = formula.weighsBias ? biased : truth.scores
    let picks = k - sure.count
    let sizes = open.map { values[$0] }.sorted()
    let certain = sure.reduce(0) { $0 + values[$1] }
    let (least, most) = (
      certain + sizes.prefix(picks).reduce(0, +), certain + sizes.suffix(picks).reduce(0, +)
    )
    let count = Double(k)
    let rounding = (count + 6) * (compute.unitRoundoff + accumulator.unitRoundoff)
    guard least > count * half * 2 else { return false }
    for i in bounds.indices { bounds[i] = 0 }
    for (list, isOpen) in [(sure, false), (open, true)] {
      for i in list {
        var (low, high) = (values[i] - half, values[i] + half)
        if formula.isNormalized {
          low /= most + count * half
          high /= least - count * half
        }
        high *= 1 + 2 * rounding
        low *= 1 - 2 * rounding
        if isOpen { low = 0 }
        bounds[i] = Swift.max(high - exact[i], exact[i] - low) + 4 * compute.smallestPositive
      }
    }
    return true
  }
}

extension RoutingFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<RoutingFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    // Scores stay in what computes; weights alone are stored.
    var inner = configuration
    inner.storage = .float(configuration.compute)
    guard let scorer = scorer(inner), let gate = RoutingGate(scorer, inner, rule) else { return nil }
    return RoutingErrors(
      formula: self, gate: gate, compute: configuration.compute, accumulator: configuration.accumulator)
  }
}

extension RoutingFormula: SuspectedFormula {
  package static func changes(_ context: FormulaContext<RoutingFormula>) -> [FormulaChange<RoutingFormula>] {
    let other: RoutingRule.Scoring = context.formula.rule.scoring == .sigmoid ? .softmax : .sigmoid
    var list: [FormulaChange<RoutingFormula>] = [
      FormulaChange("\(other.rawValue) scores in place of \(context.formula.rule.scoring.rawValue)") {
        formula, _ in formula.rule = RoutingRule(other, topK: formula.rule.topK, bias: formula.rule.bias)
      },
      FormulaChange("one expert too many") { formula, _ in formula.rule.topK += 1 },
      FormulaChange("one expert too few") { formula, _ in formula.rule.topK -= 1 },
      context.formula.isNormalized
        ? FormulaChange("weights not divided by their sum") { formula, _ in formula.isNormalized = false }
        : FormulaChange("weights divided by their sum") { formula, _ in formula.isNormalized = true },
    ]
    if !context.formula.rule.bias.isEmpty {
      list.append(FormulaChange("bias used in the weights") { formula, _ in formula.weighsBias = true })
      list.append(FormulaChange("bias left out") { formula, _ in formula.rule.bias = [] })
      list.append(
        FormulaChange("bias subtracted") { formula, _ in formula.rule.bias = formula.rule.bias.map { -$0 } })
    }
    return list
  }
}
