import NumKit
import Quant
import Testing

/// Key-value caches and scaled inputs: what attention gets of keys and values that were squeezed.
@Suite struct KeyValueCacheTests {
  private func tensors(_ shape: AttentionShape, scale: Double = 1, seed: UInt64 = 5) throws
    -> AttentionInputs
  {
    var random = RandomSource(seed: seed, row: 0)
    func fill(_ n: Int) -> [Double] { (0..<n).map { _ in scale * Double(Float16(random.normal())) } }
    return try #require(
      AttentionInputs(
        q: fill(shape.heads * shape.queries * shape.headSize),
        k: fill(shape.keyHeads * shape.keys * shape.headSize),
        v: fill(shape.keyHeads * shape.keys * shape.valueSize), shape: shape))
  }

  // MARK: Caches

  /// Every step of decoding is a row of the full pass, digit for digit, as long as the cache loses nothing.
  @Test(arguments: [AttentionAlgorithm.standard, .flash, .splitKV])
  func decodingIsTheFullPass(_ algorithm: AttentionAlgorithm) throws {
    let shape = AttentionShape(heads: 2, keyHeads: 1, queries: 9, keys: 9, headSize: 4)
    let t = try tensors(shape)
    let runner = AttentionRunner(
      algorithm, KernelConfiguration(storage: .float(.f16), accumulator: .f32), blockKeys: 4)
    let full = try #require(
      runner.run(t, AttentionParameters(mask: AttentionMask(causal: true)), rows: 0..<18))
    let experiment = CacheExperiment(t, runner)
    for step in 0..<9 {
      let o = try experiment.decode(step, CacheFormat("f16"))
      #expect(Array(o[..<4]) == Array(full.output[step * 4..<step * 4 + 4]))
      #expect(Array(o[4...]) == Array(full.output[(9 + step) * 4..<(9 + step) * 4 + 4]))
    }
  }

  @Test func cachesLoseWhatTheirScalesLetThem() throws {
    let x = [1.0, 2, 3, 127, 0.5, -1, 0.25, 1]
    // Two tokens of four numbers. One scale a token: 1, and 1/127.
    let token = try CacheFormat("int8@token").decoded(x[...], tokens: 2, width: 4)
    #expect(Array(token[..<4]) == [1, 2, 3, 127])
    #expect((token[4] - 0.5).magnitude <= 0.5 / 127 && token[5] == Double(-127 * Float(1.0 / 127)))
    // One a channel of two tokens: 0.5 of 1 is not lost beside 127.
    let channel = try CacheFormat("int4@channel2").decoded(x[...], tokens: 2, width: 4)
    #expect((channel[0] - 1).magnitude < 1e-6 && (channel[4] - 0.5).magnitude < 0.08)
    // A channel's block is encoded once it is whole; the last tokens stay.
    let recent = try CacheFormat("int4@token", recent: 1).decoded(x[...], tokens: 2, width: 4)
    #expect(Array(recent[4...]) == Array(x[4...]) && recent[0] != 1)
    #expect(try CacheFormat("int4@channel32").decoded(x[...], tokens: 2, width: 4) == x)
  }

  /// KIVI's codes count from the least number, by a step in f16.
  @Test func codesCountFromTheLeast() throws {
    let format = try CacheFormat("uint4@token:min,f16")
    // Steps of 2 from 1; of 0.1 rounded to f16 from 5; one value alone.
    let x: [Double] = [1, 2, 4, 31, 5, 5.1, 5.2, 6.5, 3, 3, 3, 3]
    let y = try format.decoded(x[...], tokens: 3, width: 4)
    let step = NumberFormat.f16.round((6.5 - 5) / 15)
    let expected: [Double] = [1, 1, 5, 31, 5, 5 + step, 5 + 2 * step, 5 + 15 * step, 3, 3, 3, 3]
    #expect(y == expected && step != 0.1)
    #expect(try format.bits(tokens: 3, width: 4) == 3 * (4 * 4 + 32))
    // The range need not hold 0: a grid with a zero point loses digits far from it.
    let far = try CacheFormat("uint4@token").decoded(x[4..<8], tokens: 1, width: 4)
    #expect(zip(far, x[4...]).contains { ($0 - $1).magnitude > 0.1 })
  }

  @Test func cacheSizesCountScales() throws {
    func bits(_ name: String, recent: Int = 0) throws -> Int {
      try CacheFormat(name, recent: recent).bits(tokens: 100, width: 64)
    }
    #expect(try bits("f16") == 100 * 64 * 16)
    #expect(try bits("int8@token") == 100 * (64 * 8 + 32))
    #expect(try bits("int4@g32") == 100 * (64 * 4 + 2 * 32))
    #expect(try bits("uint4@g32") == 100 * (64 * 4 + 2 * 40))
    // 68 are old; 64 of them are whole blocks of 32.
    #expect(try bits("int4@channel32", recent: 32) == 64 * 64 * 4 + 2 * 64 * 32 + 36 * 64 * 16)
    // A block's own sizes: 32 codes and an f16 scale, 32 codes and an exponent, codes alone.
    #expect(try bits("q8_0") == 100 * 2 * 34 * 8)
    #expect(try bits("mxfp4") == 100 * 2 * 17 * 8)
    #expect(try bits("f8e4m3fn:saturate") == 100 * 64 * 8)
    for rubbish in [
      "", "@", "f16@", "f16@g0", "f16@g-1", "x@token", "f16@token@token", "e8m0", "f16@channelx",
      "int8@channel0", "q9_0",
    ] {
      #expect(throws: SchemeError.self, "\(rubbish)") { try CacheFormat(rubbish) }
    }
    // A width that no block fits is an error, not a trap.
    #expect(throws: SchemeError.self) { try CacheFormat("q8_0").bits(tokens: 4, width: 20) }
  }

  // MARK: Scaled inputs

  @Test func rotationKeepsProductsAndSpreadsOutliers() throws {
    var x = [Double](repeating: 0, count: 64)
    x[5] = 64
    let shape = AttentionShape(queries: 1, keys: 1, headSize: 64)
    let t = try #require(AttentionInputs(q: x, k: x.reversed() + [], v: x, shape: shape))
    var random = RandomSource(seed: 1, row: 1)
    let r = try #require(ScaledInputs(block: nil, rotates: true).applied(to: t, .f64, using: &random))
    #expect(r.q.allSatisfy { $0.magnitude == 8 } && r.v == t.v)
    #expect(zip(r.q, r.k).reduce(0) { $0 + $1.0 * $1.1 } == 0)
    let odd = try #require(
      AttentionInputs(
        q: [1, 2, 3], k: [1, 2, 3], v: [1],
        shape: AttentionShape(queries: 1, keys: 1, headSize: 3, valueSize: 1)))
    #expect(ScaledInputs(block: nil, rotates: true).applied(to: odd, .f8e4m3fn, using: &random) == nil)
  }

  @Test func aBlockHasItsOwnScale() throws {
    let shape = AttentionShape(queries: 2, keys: 2, headSize: 2)
    let t = try #require(
      AttentionInputs(q: [1, 0.0003, 400, 10], k: [1, 1, 1, 1], v: [0, 0, 0, 0], shape: shape))
    var random = RandomSource(seed: 1, row: 1)
    let whole = try #require(
      ScaledInputs(block: nil, rotates: false).applied(to: t, .f8e4m3fn, using: &random))
    let blocks = try #require(
      ScaledInputs(block: 1, rotates: false).applied(to: t, .f8e4m3fn, using: &random))
    #expect(
      (blocks.q[1] - 0.0003).magnitude < 2e-5 && whole.q[1] == 0)
    #expect(blocks.v == [0, 0, 0, 0] && (whole.q[2] - 400).magnitude < 1e-4)
  }
}
