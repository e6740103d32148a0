import NumKit
import Testing

@testable import Decoding

/// Routing judged: weights of all experts, row by row.
@Suite struct RoutingVerificationTests {
  private struct Held: ResultSource {
    typealias Q = FormulaQuestion<RoutingFormula>
    let rows: [[Double]]
    func results(
      of item: FormulaQuestion<RoutingFormula>.Item, into results: UnsafeMutableBufferPointer<Double>
    ) {
      for (i, y) in rows[item.row].enumerated() { results[i] = y }
    }
  }

  private struct Logits: RowSource {
    let source = GeneratedRows(.normal, range: 1.5, rows: 40, length: 32, seed: 4)
    var format = NumberFormat.f32
    var rowCount: Int { source.rowCount }
    var length: Int { source.length }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      source.read(row, into: buffer)
      for i in buffer.indices { buffer[i] = format.round(buffer[i]) }
    }
    func values(_ row: Int) -> [Double] {
      var x = [Double](repeating: 0, count: length)
      x.withUnsafeMutableBufferPointer { read(row, into: $0) }
      return x
    }
  }

  private let bias = (0..<32).map { Double($0 % 7 - 3) / 8 }
  private func asked(_ scoring: RoutingRule.Scoring) -> RoutingFormula {
    RoutingFormula(RoutingRule(scoring, topK: 6, bias: bias))
  }

  private func truths(_ formula: RoutingFormula, _ format: NumberFormat = .f32) -> [[Double]] {
    let logits = Logits()
    let reference = FormulaReference<RoutingFormula>(format: format)
    return (0..<logits.rowCount).map { row in
      var truth = Truth()
      logits.values(row).withUnsafeBufferPointer { reference.answer(row, $0, formula, into: &truth) }
      #expect(truth.certificate.undecided == 0)
      return truth.rounded
    }
  }

  private struct Edge: RowSource {
    let row: [Double]
    var rowCount: Int { 1 }
    var length: Int { row.count }
    func read(_: Int, into buffer: UnsafeMutableBufferPointer<Double>) { _ = buffer.update(from: row) }
  }

  private func judged(_ formula: RoutingFormula, _ rows: [[Double]], _ logits: some RowSource = Logits())
    throws
    -> GuestFindings<FormulaQuestion<RoutingFormula>>
  {
    try FormulaVerification(formula, format: .f32).run("planted", Held(rows: rows), on: logits).0.findings
  }

  /// Weights of the truth are those that `RoutingTruth` has in Double, and add up to 1.
  @Test(arguments: RoutingRule.Scoring.allCases) func weightsAreTheTruths(_ scoring: RoutingRule.Scoring)
    throws
  {
    let logits = Logits()
    for (row, weights) in truths(asked(scoring), .f64).enumerated() {
      let truth = try #require(RoutingTruth(logits.values(row), asked(scoring).rule))
      #expect(zip(weights, truth.weights).allSatisfy { ($0 - $1).magnitude <= 0x1p-50 })
      #expect((weights.reduce(0, +) - 1).magnitude < 0x1p-48 && weights.count { $0 > 0 } == 6)
    }
  }

  /// Gates that compute in f32 hold, also where logits lie so near that experts flip; gates in bf16 do not.
  @Test(arguments: RoutingRule.Scoring.allCases) func rightGatesHold(_ scoring: RoutingRule.Scoring) throws {
    let formula = asked(scoring)
    let logits = Logits()
    func gate(_ compute: NumberFormat) throws -> [[Double]] {
      let c = KernelConfiguration(storage: .float(compute), compute: compute)
      let made = formula.scorer(c).flatMap { RoutingGate($0, c, formula.rule) }
      let gate = try #require(made)
      return (0..<logits.rowCount).map { row in
        gate.answer(logits.values(row)).weights.map { NumberFormat.f32.round($0) }
      }
    }
    let right = try judged(formula, try gate(.f32))
    #expect(right.wrong[0].count == 0 && right.hypotheses.isEmpty)
    #expect(try judged(formula, try gate(.bf16)).wrong[0].count > 100)
    // Two experts at the edge that no f32 tells apart: either may be kept.
    var edge = [Double](repeating: 3, count: 5)
    edge += [1 + 0x1.4p-48, 1 + 0x1.8p-48]
    for i in 7..<32 { edge.append(-Double(i)) }
    var flat = RoutingFormula(RoutingRule(scoring, topK: 6))
    let reference = FormulaReference<RoutingFormula>(format: .f32)
    var truth = Truth()
    edge.withUnsafeBufferPointer { reference.answer(0, $0, flat, into: &truth) }
    var other = truth.rounded
    other.swapAt(5, 6)
    #expect(truth.rounded[6] > 0 && truth.rounded[5] == 0)
    #expect(try judged(flat, [other], Edge(row: edge)).wrong[0].count == 0)
    other.swapAt(5, 7)
    #expect(try judged(flat, [other], Edge(row: edge)).wrong[0].count > 0)
    flat.isNormalized = false
    #expect(try judged(flat, [truth.rounded], Edge(row: edge)).wrong[0].count > 0)
  }

  @Test func mistakesAreNamed() throws {
    for scoring in RoutingRule.Scoring.allCases {
      let formula = asked(scoring)
      func named(_ change: (inout RoutingFormula) -> Void) throws -> [String] {
        var other = formula
        change(&other)
        return try judged(formula, truths(other)).hypotheses.map(\.name)
      }
      #expect(try named { $0.weighsBias = true } == ["bias used in the weights"])
      #expect(try named { $0.rule.bias = [] } == ["bias left out"])
      #expect(try named { $0.isNormalized = false } == ["weights not divided by their sum"])
      #expect(try named { $0.rule.topK = 7 } == ["one expert too many"])
      #expect(try named { $0.rule.topK = 5 } == ["one expert too few"])
      #expect(try named { _ in } == [])
      // The same mistake as others make it, in Double.
      let biased = (0..<Logits().rowCount).map { row in
        biasedWeights(Logits().values(row), scoring, formula.rule)
      }
      var weighing = formula
      weighing.weighsBias = true
      for (proven, plain) in zip(truths(weighing), biased) {
        #expect(zip(proven, plain).allSatisfy { ($0 - $1).magnitude <= 0x1p-23 * $1.magnitude })
      }
      #expect(try judged(formula, biased).hypotheses.map(\.name) == ["bias used in the weights"])
    }
  }

  /// Scores with the bias added, of the largest, divided by their sum.
  private func biasedWeights(_ x: [Double], _ scoring: RoutingRule.Scoring, _ rule: RoutingRule) -> [Double] {
    let exponentials = x.map { Double.exp($0 - x.max()!) }
    let total = exponentials.reduce(0, +)
    let scores = x.indices.map { i in
      (scoring == .softmax ? exponentials[i] / total : 1 / (1 + Double.exp(-x[i]))) + rule.bias(i)
    }
    let kept = scores.indices.sorted { scores[$0] > scores[$1] }.prefix(rule.topK)
    let sum = kept.reduce(0) { $0 + scores[$1] }
    return scores.indices.map { kept.contains($0) ? NumberFormat.f32.round(scores[$0] / sum) : 0 }
  }
}
