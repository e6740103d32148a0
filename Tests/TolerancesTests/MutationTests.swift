import NumKit
import Testing

@testable import Tolerances

/// Planted defects, and what rules make of them.
@Suite struct MutationTests {
  private func outcomes(
    _ operation: RowOperation = .softmax, _ dtype: NumberFormat = .f32, rows: Int = 8, length: Int = 512,
    range: Double = 1, seed: UInt64 = 3, _ distribution: Distribution = .normal,
    rules: [String] = ["bound", "ulp16", "torch", "kernelbench", "ggml-nmse"],
    threads: Int = 1
  ) throws -> [MutationOutcome] {
    let configuration = KernelConfiguration(storage: .float(dtype), compute: .f32, accumulator: .f32)
    let source = GeneratedRows(distribution, range: range, rows: rows, length: length, seed: seed)
    return try MutationStudy(
      operation, configuration, on: source, rules: rules.map { try ToleranceRule(parsing: $0) },
      threads: threads
    ).run(on: StoredRows(source, parameters: .init(), targets: nil, configuration: configuration))
  }

  private func outcome(_ name: String, _ all: [MutationOutcome]) throws -> MutationOutcome {
    try #require(all.first { $0.defect == name })
  }

  /// The kernel that defects are planted in keeps the sound bound of its plan, whatever the format and the rows.
  @Test(arguments: Defect.operations)
  func theKernelWithoutADefectIsRight(_ operation: RowOperation) throws {
    for format in [NumberFormat.f32, .f16, .bf16] {
      for seed in 1...8 {
        let right = try outcomes(
          operation, format, rows: 2, length: 257, range: Double(seed), seed: UInt64(seed))[0]
        #expect(
          right.defect == nil && right.judgement.verdicts[0].accepts, "\(operation) \(format.name) \(seed)")
      }
    }
  }

  /// On N(0, 1) in f32 each of these does harm, and the bound catches it. What does no harm here is known too, and why.
  @Test func theBoundCatchesWhatDoesHarm() throws {
    let all = try outcomes()
    // No logit here is large enough to overflow, no row has a NaN, and cutting a bit is within what sums may lose.
    let harmless: Set = ["no-shift", "stale-maximum", "truncation", "nan-ignored"]
    for o in all.dropFirst() {
      let name = o.defect ?? ""
      #expect(o.isHarmless == harmless.contains(name), "\(name): \(o.judgement.verdicts[0].excess)")
    }
    #expect(all.count == DefectRegistry.all.count + 1)
  }

  /// Rows that need a shift, and rows that were meant for a longer one, show what N(0, 1) hides.
  @Test func largeLogitsShowTheOthers() throws {
    let all = try outcomes(range: 120, .ascending)
    for name in ["no-shift", "stale-maximum"] {
      let o = try outcome(name, all)
      #expect(!o.isHarmless && o.judgement.verdicts[0].excess == .infinity, "\(name)")
    }
    // In bf16 a cut costs a whole ulp where half of one is the rounding.
    let cut = try outcome("truncation", try outcomes(.softmax, .bf16))
    #expect(cut.judgement.maxUlp > 0.9 && cut.judgement.maxUlp < 1.1)
  }

  /// What a tolerance of 1e-2 misses in rows of 4096 and more, where a probability is 2e-4: nearly all.
  @Test func looseRulesLetMuchThrough() throws {
    let all = try outcomes(rows: 4, length: 4096)
    let harmful = all.dropFirst().filter { !$0.isHarmless }
    func caught(_ k: Int) -> Int { harmful.count { !$0.judgement.verdicts[k].accepts } }
    #expect(caught(0) == harmful.count && caught(1) == harmful.count)
    #expect(caught(3) < caught(2) && caught(3) <= harmful.count / 4)
    #expect(try outcome("zeros", all).judgement.verdicts[3].accepts)
    #expect(!(try outcome("zeros", all).judgement.verdicts[2].accepts))
  }

  /// No rule takes a NaN, a missing infinity or a wrong one for a small error.
  @Test func nanIsNoWildcard() throws {
    var judgement = Judgement(
      [.close(atol: 1, rtol: 1), .ulp(1e9), .bound, .normalizedMeanSquare(1), .cosine(2)], .f32)
    let truth = Reference(.softmax, format: .f32)
    var t = Truth()
    [1.0, 2, 3].withUnsafeBufferPointer { truth.answer($0, parameters: .init(), into: &t) }
    let row = RowTruth(
      truth: t, exact: t.high, rounded: t.rounded, bounds: [1, 1, 1], plain: t.rounded)
    judgement.add(row: 0, [t.rounded[0], .nan, t.rounded[2]], row)
    judgement.finish()
    for v in judgement.verdicts { #expect(!v.accepts) }
  }

  @Test func threadsChangeNothing() throws {
    let (one, two) = (try outcomes(rows: 9, length: 100), try outcomes(rows: 9, length: 100, threads: 3))
    for (a, b) in zip(one, two) {
      #expect(a.judgement.verdicts.map(\.excess) == b.judgement.verdicts.map(\.excess))
      #expect(a.judgement.verdicts.map { $0.worst?.row } == b.judgement.verdicts.map { $0.worst?.row })
    }
  }

  @Test func namesAreOfOneThingEach() {
    #expect(Set(DefectRegistry.all.map(\.name)).count == DefectRegistry.all.count)
    #expect(Set(RuleRegistry.all.map(\.name)).count == RuleRegistry.all.count)
  }
}
