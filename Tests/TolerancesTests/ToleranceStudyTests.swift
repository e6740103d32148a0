import Foundation
import NumKit
import Testing

@testable import Tolerances

/// What right kernels deserve.
@Suite struct ToleranceStudyTests {
  private let configuration = KernelConfiguration(storage: .float(.bf16), compute: .f32, accumulator: .f32)

  private func study(
    rows: Int, length: Int = 64, seed: UInt64 = 1, rules: [String] = [], threads: Int = 1,
    cancels: Bool = false
  ) throws -> ToleranceStudy<RowQuestion>.Result {
    let algorithms = Algorithm.all(for: .softmax, dtype: .float(.bf16)).filter { $0.kernel == "shifted" }
    let source = StoredRows(
      GeneratedRows(.normal, range: 2, rows: rows, length: length, seed: seed), parameters: .init(),
      targets: nil,
      configuration: configuration)
    let trial = Trial(
      RowQuestion(.softmax),
      candidates: try algorithms.map {
        try KernelCandidate($0, configuration, parameters: source.kernelParameters)
      },
      format: .bf16, threads: threads
    ) { _ in RowProver(.softmax, format: .bf16) }
    return try ToleranceStudy(
      trial, rules: rules.map { try ToleranceRule(parsing: $0) }, cancels: cancels
    ).run(on: source)
  }

  /// What is made of right results passes a rule that is as wide as they are, and not one of a few ulps.
  @Test func rulesAreTriedOnResultsWithDefects() throws {
    let result = try study(rows: 40, rules: ["atol=1000", "ulp=2", "rtol=0.02", "flash-attention"])
    #expect(result.passing[0] == ResultDefect.allCases.map(\.rawValue))
    #expect(result.passing[1] == [])
    #expect(result.passing[2] == ["one-percent-too-large"])
    #expect(result.passing[3] == nil)
  }

  /// Of results that may be as near to 0 as they like no relative error is called rare.
  @Test func nothingRelativeIsExtrapolatedWhereResultsCancel() throws {
    let result = try study(rows: 400, cancels: true)
    for t in result.tolerances {
      #expect(t.rare(.ulp, probability: 1e-6) == nil && t.rare(.relative, probability: 1e-6) == nil)
      // It is nil where storing hides all of it.
      let beside = t.rare(.beside, probability: 1e-6) ?? t.measured(.beside)
      #expect(t.measured(.beside) <= beside && beside <= (t.sound(.beside) ?? 0))
    }
  }

  /// Seen ≤ rare ≤ proven, and what is measured is what the experiment measures.
  @Test func figuresStandInOrder() throws {
    let result = try study(rows: 400)
    let experiment = try Experiment(
      .softmax,
      algorithms: Algorithm.all(for: .softmax, dtype: .float(.bf16)).filter { $0.kernel == "shifted" },
      configuration: configuration
    ).run(on: GeneratedRows(.normal, range: 2, rows: 400, length: 64, seed: 1))
    for (t, entry) in zip(result.tolerances, experiment.entries) {
      // What is beyond storing shows in too few of these rows.
      for figure in KernelTolerance.Figure.allCases where figure != .beside {
        let seen = t.measured(figure)
        let sound = try #require(t.sound(figure))
        let rare = try #require(t.rare(figure, probability: 1e-6))
        #expect(seen <= rare && rare <= sound, "\(figure)")
      }
      #expect((t.measured(.ulp) - entry.kernel.maxUlp).magnitude < 1e-9)
      #expect((t.sound(.ulp) ?? 0) == entry.boundUlp)
    }
  }

  /// What is called rare after 400 rows is not exceeded in 20,000 others, or NUMCHECK_SAFE=10000000 shorter ones.
  @Test func rareIsRare() throws {
    let setting = ProcessInfo.processInfo.environment["NUMCHECK_SAFE"].flatMap { Int($0) }
    let length = setting == nil ? 64 : 8
    let few = try study(rows: 400, length: length)
    let many = try study(rows: setting ?? 20_000, length: length, seed: 99, threads: 2)
    for (t, m) in zip(few.tolerances, many.tolerances) {
      for figure in [KernelTolerance.Figure.ulp, .absolute, .relative] {
        #expect(m.measured(figure) <= (t.rare(figure, probability: 1e-6) ?? 0), "\(figure)")
      }
    }
  }

  /// A rule at the largest error seen refuses nothing, one just below it some rows; the correctly rounded pass half an ulp.
  @Test func refusalsAreCounted() throws {
    let seen = try study(rows: 200).tolerances[0].measured(.ulp)
    let result = try study(rows: 200, rules: ["ulp=\(seen)", "ulp=\(seen * 0.999)", "ulp=0.5", "ulp=0.25"])
    let refused = result.tolerances[0].refused
    #expect(refused[0] == 0 && refused[1] > 0 && refused[3] == 200)
    #expect(result.rounded.refused[2] == 0 && result.rounded.refused[3] == 200)
  }

  /// A rule that refuses some right rows refuses as many of others as it is said to, within the interval.
  @Test func flakyRulesFailAsOftenAsTheyAreSaidTo() throws {
    let seen = try study(rows: 400).tolerances[0].measured(.ulp)
    let rules = [0.99, 0.999].map { "ulp=\(seen * $0)" }
    let said = try study(rows: 2000, seed: 5, rules: rules).tolerances[0]
    let others = try study(rows: 20_000, seed: 6, rules: rules, threads: 2).tolerances[0]
    for (k, rule) in rules.enumerated() {
      let (few, many) = (Rate(said.refused[k], of: 2000), Rate(others.refused[k], of: 20_000))
      #expect(few.hits > 0 && few.share < 0.9, "\(rule): \(few)")
      #expect(few.interval.low <= many.share && many.share <= few.interval.high, "\(rule): \(few), \(many)")
      // And it is no interval that holds anything.
      #expect(few.interval.high < 4 * few.share)
    }
  }

  @Test func threadsChangeNothing() throws {
    let (one, two) = (
      try study(rows: 150, rules: ["ulp=0.6"]), try study(rows: 150, rules: ["ulp=0.6"], threads: 3)
    )
    for (a, b) in zip(one.tolerances, two.tolerances) {
      #expect(a.refused == b.refused && a.rare(.ulp, probability: 1e-6) == b.rare(.ulp, probability: 1e-6))
    }
  }

  /// Against values of R's binom.test.
  @Test(arguments: [
    (0, 10, 0, 0.3084971), (5, 10, 0.1870860, 0.8129140), (10, 10, 0.6915029, 1),
    (3, 1000, 0.000619, 0.008743),
  ])
  func intervals(_ hits: Int, _ trials: Int, _ low: Double, _ high: Double) {
    let interval = Rate(hits, of: trials).interval
    #expect((interval.low - low).magnitude < 1e-5 && (interval.high - high).magnitude < 1e-5, "\(interval)")
  }
}
