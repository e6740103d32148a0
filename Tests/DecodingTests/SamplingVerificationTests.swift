import NumKit
import Testing

@testable import Decoding

/// Other people's samplers judged: sets and shares, row by row.
@Suite struct SamplingVerificationTests {
  private struct Held: ResultSource {
    typealias Q = FormulaQuestion<SamplingFormula>
    let rows: [[Double]]
    func results(
      of item: FormulaQuestion<SamplingFormula>.Item, into results: UnsafeMutableBufferPointer<Double>
    ) {
      for (i, y) in rows[item.row].enumerated() { results[i] = y }
    }
  }

  private struct Rows: RowSource {
    let values: [[Double]]
    var rowCount: Int { values.count }
    var length: Int { values[0].count }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      _ = buffer.update(from: values[row])
    }
  }

  /// Logits of f32: normal, tied, nearly tied, all equal, far apart, some of −∞.
  private func rows(_ count: Int, _ length: Int, seed: UInt64) -> Rows {
    Rows(
      values: (0..<count).map { row in
        var random = RandomSource(seed: seed, row: row)
        return (0..<length).map { i in
          let x =
            switch row % 6 {
            case 0, 1: 2 * random.normal()
            case 2: (2 * random.normal()).rounded()
            case 3: 1 + 0x1p-23 * (4 * random.uniform()).rounded()
            case 4: 30 * random.normal()
            default: i > 0 && random.uniform() < 0.3 ? -Double.infinity : random.normal()
            }
          return NumberFormat.f32.round(x)
        }
      })
  }

  private let rules = [
    SamplingRule(topP: 0.9), SamplingRule(temperature: 0.7, topK: 8), SamplingRule(minP: 0.1),
    SamplingRule(temperature: 1.3, topK: 12, topP: 0.8, minP: 0.02),
    SamplingRule(temperature: 0.3, topP: 0.5),
    SamplingRule(),
  ]

  private func results(_ sampler: PlainSampler, _ rows: Rows, isMask: Bool) -> [[Double]] {
    rows.values.map { x in
      sampler.shares(x).map { isMask ? ($0 == nil ? 0 : 1) : NumberFormat.f32.round($0 ?? 0) }
    }
  }

  private func judged(
    _ rule: SamplingRule, _ results: [[Double]], on rows: Rows, isMask: Bool, claims: String? = nil
  ) throws -> GuestFindings<FormulaQuestion<SamplingFormula>> {
    var verification = FormulaVerification(
      SamplingFormula(rule, isMask: isMask), format: isMask ? .mask : .f32)
    if let claims { verification.claims = try Claims(parsing: claims) }
    return try verification.run("planted", Held(rows: results), on: rows).0.findings
  }

  /// Samplers that compute in f32, however they sum, are within what rounding may do, and nothing is said of them.
  @Test(arguments: PlainSampler.Style.allCases) func rightSamplersHold(_ style: PlainSampler.Style) throws {
    for (k, rule) in rules.enumerated() {
      let rows = rows(36, 40, seed: UInt64(k))
      for format in [NumberFormat.f32, .f64, .bf16] {
        for multiplies in [false, true] {
          var sampler = PlainSampler(rule: rule, format: format, style: style)
          sampler.multiplies = multiplies
          // A sum of bf16 would stall.
          if format == .bf16, style != .descending { continue }
          for isMask in [false, true] {
            let claims = format == .bf16 ? "compute=bf16,accumulate=bf16" : nil
            let found = try judged(
              rule, results(sampler, rows, isMask: isMask), on: rows, isMask: isMask, claims: claims)
            #expect(
              found.wrong[0].count == 0,
              "\(rule) \(format.name) \(multiplies) \(isMask) \(found.wrong[0].worst.prefix(2))")
            if format == .f64 { #expect(found.hypotheses.isEmpty, "\(found.hypotheses.map(\.name))") }
          }
        }
      }
    }
  }

  /// Of a few dozen tokens nearly every set is certain in f32, so that a wrong one is seen.
  @Test func mostSetsAreDecided() throws {
    let logits = Rows(
      values: (0..<200).map { row in
        var random = RandomSource(seed: 11, row: row)
        return (0..<64).map { _ in NumberFormat.f32.round(2 * random.normal()) }
      })
    let roundings = try #require(SamplerRoundings(compute: .f32, accumulator: .f32))
    for rule in rules {
      let decided = try logits.values.count { x in
        let truth = try #require(SamplingTruth(x, rule))
        let edges = try #require(SamplingEdges(x, truth, SamplingChain(rule), roundings))
        for place in edges.sure.indices {
          #expect(!edges.sure[place] || place < truth.kept)
          #expect(edges.possible[place] || place >= truth.kept)
        }
        return edges.isDecided
      }
      #expect(decided >= 190, "\(rule)")
    }
  }

  /// Where a sum comes within rounding of p, either set is right; one beyond is not.
  @Test func edgesMayGoEitherWay() throws {
    // Four shares of nearly 1/4: the sum of two is 1/2 and a little.
    let x = [1 + 0x1p-23, 1, 1, 1 - 0x1p-24]
    let rows = Rows(values: [x])
    let rule = SamplingRule(topP: 0.5)
    for (mask, wrong) in [([1.0, 1, 0, 0], 0), ([1, 1, 1, 0], 0), ([1, 0, 0, 0], 1), ([1, 1, 1, 1], 1)] {
      let found = try judged(rule, [mask], on: rows, isMask: true)
      #expect(found.wrong[0].count == wrong, "\(mask)")
      // In f64 there is one.
      let strict = try judged(rule, [mask], on: rows, isMask: true, claims: "compute=f64,accumulate=f64")
      #expect((strict.wrong[0].count == 0) == (mask == [1, 1, 0, 0]), "\(mask)")
    }
    let sights = try KeptSights.look(
      SamplingFormula(rule, isMask: true), at: Held(rows: [[1, 1, 1, 0]]), .mask, on: rows, compute: .f32,
      accumulator: .f32, threads: 1)
    #expect(sights.open == 1 && sights.other == 1 && sights.wrong == 0 && sights.firstOpen == [0])
    #expect(sights.firstOther.map(\.row) == [KeptSights.Row(row: 0, added: [2], lost: [])])
  }

  private let named: [(PlainSampler.Mistake, SamplingRule, [String])] = [
    (.tiesLast, SamplingRule(topK: 5), ["of equal logits the later token first"]),
    (.noTemperature, SamplingRule(temperature: 0.6, topP: 0.8), ["temperature left out"]),
    (.timesTemperature, SamplingRule(temperature: 0.6, topP: 0.8), ["multiplied by the temperature"]),
    (.temperatureLast, SamplingRule(temperature: 0.6, topP: 0.8), ["cuts made before the temperature"]),
    (
      .topPBeforeTemperature, SamplingRule(temperature: 2.5, topP: 0.9, minP: 0.15),
      ["top-p cut before the temperature"]
    ),
    (
      .topPFirst, SamplingRule(topK: 9, topP: 0.85),
      ["top-p of all tokens' probabilities, not of those that top-k left"]
    ),
    (.minPFirst, SamplingRule(topP: 0.85, minP: 0.12), ["min-p cut before top-k and top-p"]),
    (.topKMore, SamplingRule(topK: 6), ["top-k keeps one too many"]),
    (.topKFewer, SamplingRule(topK: 6), ["top-k keeps one too few"]),
    (.topKTies, SamplingRule(topK: 6), ["top-k keeps all that are equal to its last"]),
    (.within, SamplingRule(topP: 0.8), ["top-p leaves out the token that reaches p"]),
    (.oneMore, SamplingRule(topP: 0.8), ["top-p keeps one too many"]),
    (
      .sharesOfAll, SamplingRule(topK: 9, topP: 0.9),
      ["top-p of all tokens' probabilities, not of those that top-k left"]
    ),
    (.complement, SamplingRule(topP: 0.8), ["1 - p in place of p"]),
    (.absolute, SamplingRule(minP: 0.05), ["min-p of 1, not of the largest probability"]),
    (.noTopK, SamplingRule(topK: 6), ["top-k left out"]),
    (.noTopP, SamplingRule(topP: 0.8), ["top-p left out"]),
    (.noMinP, SamplingRule(minP: 0.05), ["min-p left out"]),
  ]

  /// The mistake alone is named, of masks and of shares, as others make it in f32.
  @Test func mistakesAreNamed() throws {
    let rows = Rows(
      values: (0..<40).map { row in
        var random = RandomSource(seed: 3, row: row)
        return (0..<32).map { _ in (8 * random.normal()).rounded() / 4 }
      })
    for (mistake, rule, names) in named {
      for isMask in [false, true] {
        let sampler = PlainSampler(rule: rule, format: .f32, mistake: mistake)
        let found = try judged(rule, results(sampler, rows, isMask: isMask), on: rows, isMask: isMask)
        #expect(found.wrong[0].count > 0, "\(mistake)")
        let wanted = isMask && mistake == .temperatureLast ? ["temperature left out"] : names
        #expect(found.hypotheses.map(\.name) == wanted, "\(mistake) \(isMask)")
      }
    }
  }

  /// Shares that are not of what is kept.
  @Test func wrongSumsAreNamed() throws {
    let rows = rows(12, 40, seed: 8)
    let rule = SamplingRule(topK: 12, topP: 0.7)
    for (mistake, name) in [
      (PlainSampler.Mistake.unnormalised, "probabilities not divided by the sum of those kept"),
      (.sumOfTopK, "probabilities divided by the sum of those that top-k left"),
    ] {
      let sampler = PlainSampler(rule: rule, format: .f32, mistake: mistake)
      let found = try judged(rule, results(sampler, rows, isMask: false), on: rows, isMask: false)
      #expect(found.wrong[0].count > 0 && found.hypotheses.map(\.name) == [name])
      #expect(
        try judged(rule, results(sampler, rows, isMask: true), on: rows, isMask: true).wrong[0].count == 0)
    }
  }

  /// The other edge shows where a sum is p, in equal logits alone.
  @Test func theOtherEdgeIsNamed() throws {
    let rows = Rows(
      values: (0..<12).map { row -> [Double] in
        row % 3 == 0 ? [0, 1, 4, 2, 2, 4, 1, 0] : Array(repeating: Double(row), count: 8)
      })
    let rule = SamplingRule(topP: 0.5)
    for isMask in [false, true] {
      let sampler = PlainSampler(rule: rule, format: .f32, mistake: .beyond)
      let found = try judged(rule, results(sampler, rows, isMask: isMask), on: rows, isMask: isMask)
      #expect(
        found.wrong[0].count > 0
          && found.hypotheses.map(\.name) == ["top-p goes on until its sum is more than p"],
        "\(found.hypotheses.map(\.name))")
    }
  }

  /// Chains keep what plain samplers in Double do that make the same mistake.
  @Test func chainsAreTheMistakes() throws {
    let rows = rows(60, 24, seed: 21)
    for (mistake, rule, names) in named {
      let made = try #require(SamplingMistake.all(of: rule, isMask: false).first { $0.name == names[0] })
      var chain = SamplingChain(rule)
      made.change(&chain)
      let sampler = PlainSampler(rule: rule, mistake: mistake)
      for x in rows.values where x.allSatisfy(\.isFinite) {
        let truth = try #require(SamplingTruth(x, chain))
        let kept = Set(sampler.shares(x).enumerated().filter { $0.element != nil }.map(\.offset))
        #expect(truth.tokens == kept || truth.margin.map { $0 < 1e-14 } ?? false, "\(mistake) \(x)")
      }
    }
  }
}
