import NumKit
import TestSupport
import Testing

@Suite struct PositionTests {
  private func frequencies(_ g: GoldenFormula) throws -> Frequencies {
    let s = try g.number(3)
    let scaling: Frequencies.Scaling =
      switch g.words[2] {
      case "linear": .linear(s)
      case "ntk": .ntk(s)
      case "yarn": .yarn(s, original: try g.whole(4))
      default: .none
      }
    return Frequencies(base: try g.number(1), scaling: scaling)
  }

  @Test func truthsAreThoseOfAnIndependentComputation() throws {
    let rope = try GoldenFormula.all("rope")
    #expect(rope.count > 200)
    for g in rope {
      g.hold(
        RotaryFormula(
          try frequencies(g), pairing: try #require(RotaryPairing(rawValue: g.words[6])),
          positions: RowPositions([try g.whole(5)])))
    }
    for g in try GoldenFormula.all("sinusoidal") {
      g.hold(
        SinusoidalFormula(try frequencies(g), positions: RowPositions([try g.whole(5)])),
        length: try g.whole(0))
    }
    for g in try GoldenFormula.all("alibi") {
      g.hold(AlibiFormula(distances: RowPositions([try g.whole(1)])), length: try g.whole(0))
    }
    // At a distance of -1 a bias is the slope.
    let others = try GoldenFormula.all("alibi-ratio") + GoldenFormula.all("alibi-of-heads")
    #expect(others.count == 28)
    for g in others {
      let slopes = g.words.count == 1 ? AlibiFormula.Slopes.ratio : .ofHeads(try g.whole(1))
      g.hold(AlibiFormula(distances: RowPositions([-1]), slopes: slopes), length: try g.whole(0))
    }
  }

  /// Every kernel in every format keeps its bound, at small positions and far beyond what the format holds; in f32 and above it has one.
  @Test(arguments: Subject.configurations) func kernelsKeepTheirBounds(_ configuration: KernelConfiguration)
    throws
  {
    let list = [0, 1, 2, 3, 15, 16, 17, 255, 256, 257, 2047, 2049, 65503, 65521, 131071, 1_048_575]
    let rows = GeneratedRows(.normal, range: 1, rows: list.count, length: 16, seed: 7)
    for scaling in [
      Frequencies.Scaling.none, .linear(8), .ntk(4), .yarn(16, original: 128),
    ] {
      for ids in [nil, NumberFormat.bf16, .f16] {
        let f = Frequencies(base: 10000, scaling: scaling)
        let rope = RotaryFormula(
          f, pairing: ids == nil ? .half : .interleaved, positions: RowPositions(list), ids: ids)
        let entries = try Subject.attack(rope, rows: rows, configuration)
        if configuration.compute.precision >= 24 && ids != .f16 {
          #expect(entries.allSatisfy { $0.parts[0].bound != .none })
        }
        try Subject.attack(
          SinusoidalFormula(f, positions: RowPositions(list), ids: ids), rows: rows, configuration)
        try Subject.attack(AlibiFormula(distances: RowPositions(list), ids: ids), rows: rows, configuration)
      }
    }
  }

  /// In f64 turning keeps norms and scores depend on the distance alone; in no format does position 0 change a row.
  @Test func turningKeepsNormsAndDistances() throws {
    var random = RandomSource(seed: 3, row: 0)
    let (q, k) = ((0..<8).map { _ in random.normal() }, (0..<8).map { _ in random.normal() })
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    for pairing in RotaryPairing.allCases {
      let formula = RotaryFormula(
        Frequencies(base: 100), pairing: pairing, positions: RowPositions(from: 0, period: 1 << 20))
      var scores: [Double] = []
      for m in [17, 1000, 99_999] {
        let (a, b) = (Subject.truth(formula, q, row: m).high, Subject.truth(formula, k, row: m - 17).high)
        #expect((dot(a, a) - dot(q, q)).magnitude < 1e-14 * dot(q, q))
        scores.append(dot(a, b))
      }
      #expect(scores.allSatisfy { ($0 - scores[0]).magnitude < 1e-14 * dot(q, q) })
      #expect((scores[0] - dot(q, k)).magnitude > 1e-3)
      for c in Subject.configurations {
        let stored = q.map { c.storage.numberFormat?.round($0) ?? 0 }
        #expect(try Subject.computed("table", formula, stored, c) == stored)
      }
    }
  }

  @Test func biasesAreLinearInTheDistance() throws {
    let formula = AlibiFormula(distances: RowPositions(from: 0, period: 1 << 20))
    let once = Subject.truth(formula, Array(repeating: 0, count: 12), row: 1)
    let often = Subject.truth(formula, Array(repeating: 0, count: 12), row: 3000)
    for h in 0..<12 {
      #expect((often.high[h] - 3000 * once.high[h]).magnitude <= 0x1p-50 * often.high[h].magnitude)
    }
    // 8 heads: halves of halves.
    #expect(
      Subject.truth(formula, [0, 0, 0, 0, 0, 0, 0, 0], row: 1).rounded
        == (1...8).map { -Double.powerOfTwo(-$0) })
  }

  private func study(
    _ dtype: NumberFormat, compute: NumberFormat? = nil, ids: NumberFormat? = nil, count: Int,
    _ algorithm: String = "table"
  ) throws -> RotaryStudy.Outcome {
    let formula = RotaryFormula(Frequencies(), positions: RowPositions([]), ids: ids)
    let study = RotaryStudy(formula, dimensions: 8, count: count, limit: 0.01, seed: 1, threads: 2)
    return try study.run(
      try #require(RotaryFormula.algorithms.first { $0.name == algorithm }),
      KernelConfiguration(storage: .float(dtype), compute: compute))
  }

  /// Whole numbers end at 256 in bf16 and at 2048 in f16, at 65504 all do; from there on two positions are one.
  @Test func knownFailuresComeOut() throws {
    #expect(try study(.bf16, count: 600).firstAlike == 256)
    #expect(try study(.f32, ids: .bf16, count: 600).firstAlike == 256)
    #expect(try study(.f16, count: 4200).firstAlike == 2048)
    #expect(try study(.f16, compute: .f32, ids: .f16, count: 4200).firstOff?.position == 2049)
    #expect(try study(.f16, count: 66000).firstNotFinite == 65520)
    // Angles in f32 and tables in f16: nothing of the kind.
    let table = try study(.f16, compute: .f32, count: 66000)
    #expect(table.firstAlike == nil && table.firstNotFinite == nil && table.firstOff == nil)
    #expect(table.largestError < 0x1p-8 && table.largestScore < 0x1p-8)
  }

  /// A rounded 1/2π leaves a fast sine off by nearly 1e-2 near 131,071; a library's is off by what the angle is.
  @Test func fastSinesLoseDigits() throws {
    let (fast, exact) = (try study(.f32, count: 131_072, "fly:fast"), try study(.f32, count: 131_072, "fly"))
    #expect(fast.largestError > 6e-3 && fast.largestError < 2e-2)
    #expect(exact.largestError < fast.largestError)
  }

  @Test func rubbishIsRefused() {
    for (f, d) in [
      (Frequencies(), 7), (Frequencies(), 0), (Frequencies(base: 1), 8), (Frequencies(base: .infinity), 8),
      (Frequencies(scaling: .linear(0.5)), 8), (Frequencies(scaling: .ntk(2)), 2),
      (Frequencies(scaling: .yarn(2, original: 0)), 8),
    ] {
      #expect(throws: UnfitFormula.self) { try f.check(dimensions: d) }
    }
  }
}
