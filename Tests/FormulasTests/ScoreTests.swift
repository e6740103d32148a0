import NumKit
import TestSupport
import Testing

@Suite struct ScoreTests {
  private func matrices(_ g: GoldenFormula, _ shapes: [(Int, Int)]) throws -> [[[Double]]] {
    var at = 4
    return try shapes.map { rows, columns in
      try (0..<rows).map { _ in
        try (0..<columns).map { _ in
          at += 1
          return try g.number(at - 1)
        }
      }
    }
  }

  @Test func truthsAreThoseOfAnIndependentComputation() throws {
    for name in ["scores", "weights"] {
      let all = try GoldenFormula.all(name)
      #expect(all.count == 27)
      for g in all {
        let function = try #require(ScoreFormula.Function(rawValue: g.words[0]))
        let (d, n, h) = (try g.whole(1), try g.whole(2), try g.whole(3))
        let m = try matrices(g, [(n, d), (function == .general ? d : h, d), (h, d), (1, h)])
        g.hold(
          ScoreFormula(
            function, isNormalized: name == "weights", keys: m[0], queryWeights: m[1], keyWeights: m[2],
            combination: m[3][0]))
      }
    }
    for g in try GoldenFormula.all("linear-attention") {
      let (d, t, c) = (try g.whole(1), try g.whole(2), try g.whole(3))
      let map = try #require(LinearAttentionFormula.FeatureMap(rawValue: g.words[0]))
      let m = try matrices(g, [(t, d), (t, c)])
      g.hold(
        LinearAttentionFormula(map, keys: m[0], values: m[1]), row: t - 1)
    }
  }

  @Test func sumsAndSigmoidsAreThoseOfAnIndependentComputation() throws {
    let sums = try GoldenFormula.all("linear-sums")
    #expect(sums.count == 6)
    for g in sums {
      let map = try #require(LinearAttentionFormula.FeatureMap(rawValue: g.words[0]))
      let (d, t, c) = (try g.whole(1), try g.whole(2), try g.whole(3))
      let m = try matrices(g, [(t, d), (t, c)])
      var formula = LinearAttentionFormula(map, keys: m[0], values: m[1])
      formula.isNormalized = false
      g.hold(formula, row: t - 1)
    }
    let sigmoids = try GoldenFormula.all("sigmoid-attention")
    #expect(sigmoids.count == 18)
    for g in sigmoids {
      let (d, n, c) = (try g.whole(0), try g.whole(1), try g.whole(2))
      var at = 5
      func matrix(_ columns: Int) throws -> [[Double]] {
        try (0..<n).map { _ in
          try (0..<columns).map { _ in
            at += 1
            return try g.number(at - 1)
          }
        }
      }
      let (keys, values) = (try matrix(d), try matrix(c))
      g.hold(
        SigmoidAttentionFormula(
          keys: keys, values: values, scale: Double(g.words[3]), bias: Double(g.words[4])))
    }
  }

  /// What kernels, bounds and called libraries take where nothing is given, to an ulp of a Double.
  @Test func defaultsAreThoseOfAnIndependentComputation() throws {
    let all = try GoldenFormula.all("sigmoid-defaults")
    #expect(all.count == 6)
    for g in all {
      let (n, d) = (try g.whole(0), try g.whole(1))
      let rows = Array(repeating: Array(repeating: 0.0, count: d), count: n)
      let numbers = SigmoidAttentionFormula(keys: rows, values: rows).numbers(dimensions: d)
      #expect((numbers.bias - g.y[0]).magnitude <= g.y[0].ulp, "\(g.words)")
      #expect((numbers.scale - g.y[1]).magnitude <= g.y[1].ulp, "\(g.words)")
    }
  }

