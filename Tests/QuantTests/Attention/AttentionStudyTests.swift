import NumKit
import Quant
import TestSupport
import Testing

/// Studies of low-precision attention: orders that the literature prints.
@Suite struct AttentionStudyTests {
  /// FlashAttention-3 §4.3, smaller: the order of its table.
  @Test func theOrderOfFlashAttention3() throws {
    let t = try drawnTensors(
      AttentionShape(queries: 512, keys: 512, headSize: 128), .outlier, range: 10, seed: 2)
    let ways = AttentionComparison.ways
    let (sums, certificate) = try AttentionComparison.run(ways, t, AttentionParameters(), seed: 1, threads: 2)
    let rmse = Dictionary(uniqueKeysWithValues: zip(ways.map(\.name), sums.map(\.rmse)))
    func of(_ name: String) throws -> Double { try #require(rmse[name]) }
    #expect(certificate.undecided == 0)
    #expect(try of("flash f16") < of("standard f16"))
    #expect(try of("standard f16") < of("flash fp8, scale a block, rotated") / 10)
    // Once rotated, a scale of a block and one of the tensor are alike; without, neither makes up for it.
    let (block, tensor) = (
      try of("flash fp8, scale a block, rotated"), try of("flash fp8, scale a tensor, rotated")
    )
    #expect((block / tensor - 1).magnitude < 0.15, "\(block) \(tensor)")
    #expect(try 1.1 * Swift.max(block, tensor) < of("flash fp8, scale a block"))
    #expect(try 1.1 * Swift.max(block, tensor) < of("standard fp8, scale a tensor"))
  }

  /// A narrower cache errs more; scales of a group less than scales of a token; a recent window helps.
  @Test func cachesErrInOrder() throws {
    let t = try drawnTensors(AttentionShape(heads: 2, keyHeads: 1, queries: 48, keys: 48, headSize: 32))
    let runner = AttentionRunner(.flash, KernelConfiguration(storage: .float(.f16), compute: .f32))
    let formats = try ["f16", "int8@token", "int4@g8", "int4@token"].map { try CacheFormat($0) }
    let kept = try CacheFormat("int4@token", recent: 32)
    let rmse = try CacheExperiment(t, runner, threads: 2).run(formats + [kept]).map(\.rmse)
    #expect(rmse[0] < rmse[1] && rmse[1] < rmse[2] && rmse[2] < rmse[3] && rmse[4] < rmse[3])
  }
}
