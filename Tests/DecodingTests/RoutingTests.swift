import NumKit
import TestSupport
import Testing

@testable import Decoding

@Suite struct RoutingTests {
  /// Experts and weights of `fixtures/formulas`, by mpmath.
  @Test func choicesAreThoseOfAnIndependentComputation() throws {
    var count = 0
    for line in try fixtureText("formulas/golden.txt").split(separator: "\n") where line.hasPrefix("routing|")
    {
      let parts = line.split(separator: "|").map { $0.split(separator: " ").map(String.init) }
      func numbers(_ texts: some Sequence<String>) throws -> [Double] {
        try texts.map { text in
          let number = Double(text)
          return try #require(number)
        }
      }
      let scoring = try #require(RoutingRule.Scoring(rawValue: parts[1][0]))
      let topK = try #require(Int(parts[1][1]))
      let rule = RoutingRule(scoring, topK: topK, bias: try numbers(parts[1].dropFirst(2)))
      let logits = try numbers(parts[2])
      let truth = try #require(RoutingTruth(logits, rule))
      let wanted = try numbers(parts[3])
      #expect(truth.experts == wanted.prefix(rule.topK).map { Int($0) } && truth.isDecided, "\(parts[1])")
      for (i, w) in zip(truth.experts, wanted.dropFirst(rule.topK)) {
        #expect((truth.weights[i] / w - 1).magnitude < 0x1p-50)
      }
      #expect((truth.weights.reduce(0, +) - 1).magnitude < 0x1p-48)
      count += 1
    }
    #expect(count == 24)
  }

  private func study(
    _ scoring: RoutingRule.Scoring, _ configuration: KernelConfiguration, bias: Double = 0, rows: Int = 200
  ) throws -> RoutingStudy.Result {
    var random = RandomSource(seed: 1, row: 0)
    let biases = bias == 0 ? [] : (0..<64).map { _ in bias * (2 * random.uniform() - 1) }
    let algorithms = Algorithm.all(for: scoring.operation, dtype: configuration.storage).filter {
      $0.description != "naive" && $0.variant == nil
    }
    return try RoutingStudy(
      RoutingRule(scoring, topK: 6, bias: biases), algorithms, configuration, threads: 2
    ).run(on: GeneratedRows(.normal, range: 1.5, rows: rows, length: 64, seed: 4))
  }

  /// No row whose gap is beyond its margin flips, in any format; in long formats nearly all rows are beyond it.
  @Test(arguments: RoutingRule.Scoring.allCases) func marginsExcludeFlips(_ scoring: RoutingRule.Scoring)
    throws
  {
    for bias in [0, 0.1, 3] {
      for configuration in [
        KernelConfiguration(storage: .float(.f64)), KernelConfiguration(storage: .float(.f32)),
        KernelConfiguration(storage: .float(.bf16)), KernelConfiguration(storage: .float(.f16)),
        KernelConfiguration(storage: .float(.bf16), compute: .f32),
        KernelConfiguration(storage: .float(.f32), compute: .bf16),
        KernelConfiguration(storage: .float(.f8e4m3fn), compute: .f32),
      ] {
        let result = try study(scoring, configuration, bias: bias)
        #expect(result.rows == 200 && result.undecided == 0)
        for o in result.outcomes {
          #expect(o.brokenRows == 0, "\(configuration)")
          if configuration.storage == .float(.f64) { #expect(o.flippedRows == 0 && o.safeRows == 200) }
          if configuration.storage == .float(.f32), configuration.compute == .f32 {
            #expect(o.safeRows > 190)
          }
        }
      }
    }
  }

  /// bf16 flips experts, and less where scores are kept in f32.
  @Test func shortGatesFlip() throws {
    let short = try study(.sigmoid, KernelConfiguration(storage: .float(.bf16)))
    let long = try study(.sigmoid, KernelConfiguration(storage: .float(.f32)))
    for (a, b) in zip(short.outcomes, long.outcomes) {
      #expect(a.flippedRows > 5 && b.flippedRows == 0)
      #expect(a.moved > a.movedWithin && b.moved < 1e-5)
    }
  }

  @Test func threadsChangeNothing() throws {
    let rows = GeneratedRows(.normal, range: 1, rows: 40, length: 32, seed: 9)
    let algorithms = Array(Algorithm.all(for: .sigmoid, dtype: .float(.bf16)).suffix(2))
    func run(_ threads: Int) throws -> [[Double]] {
      try RoutingStudy(
        RoutingRule(.sigmoid, topK: 4), algorithms, KernelConfiguration(storage: .float(.bf16)),
        threads: threads
      ).run(on: rows).outcomes.map { [Double($0.flippedExperts), $0.moved, $0.movedWithin, $0.margin] }
    }
    #expect(try run(1) == run(3))
  }

  @Test func rubbishIsRefused() {
    for rule in [
      RoutingRule(.sigmoid, topK: 0), RoutingRule(.softmax, topK: 9),
      RoutingRule(.sigmoid, topK: 2, bias: [1]),
      RoutingRule(.sigmoid, topK: 1, bias: [0, 0, 0, .nan]),
    ] {
      #expect(throws: UnfitSampling.self) { try rule.check(experts: 4) }
    }
    #expect(RoutingTruth([0, .nan], RoutingRule(.sigmoid, topK: 1)) == nil)
  }
}