  @Test(arguments: Subject.configurations) func sigmoidAttentionKeepsItsBounds(
    _ configuration: KernelConfiguration
  ) throws {
    for (range, bias, isCausal) in [(1.0, nil, false), (4, 0, true), (30, -5, false), (0.01, 12, true)]
      as [(Double, Double?, Bool)]
    {
      let rows = GeneratedRows(.normal, range: range, rows: 10, length: 6, seed: 3)
      let formula = SigmoidAttentionFormula(
        keys: drawn(4, 10, 6), values: drawn(5, 10, 3), bias: bias, isCausal: isCausal)
      let entries = try Subject.attack(formula, rows: rows, configuration)
      if configuration.compute.precision >= 24, range == 1 {
        #expect(entries.allSatisfy { $0.parts[0].bound == .sound })
      }
      // Sums without a normaliser, and other reaches, are bounded too.
      for reach in [LinearAttentionFormula.Reach.causal, .before, .all] {
        var linear = LinearAttentionFormula(.elu, keys: drawn(4, 10, 6), values: drawn(5, 10, 3), chunk: 3)
        (linear.reach, linear.isNormalized) = (reach, false)
        try Subject.attack(linear, rows: rows, configuration)
      }
    }
  }

  /// Far down the tail a weight made of tanh keeps what is left of 1: with a bias of −log n of many keys it is off by n ulps.
  @Test func tailsOfTanhAreLost() throws {
    let rows = GeneratedRows(.normal, range: 1, rows: 4, length: 6, seed: 3)
    let formula = SigmoidAttentionFormula(
      keys: drawn(4, 16, 6), values: Array(repeating: [1], count: 16), bias: -14)
    let entries = try Subject.attack(formula, rows: rows, KernelConfiguration(storage: .float(.f32)))
    func ulp(_ name: String) throws -> Double {
      try #require(entries.first { $0.candidate.name == name }).parts[0].kernel.maxUlp
    }
    #expect(try ulp("tanh") > 1000 * ulp("stable") && ulp("stable") < 40)
  }

  /// Where a weight is subnormal in f64 its reciprocal overflows, and the weight is lost: right kernels do so.
  @Test(arguments: [-705.0, -710, -720, -746]) func weightsBelowTheSmallestNormalKeepTheBound(_ bias: Double)
    throws
  {
    let rows = GeneratedRows(.normal, range: 1, rows: 6, length: 2, seed: 3)
    let formula = SigmoidAttentionFormula(keys: drawn(4, 6, 2), values: drawn(5, 6, 2), bias: bias)
    let entries = try Subject.attack(formula, rows: rows, KernelConfiguration(storage: .float(.f64)))
    #expect(entries.contains { $0.parts[0].bound != .none })
  }

