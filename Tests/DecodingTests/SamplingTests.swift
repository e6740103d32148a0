import Foundation
import NumKit
import Testing

@testable import Decoding

/// Sets of tokens beside those of an independent computation, and what must hold of any.
@Suite struct SamplingTests {
  private struct Golden {
    let rule: SamplingRule
    let logits: [Double]
    let kept: [Int]
  }

  private func goldens() throws -> [Golden] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("fixtures/sampling/golden.txt")
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
      let parts = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.split(separator: " ").map(String.init)
      }
      let rule = SamplingRule(
        temperature: try #require(Double(parts[0][0])), topK: Int(parts[0][1]), topP: Double(parts[0][2]),
        minP: Double(parts[0][3]))
      return Golden(
        rule: rule, logits: try parts[1].map { try #require(Double($0)) },
        kept: parts[2].compactMap { Int($0) })
    }
  }

  @Test func setsAreThoseOfAnIndependentComputation() throws {
    let all = try goldens()
    #expect(all.count > 300)
    for g in all {
      let truth = try #require(SamplingTruth(g.logits, g.rule))
      #expect(Array(truth.order.prefix(truth.kept)) == g.kept, "\(g.rule) \(g.logits)")
    }
  }

  /// A larger p or k, a smaller min-p never keeps fewer.
  @Test func setsAreNested() throws {
    for seed in 0..<40 {
      var random = RandomSource(seed: 5, row: seed)
      let x = (0..<30).map { _ in 3 * random.normal() }
      var before = 0
      for p in stride(from: 0.05, through: 1, by: 0.05) {
        let kept = try #require(SamplingTruth(x, SamplingRule(topP: p))).kept
        #expect(kept >= before)
        before = kept
      }
      #expect(before <= 30)
      before = 30
      for p in stride(from: 0.01, through: 1, by: 0.09) {
        let kept = try #require(SamplingTruth(x, SamplingRule(minP: p))).kept
        #expect(kept <= before && kept >= 1)
        before = kept
      }
    }
  }

  /// In f64 a decoder keeps what it should, but where a cut is nearer than its rounding.
  @Test func doublesKeepTheRightSets() throws {
    let algorithm = try #require(
      Algorithm.all(for: .softmax, dtype: .float(.f64)).first { $0.description == "shifted" })
    let study = SamplingStudy(
      SamplingRule(temperature: 0.8, topK: 50, topP: 0.9), [algorithm],
      KernelConfiguration(storage: .float(.f64)))
    let result = try study.run(on: GeneratedRows(.normal, range: 3, rows: 200, length: 300, seed: 2))
    #expect(result.outcomes[0].otherSets == 0 && result.outcomes[0].greedyFlips == 0 && result.rows == 200)
    #expect((result.margin?.size ?? 0) > 1e-12)
  }

  /// bf16 makes ties of what was apart: the first of equal ones is taken, and other tokens stand at the edge.
  @Test func shortFormatsKeepOthers() throws {
    let algorithm = try #require(
      Algorithm.all(for: .softmax, dtype: .float(.bf16)).first { $0.description == "shifted" })
    let kernel = try #require(
      SamplingKernel(algorithm, KernelConfiguration(storage: .float(.bf16)), SamplingRule(topK: 1)))
    // 1 + 2^-9 is 1 in bf16: the token before it wins.
    let x = [0, 1, 1 + 0x1p-9]
    #expect(kernel.answer(x).order.first == 1)
    #expect(try #require(SamplingTruth(x, SamplingRule(topK: 1))).order.first == 2)
    let study = SamplingStudy(
      SamplingRule(topP: 0.9), [algorithm], KernelConfiguration(storage: .float(.bf16)), threads: 2)
    let rows = GeneratedRows(.normal, range: 2, rows: 64, length: 2000, seed: 3)
    let result = try study.run(on: rows)
    #expect(result.outcomes[0].otherSets > 32 && result.outcomes[0].largestMass > 0.001)
    var one = study
    one.threads = 1
    let same = try one.run(on: rows)
    #expect(same.outcomes[0].largestMass == result.outcomes[0].largestMass)
    #expect(
      same.outcomes[0].worstRow == result.outcomes[0].worstRow && same.margin?.row == result.margin?.row)
  }

  @Test func rubbishIsRefused() {
    #expect(
      SamplingTruth([.nan, 1], SamplingRule()) == nil && SamplingTruth([.infinity, 1], SamplingRule()) == nil)
    #expect(SamplingTruth([-.infinity], SamplingRule()) == nil && SamplingTruth([], SamplingRule()) == nil)
    for rule in [
      SamplingRule(temperature: 0), SamplingRule(temperature: .nan), SamplingRule(topK: 0),
      SamplingRule(topP: 0),
      SamplingRule(topP: 1.5), SamplingRule(minP: -1), SamplingRule(minP: .nan),
    ] {
      #expect(throws: UnfitSampling.self) { try rule.check() }
    }
  }
}
