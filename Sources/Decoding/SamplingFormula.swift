import NumKit

/// Decoding as a question about rows: what is left of each token after the cuts, 0 for those that are not kept.
package struct SamplingFormula: Formula {
  /// Whether 1 stands for a token that is kept; else its share of the probability of all that are.
  package var isMask: Bool
  /// How cuts are made.
  var chain: SamplingChain

  /// All that is asked.
  package init(_ rule: SamplingRule, isMask: Bool = false) {
    (chain, self.isMask) = (SamplingChain(rule), isMask)
  }

  /// What is cut.
  package var rule: SamplingRule { chain.rule }
  package var name: String { "sample" }
  package func check(length: Int) throws { try rule.check() }
  package func hasAnswer(_ row: Int, _ x: [Double]) -> Bool { SamplingTruth.hasAnswer(x) }
}

extension NumberFormat {
  /// What says of a token whether it is kept: 0 or 1, one unit apart.
  package static var mask: NumberFormat {
    NumberFormat(name: "mask", exponentBits: 2, significandBits: 0, hasInfinity: false, nanEncoding: .none)
  }
}

extension SamplingFormula: ProvenFormula {
  package typealias Enclosures = SamplingEnclosures
}

/// Who is kept is decided by `SamplingTruth`. A share e^x / Σ e^y is rational only where all logits that it is a share of are equal
/// (Lindemann, Weierstrass: distinct exponentials of rationals are linearly independent), and then 1/n: so refining ends.
package final class SamplingEnclosures: FormulaEnclosures {
  package typealias F = SamplingFormula
  private var x = UnsafeBufferPointer<Double>(start: nil, count: 0)
  private var formula = SamplingFormula(SamplingRule())
  private var hasAnswer = false
  /// The tokens that weights are shares of, in order, and where each stands there.
  private var whole: [Int] = []
  private var places: [Int?] = []
  private var kept = 0
  private var areEqual = false
  private let weights = EnclosureStorage()

  package init() {}

  package func load(_ row: Int, _ x: UnsafeBufferPointer<Double>, _ formula: SamplingFormula) {
    (self.x, self.formula) = (x, formula)
    places = Array(repeating: nil, count: x.count)
    let truth = SamplingTruth(Array(x), formula.chain)
    hasAnswer = truth != nil
    guard let truth else { return }
    kept = truth.kept
    whole = Array(truth.order.prefix(truth.count(of: formula.chain.whole)))
    for (place, token) in whole.enumerated() where place < kept { places[token] = place }
    areEqual = whole.allSatisfy { x[$0] == x[whole[0]] }
  }

  package func prepare(precision: Int) {
    guard hasAnswer, !formula.isMask else { return }
    weights.reserve(whole.count + 2, precision: precision)
    let (total, scaled) = (weights[whole.count], weights[whole.count + 1])
    total.set(0)
    for (place, token) in whole.enumerated() {
      scaled.setDifference(x[token], x[whole[0]])
      scaled.divide(by: formula.chain.temperature)
      weights[place].setExponential(scaled)
      total.add(weights[place])
    }
  }

  package func enclose(_ i: Int, into result: Enclosure) -> Enclosed {
    guard hasAnswer else { return .known(.nan) }
    guard let place = places[i] else { return .known(0) }
    if formula.isMask { return .known(1) }
    if areEqual {
      // Each weight is 1.
      let count = weights[whole.count + 1]
      count.set(whole.count)
      result.setQuotient(weights[place], positive: count)
      return .rational
    }
    result.setQuotient(weights[place], positive: weights[whole.count])
    return .irrational
  }
}

extension SamplingTruth {
  /// How many of the first tokens weights are shares of.
  func count(of whole: SamplingChain.Whole) -> Int {
    switch whole {
    case .kept: kept
    case .leftByTopK: leftByTopK
    case .all: finite
    }
  }
}

extension SamplingFormula: ComputedFormula {
  /// There is one: a sampler.
  package enum Method: Sendable, Hashable { case sampler }

  package static let algorithms = [
    FormulaAlgorithm<SamplingFormula>(
      "sampler",
      "logits over the temperature, softmax, sums of the sorted, the shares of those that are kept",
      .sampler
    ) { formula, configuration in
      // What is kept is told by numbers of what computes; the shares alone are stored.
      var inner = configuration
      inner.storage = .float(configuration.compute)
      guard
        let algorithm = Algorithm.all(for: .softmax, dtype: inner.storage).first(where: {
          $0.description == "shifted"
        }), let sampler = SamplingKernel(algorithm, inner, formula.rule)
      else { return nil }
      let storage = configuration.storage.numberFormat ?? configuration.compute
      return { _, x, results, _ in
        let shares = sampler.shares(Array(x))
        for i in results.indices {
          results[i] = formula.isMask ? (shares[i] == nil ? 0 : 1) : storage.round(shares[i] ?? 0)
        }
      }
    }
  ]
}

extension SamplingFormula: BoundedFormula {
  package func errors(
    _ algorithm: FormulaAlgorithm<SamplingFormula>, _ configuration: KernelConfiguration
  ) -> (any FormulaErrors)? {
    SamplingErrors(formula: self, compute: configuration.compute, accumulator: configuration.accumulator)
  }
}

extension SamplingFormula: SuspectedFormula {
  package static func changes(
    _ context: FormulaContext<SamplingFormula>
  ) -> [FormulaChange<SamplingFormula>] {
    let asked = context.formula
    let list = SamplingMistake.all(of: asked.rule, isMask: asked.isMask).map { mistake in
      FormulaChange<SamplingFormula>(mistake.name) { formula, _ in mistake.change(&formula.chain) }
    }
    // Of other results their own format says it.
    guard asked.isMask else { return list }
    return list
      + [NumberFormat.bf16, .f16].map { short in
        FormulaChange(
          "inputs rounded to \(short.name)", item: { $0.values = $0.values.map { short.round($0) } })
      }
  }
}
