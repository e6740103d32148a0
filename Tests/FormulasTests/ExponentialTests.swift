import NumKit
import TestSupport
import Testing

@Suite struct ExponentialTests {
  @Test func truthsAreThoseOfAnIndependentComputation() throws {
    for g in try GoldenFormula.all("exp") { g.hold(ExponentialFormula()) }
    for g in try GoldenFormula.all("exp2") { g.hold(ExponentialFormula(isBase2: true)) }
    #expect(try GoldenFormula.all("exp").count > 3)
  }

  @Test(arguments: Subject.configurations) func kernelsKeepTheirBounds(_ configuration: KernelConfiguration)
    throws
  {
    for (range, seed) in [(1.0, 1), (12, 2), (100, 3)] as [(Double, UInt64)] {
      let rows = GeneratedRows(.uniform, range: range, rows: 6, length: 100, seed: seed)
      for formula in [ExponentialFormula(), ExponentialFormula(isBase2: true)] {
        try Subject.attack(formula, rows: rows, configuration)
      }
    }
  }

  /// What a way says of 2^fraction is so, everywhere between the points where it is looked at too: in f64 all but the formula is
  /// nothing, and between neighbours of 2⁻²⁰ neither a way nor 2^f changes by more than 2⁻¹⁹ of itself, but where a table steps.
  @Test func waysComeAsNearAsTheySay() {
    func look<M: ExponentialMethod>(_: M.Type) {
      var worst = 0.0
      for k in 0..<(1 << 20) {
        let f = Double(k) * 0x1p-20
        worst = Swift.max(worst, (M.power(f) / Double.exp2(f) - 1).magnitude)
      }
      #expect(worst <= M.accuracy.error + 0x1p-40, "\(M.name): \(worst)")
      #expect(M.accuracy.error <= worst * 1.01 + 2e-6, "\(M.name): \(worst)")
      #expect((M.exponential(0.0) == 1) == M.accuracy.isExactAtZero)
      let constant = (M.log2e / 1.442695040888963407 - 1).magnitude
      #expect(constant <= M.accuracy.constant && M.accuracy.constant <= constant * 1.01 + 1e-15)
    }
    for method in ExponentialMethods.all { look(method) }
  }

  /// Of the fractions in f32 the worst is off by 1429.3 ulp; rounded to bf16 one in a hundred is another
  /// number.
  @Test func degreeThreeInSinglePrecision() {
    var worst = (ulp: 0.0, at: 0.0)
    var others = 0
    let step = 16
    for k in stride(from: step - 1, to: 1 << 23, by: step) {
      let f = Double(k) * 0x1p-23
      let y = Double(Polynomial3.power(Float(f)))
      let exact = Double.exp2(f)
      let ulp = (y - exact).magnitude * 0x1p23
      if ulp > worst.ulp { worst = (ulp, f) }
      if NumberFormat.bf16.round(y) != NumberFormat.bf16.round(exact) { others += 1 }
    }
    #expect(worst.ulp > 1429.2 && worst.ulp < 1429.4, "\(worst)")
    // Half an ulp of bf16 is 2^15 of f32's: an error of 1429 at most moves few.
    #expect(others > 0 && others < (1 << 23) / step / 50)
  }

  /// Softmax and log-sum-exp with every way, bounded where a way is exact at 0.
  @Test(arguments: [RowOperation.softmax, .logSumExp]) func softmaxKeepsItsBounds(_ operation: RowOperation)
    throws
  {
    let algorithms = Algorithm.approximate(for: operation)
    #expect(algorithms.count == ExponentialMethods.all.count + 1)
    for configuration in Subject.configurations {
      for (distribution, range, length) in [
        (Distribution.normal, 1.0, 33), (.uniform, 30, 64), (.uniform, 300, 9), (.constant, 5, 12),
        (.spike, 40, 40),
      ] {
        let rows = GeneratedRows(distribution, range: range, rows: 12, length: length, seed: 5)
        let result = try Experiment(
          operation, algorithms: algorithms, configuration: configuration, parameters: OperationParameters(),
          targets: nil
        ).run(on: rows)
        for entry in result.entries {
          #expect(entry.kernel.aboveBound == 0, "\(entry.algorithm) \(configuration) \(distribution)")
          if ["schraudolph", "sampled"].contains(entry.algorithm.description) {
            #expect(entry.bound == .none)
          }
          if configuration.compute == .f32, range == 1, entry.algorithm.description == "poly3" {
            #expect(entry.bound == .sound)
          }
        }
      }
    }
  }

  /// What bf16 sees of degree 3 is nothing; of degree 1 a few ulps; f32 sees all of it.
  @Test func whatReachesSoftmax() throws {
    let study = ApproximationStudy(compute: .f32, accumulator: .f32, storages: [.f32, .bf16])
    let outcomes = try study.run(
      on: GeneratedRows(.normal, range: 3, rows: 24, length: 200, seed: 2), rows: 24)
    func found(_ name: String, _ storage: NumberFormat) throws -> ApproximationStudy.Outcome {
      try #require(outcomes.first { $0.name == name && $0.storage == storage })
    }
    let (exact, cubic, linear) = (
      try found("shifted", .bf16), try found("poly3", .bf16), try found("poly1", .bf16)
    )
    #expect(exact.softmaxUlp <= 0.51 && cubic.softmaxUlp < 0.56 && linear.softmaxUlp > 4)
    #expect(cubic.moved < 1.1 * exact.moved)
    let (single, plain) = (try found("poly3", .f32), try found("shifted", .f32))
    #expect(single.softmaxUlp > 100 && plain.softmaxUlp < 50)
  }

  /// A sampled denominator is off by about its standard error, one factor for a whole row. Of rows with few large terms a sample that
  /// meets none of them is steady, and says nothing: there sampling fails, and what it finds steady is off by a half and more.
  @Test func sampledSumsAreAsSteadyAsTheySay() throws {
    let study = ApproximationStudy(compute: .f32, accumulator: .f32, storages: [.f32, .bf16])
    func found(_ range: Double, _ storage: NumberFormat) throws -> ApproximationStudy.Outcome {
      let rows = GeneratedRows(.normal, range: range, rows: 24, length: 4096, seed: 2)
      return try #require(
        try study.run(on: rows, rows: 24).first { $0.name == "sampled" && $0.storage == storage })
    }
    let flat = try found(0.25, .f32)
    // Σ |p̂ − p| is the sum's relative error: of 24 rows the largest is beyond one standard error, and below five.
    #expect(flat.moved > 0x1p-9 && flat.moved < 5 * 0x1p-8)
    #expect(flat.output < flat.moved && flat.logSumExpUlp > 100)
    // What bf16 keeps of it.
    #expect(try found(0.25, .bf16).moved < flat.moved + 0x1p-8)
    let steep = try found(30, .f32)
    #expect(steep.moved > 0.5 && steep.output > 0.1)
  }
}