  /// Small whole numbers are exact in f64, sums and all: there the three forms of linear attention are one, bit by bit.
  @Test func chunksAreTheSequenceInExactArithmetic() throws {
    var random = RandomSource(seed: 6, row: 0)
    func whole(_ rows: Int, _ columns: Int) -> [[Double]] {
      (0..<rows).map { _ in (0..<columns).map { _ in (8 * random.normal()).rounded() } }
    }
    let (queries, keys, values) = (whole(50, 4), whole(50, 4), whole(50, 3))
    let c = KernelConfiguration(storage: .float(.f64))
    for chunk in [1, 7, 64] {
      var formula = LinearAttentionFormula(.relu, keys: keys, values: values, chunk: chunk)
      for isNormalized in [true, false] {
        formula.isNormalized = isNormalized
        for (row, q) in queries.enumerated() where formula.hasAnswer(row, q) {
          let all = try LinearAttentionFormula.algorithms.map {
            try Subject.computed($0.name, formula, q, row: row, c)
          }
          #expect(all[0] == all[1] && all[1] == all[2])
          if !isNormalized { #expect(all[0] == Subject.truth(formula, q, row: row).rounded) }
        }
      }
    }
  }

  private func drawn(_ seed: UInt64, _ rows: Int, _ columns: Int, _ size: Double = 1) -> [[Double]] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<rows).map { _ in (0..<columns).map { _ in size * random.normal() } }
  }

  @Test(arguments: Subject.configurations) func scoresKeepTheirBounds(_ configuration: KernelConfiguration)
    throws
  {
    for (range, seed) in [(1.0, 1), (20, 2), (0.001, 3)] as [(Double, UInt64)] {
      let rows = GeneratedRows(.normal, range: range, rows: 10, length: 6, seed: seed)
      for function in ScoreFormula.Function.allCases {
        for isNormalized in [false, true] {
          let formula = ScoreFormula(
            function, isNormalized: isNormalized, keys: drawn(4, 7, 6), queryWeights: drawn(5, 6, 6, 0.4),
            keyWeights: drawn(6, 6, 6, 0.4), combination: drawn(7, 1, 6)[0])
          let entries = try Subject.attack(formula, rows: rows, configuration)
          if configuration.compute.precision >= 24, range == 1 {
            #expect(entries.allSatisfy { $0.parts[0].bound == .sound })
          }
        }
      }
    }
  }

  @Test(arguments: Subject.configurations) func sequencesKeepTheirBounds(_ configuration: KernelConfiguration)
    throws
  {
    for map in LinearAttentionFormula.FeatureMap.allCases {
      for (range, tokens) in [(1.0, 24), (6, 9)] {
        let rows = GeneratedRows(.normal, range: range, rows: tokens, length: 4, seed: 3)
        let formula = LinearAttentionFormula(
          map, keys: drawn(8, tokens, 4, range), values: drawn(9, tokens, 3), chunk: 5)
        let entries = try Subject.attack(formula, rows: rows, configuration)
        if configuration.compute.precision >= 24, range == 1 {
          #expect(entries.allSatisfy { $0.parts[0].bound != .none })
        }
      }
    }
  }

  /// In f64 the three forms are one to its last bits, whatever the chunk; in bf16 the sums that are carried lose along the way.
  @Test func formsAgreeWhereDigitsDo() throws {
    let tokens = 300
    let (keys, values) = (drawn(1, tokens, 8), drawn(2, tokens, 4))
    let rows = GeneratedRows(.normal, range: 1, rows: tokens, length: 8, seed: 3)
    for chunk in [1, 7, 64, 1000] {
      let formula = LinearAttentionFormula(.elu, keys: keys, values: values, chunk: chunk)
      let octaves = try SequenceStudy.run(
        formula, LinearAttentionFormula.algorithms, KernelConfiguration(storage: .float(.f64)), on: rows)
      #expect(octaves.count == 27 && octaves.allSatisfy { $0.error < 1e-13 })
    }
    let formula = LinearAttentionFormula(.elu, keys: keys, values: values)
    func last(_ accumulator: NumberFormat) throws -> Double {
      let octaves = try SequenceStudy.run(
        formula, LinearAttentionFormula.algorithms.filter { $0.name == "running" },
        KernelConfiguration(storage: .float(.bf16), compute: .bf16, accumulator: accumulator), on: rows)
      return try #require(octaves.last?.error)
    }
    let (short, long) = (try last(.bf16), try last(.f32))
    #expect(short > 4 * long)
  }

  @Test func rubbishIsRefused() {
    let formula = ScoreFormula(
      .additive, keys: [[1, 2]], queryWeights: [[1]], keyWeights: [[1, 2]], combination: [])
    #expect(throws: UnfitFormula.self) { try formula.check(length: 1) }
    #expect(throws: UnfitFormula.self) { try ScoreFormula(.dot, keys: [[1], [1, 2]]).check(length: 1) }
    #expect(throws: UnfitFormula.self) { try ScoreFormula(.dot, keys: [[.nan]]).check(length: 1) }
    #expect(throws: UnfitFormula.self) {
      try LinearAttentionFormula(.elu, keys: [[1]], values: [[1], [2]]).check(length: 1)
    }
  }
}
