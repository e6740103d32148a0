import NumKit
import Testing

@testable import Tolerances

/// Defects planted in attention, products and norms, and what rules make of them.
@Suite struct TensorMutationTests {
  private static let formats = [NumberFormat.f32, .f16, .bf16]

  private static func numbers(_ count: Int, _ seed: UInt64, range: Double = 1) -> [Double] {
    let rows = GeneratedRows(.normal, range: range, rows: 1, length: count, seed: seed)
    var x = [Double](repeating: 0, count: count)
    x.withUnsafeMutableBufferPointer { rows.read(0, into: $0) }
    return x
  }

  private static func configuration(_ dtype: NumberFormat) -> KernelConfiguration {
    KernelConfiguration(storage: .float(dtype), compute: .f32, accumulator: .f32)
  }

  private static func rules(_ names: [String]) throws -> [ToleranceRule] {
    try names.map { try ToleranceRule(parsing: $0) }
  }

  private static func attention(
    _ dtype: NumberFormat, _ algorithm: AttentionAlgorithm = .flash, range: Double = 1,
    rules: [String] = ["bound"], threads: Int = 1,
    asking parameters: AttentionParameters = AttentionParameters()
  ) throws -> [MutationOutcome] {
    let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 24, keys: 96, headSize: 16)
    let tensors = try #require(
      AttentionInputs(
        q: numbers(4 * 24 * 16, 1, range: range), k: numbers(2 * 96 * 16, 2), v: numbers(2 * 96 * 16, 3),
        shape: shape))
    let runner = AttentionRunner(algorithm, configuration(dtype), blockKeys: 32)
    let stored = runner.stored(tensors)
    let study = MutationStudy(
      runner, on: stored, parameters, rules: try self.rules(rules), threads: threads)
    #expect(Set(study.defects.map(\.name)).count == study.defects.count)
    return try study.run(on: AttentionQueries(stored, block: study.chunk))
  }

  private static func matmul(
    _ dtype: NumberFormat, _ rules: [String] = ["bound"], threads: Int = 1
  ) throws -> [MutationOutcome] {
    let configuration = try MatmulConfiguration(
      storage: .float(dtype), accumulator: .float(.f32), result: dtype)
    let inputs = try #require(
      MatmulInputs(rows: numbers(12 * 64, 4), columns: numbers(64 * 64, 5), inner: 64))
    let stored = inputs.stored(as: .float(dtype), .none)
    let study = try MutationStudy(
      .pairwise, configuration, of: stored, rules: try self.rules(rules), threads: threads)
    #expect(Set(study.defects.map(\.name)).count == study.defects.count)
    return try study.run(on: MatmulRows(stored, stored: stored, dtype: .float(dtype)))
  }

  private static func norm(
    _ operation: Normalization, _ dtype: NumberFormat, _ rules: [String] = ["bound"], threads: Int = 1,
    weight: [Double] = [], epsilon: Double = 1e-3
  ) throws -> [MutationOutcome] {
    let algorithm = try #require(
      NormAlgorithm.all(for: operation).first {
        $0.description == (operation.isCentered ? "two-pass:pairwise" : "naive:pairwise")
      })
    let rows = try NormRows(
      GeneratedRows(.normal, range: 1, rows: 9, length: 48, seed: 7), operation,
      parameters: NormParameters(epsilon: epsilon, weight: weight), configuration: configuration(dtype))
    let study = try MutationStudy(
      algorithm, configuration(dtype), on: rows, rules: try self.rules(rules), threads: threads)
    #expect(Set(study.defects.map(\.name)).count == study.defects.count)
    return try study.run(on: rows)
  }

  private static func harmless(_ all: [MutationOutcome]) -> Set<String> {
    Set(all.dropFirst().filter(\.isHarmless).compactMap(\.defect))
  }

  private static func names(_ all: [MutationOutcome]) -> Set<String> { Set(all.compactMap(\.defect)) }

  /// The kernels that defects are planted in keep their bounds, whatever the format.
  @Test(arguments: formats)
  func theKernelsWithoutADefectAreRight(_ dtype: NumberFormat) throws {
    for range in [1.0, 30] {
      // Without a shift large scores overflow.
      for algorithm in AttentionAlgorithm.allCases where algorithm != .naive || range == 1 {
        let right = try Self.attention(dtype, algorithm, range: range)[0]
        #expect(right.defect == nil && right.judgement.verdicts[0].accepts, "\(algorithm) \(range)")
      }
    }
    var rights = [try Self.matmul(dtype)[0]]
    for operation in Normalization.allCases { rights.append(try Self.norm(operation, dtype)[0]) }
    for right in rights { #expect(right.defect == nil && right.judgement.verdicts[0].accepts) }
  }

  /// What does no harm to attention on N(0, 1) in f32 is known, and why; all else the bound catches.
  @Test func theBoundCatchesWhatHarmsAttention() throws {
    let all = try Self.attention(
      .f32, asking: AttentionParameters(softcap: 5, mask: AttentionMask(causal: true)))
    // No score here is large enough to overflow; of two batches each has one key head.
    #expect(
      Self.harmless(all) == ["no-shift", "stale-maximum", "the-first-kv-head-for-every-head-2-batches"])
    for name in [
      "skipped-rescale", "f16-accumulator", "bf16-accumulator", "f16-probabilities", "bf16-probabilities",
      "scale-missing", "scale-squared", "causal-mask-ignored", "causal-mask-one-key-too-far-right",
      "causal-mask-one-key-too-far-left", "softcap-missing", "kv-head-h-mod-Hkv",
      "stale-the-answer-of-the-query-before", "inputs-rounded-to-bf16", "uniform", "zeros",
      "row-mean-everywhere",
    ] { #expect(Self.names(all).contains(name), "\(name)") }
    let open = Self.names(try Self.attention(.f32))
    // A head of 16 makes them one.
    #expect(open.contains("scale-squared") && !open.contains("scale-1/d"))
    #expect(open.isSuperset(of: ["last-key-left-out", "last-32-keys-left-out", "keys-and-values-swapped"]))
    // What was not asked for cannot be left out.
    #expect(open.isDisjoint(with: ["causal-mask-ignored", "softcap-missing", "last-16-keys-left-out"]))
    #expect(!open.contains { $0.contains("see-nothing") })
  }

  /// Scores that need a shift show what N(0, 1) hides.
  @Test func largeScoresShowTheOthers() throws {
    let all = try Self.attention(.f32, range: 60)
    for name in ["no-shift", "stale-maximum"] {
      let found = try #require(all.first { $0.defect == name })
      #expect(!found.isHarmless && found.judgement.maxUlp == .infinity, "\(name)")
    }
  }

  /// In a short format a cut costs a whole ulp where half of one is the rounding.
  @Test(arguments: [NumberFormat.f16, .bf16])
  func cutsShowInShortFormats(_ dtype: NumberFormat) throws {
    for all in [
      try Self.attention(dtype), try Self.matmul(dtype), try Self.norm(.rmsNorm, dtype),
      try Self.norm(.layerNorm, dtype),
    ] {
      let cut = try #require(all.first { $0.defect == "truncation" })
      #expect(all[0].judgement.maxUlp < 0.75 && cut.judgement.maxUlp > 0.9, "\(dtype.name)")
      #expect(cut.judgement.maxUlp < 1.2)
    }
    #expect(!Self.names(try Self.matmul(.f32)).contains("truncation"))
  }

  @Test func theBoundCatchesWhatHarmsProducts() throws {
    let all = try Self.matmul(.f32)
    #expect(Self.harmless(all) == [])
    #expect(
      Self.names(all).isSuperset(of: [
        "f16-accumulator", "bf16-accumulator", "B-transposed", "last-of-the-inner-dimension-left-out",
        "last-32-of-the-inner-dimension-left-out", "rows-swapped-in-pairs", "columns-swapped-in-pairs",
        "inputs-rounded-to-tf32", "zeros", "the-product-doubled", "one-percent-too-large",
      ]))
  }

  @Test(arguments: Normalization.allCases)
  func theBoundCatchesWhatHarmsNorms(_ operation: Normalization) throws {
    let weight = (0..<48).map { 0.5 + Double($0) / 64 }
    let all = try Self.norm(operation, .f32, weight: weight)
    #expect(Self.harmless(all) == [])
    #expect(
      Self.names(all).isSuperset(of: [
        "f16-accumulator", "bf16-accumulator", "epsilon-left-out", "epsilon-outside-of-the-root",
        "variance-over-n-1", "last-element-left-out-of-the-squares", "weight-left-out",
        "1-+-weight-in-place-of-weight", "rows-swapped-in-pairs", "zeros", "last-result-0",
        operation.isCentered ? "mean-not-subtracted-the-answer-of-rmsnorm" : "the-answer-of-layernorm",
      ]))
    #expect(!Self.names(try Self.norm(operation, .f32)).contains("weight-left-out"))
  }

  /// A wide tolerance lets much through that the bound catches; what a plain kernel errs by is a measure too.
  @Test func looseRulesLetMuchThrough() throws {
    let rules = ["bound", "kernelbench", "flash-attention", "ulp=16"]
    let all = try Self.attention(.bf16, rules: rules)
    let passing = all.passing(rules.count)
    #expect(passing[0] == [] && passing[1].contains("bf16-probabilities"))
    #expect(passing[2].contains("bf16-accumulator") && !passing[2].contains("zeros"))
    #expect(passing[1].count < all.count / 2)
    let products = try Self.matmul(.bf16, rules).passing(rules.count)
    #expect(products[0] == [] && products[1].contains("truncation") && !products[1].contains("zeros"))
    #expect(products[2].contains("bf16-accumulator") && products[3].contains("one-percent-too-large"))
  }

  /// What is planted by name is all that is planted.
  @Test func defectsAreChosenByName() throws {
    let configuration = Self.configuration(.f32)
    let rows = try NormRows(
      GeneratedRows(.normal, range: 1, rows: 2, length: 8, seed: 7), .rmsNorm,
      parameters: NormParameters(epsilon: 1e-6), configuration: configuration)
    let study = try MutationStudy(
      NormAlgorithm.all(for: .rmsNorm)[0], configuration, on: rows, rules: RuleRegistry.all
    ).planting { $0 == "zeros" }
    #expect(try study.run(on: rows).map(\.defect) == [nil, "zeros"])
  }

  @Test func threadsChangeNothing() throws {
    let rules = ["bound", "torch", "ggml-nmse", "flash-attention"]
    for (one, three) in [
      (try Self.attention(.bf16, rules: rules), try Self.attention(.bf16, rules: rules, threads: 3)),
      (try Self.matmul(.f32, rules), try Self.matmul(.f32, rules, threads: 3)),
      (try Self.norm(.layerNorm, .f16, rules), try Self.norm(.layerNorm, .f16, rules, threads: 3)),
    ] {
      for (a, b) in zip(one, three) {
        #expect(a.judgement.verdicts.map(\.excess) == b.judgement.verdicts.map(\.excess), "\(a.defect ?? "")")
        #expect(a.judgement.verdicts.map { $0.worst?.row } == b.judgement.verdicts.map { $0.worst?.row })
      }
    }
  }
}
