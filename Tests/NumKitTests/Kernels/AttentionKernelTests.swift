import NumKit
import Testing

/// Attention against sums done in Double, and the ways in which formats break it.
@Suite struct AttentionKernelTests {
  private static func random(_ count: Int, _ seed: UInt64) -> [Double] {
    var state = seed
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(Int64(bitPattern: state) >> 40) * 0x1p-22
    }
  }

  private func run(
    _ algorithm: AttentionAlgorithm, _ format: NumberFormat, accumulator: NumberFormat? = nil,
    probabilities: NumberFormat? = nil, block: Int = 4, sentinel: Double? = nil,
    q: [Double], k: [Double], v: [Double], _ shape: AttentionShape,
    _ parameters: AttentionParameters = AttentionParameters()
  ) throws -> AttentionResult {
    let configuration = KernelConfiguration(storage: .float(format), accumulator: accumulator)
    return try #require(
      AttentionRunner(
        algorithm, configuration, probabilities: probabilities, blockKeys: block, sentinel: sentinel
      ).run(q: q, k: k, v: v, shape: shape, parameters: parameters))
  }

  /// The formula, term by term, with a mask written out beside the library's.
  @Test(arguments: AttentionAlgorithm.allCases, [AttentionParameters.Placement.before, .after])
  func allAlgorithmsFollowTheFormula(
    _ algorithm: AttentionAlgorithm, _ placement: AttentionParameters.Placement
  ) throws {
    let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 5, keys: 11, headSize: 6, valueSize: 3)
    let q = Self.random(4 * 5 * 6, 1)
    let k = Self.random(2 * 11 * 6, 2)
    let v = Self.random(2 * 11 * 3, 3)
    let parameters = AttentionParameters(
      placement: placement, softcap: 3, mask: AttentionMask(causal: true, left: 3, sinks: 1))
    let result = try run(algorithm, .f64, q: q, k: k, v: v, shape, parameters)
    for h in 0..<4 {
      for i in 0..<5 {
        var sum = 0.0
        var o = [0.0, 0.0, 0.0]
        for j in 0..<11 where j <= i + 6 && (j >= i + 3 || j == 0) {
          var s = 0.0
          for c in 0..<6 { s += q[(h * 5 + i) * 6 + c] * k[(h / 2 * 11 + j) * 6 + c] }
          let e = Double.exp(3 * Double.tanh(s / Double(6).squareRoot() / 3))
          sum += e
          for c in 0..<3 { o[c] += e * v[(h / 2 * 11 + j) * 3 + c] }
        }
        for c in 0..<3 { #expect((result.output[(h * 5 + i) * 3 + c] - o[c] / sum).magnitude < 1e-14) }
        #expect((result.logSumExp[h * 5 + i] - Double.log(sum)).magnitude < 1e-14)
      }
    }
  }

  /// Equal scores and a power of two of keys: every operation is exact.
  @Test(arguments: [NumberFormat.f32, .f16, .bf16])
  func flashIsStandardWhereAllIsExact(_ format: NumberFormat) throws {
    let shape = AttentionShape(queries: 2, keys: 16, headSize: 2)
    let v = (0..<32).map { Double($0 % 4) }
    let zeros = [Double](repeating: 0, count: 32)
    let a = try run(.standard, format, q: [1, 2, 3, 4], k: zeros, v: v, shape)
    let b = try run(.flash, format, q: [1, 2, 3, 4], k: zeros, v: v, shape)
    #expect(a.output == [1, 2, 1, 2])
    #expect(b.output == a.output)
  }

  @Test func scoresOverflowInHalfPrecision() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 128)
    let x = [Double](repeating: 256, count: 128)
    let v = [Double](repeating: 1, count: 256)
    let after = try run(.standard, .f16, accumulator: .f32, q: x, k: x + x, v: v, shape)
    #expect(after.trace.firstOverflow?.stage == .scores)
    #expect(after.output[0].isNaN)
    // 1/√128 is not enough: 8 388 608/11.3 is still above 65 504.
    let before = try run(
      .standard, .f16, accumulator: .f32, q: x, k: x + x, v: v, shape, AttentionParameters(placement: .before)
    )
    #expect(before.trace.firstOverflow?.stage == .scores)
    let wide = try run(.standard, .bf16, accumulator: .f32, q: x, k: x + x, v: v, shape)
    #expect(wide.trace.firstOverflow == nil)
    #expect(wide.output[0] == 1)
  }

  @Test func aFiniteSentinelLeaks() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1)
    let parameters = AttentionParameters(scale: 1, mask: AttentionMask(additive: [0, -.infinity]))
    let k = [-100.0, -100]
    let exact = try run(.standard, .f16, q: [100], k: k, v: [1, 9], shape, parameters)
    #expect(exact.output == [1])
    let leaking = try run(.standard, .f16, sentinel: -1e4, q: [100], k: k, v: [1, 9], shape, parameters)
    #expect(leaking.output == [5])
  }

  @Test func unnormalisedSumsOverflowOnALongRow() throws {
    let shape = AttentionShape(queries: 1, keys: 2048, headSize: 1)
    let zeros = [Double](repeating: 0, count: 2048)
    let v = [Double](repeating: 64, count: 2048)
    let flash = try run(.flash, .f16, q: [0], k: zeros, v: v, shape)
    #expect(flash.trace.firstOverflow?.stage == .weighted)
    let standard = try run(.standard, .f16, q: [0], k: zeros, v: v, shape)
    #expect(standard.output == [64])
  }

  @Test(arguments: AttentionAlgorithm.allCases, SpecialValues.allCases)
  func maskedTilesAndRows(_ algorithm: AttentionAlgorithm, _ policy: SpecialValues) throws {
    let shape = AttentionShape(queries: 2, keys: 8, headSize: 1)
    let hidden = [Double](repeating: -.infinity, count: 8)
    let mask = AttentionMask(additive: [Double](hidden[..<4]) + [0, 0, 0, 0] + hidden)
    let result = try run(
      algorithm, .f32, q: [1, 1], k: hidden.map { _ in 0 }, v: [9, 9, 9, 9, 1, 2, 3, 2], shape,
      AttentionParameters(mask: mask, specialValues: policy))
    #expect(result.output[0] == 2)
    #expect(result.logSumExp[1] == -.infinity)
    switch policy {
    case .ieee: #expect(result.output[1].isNaN)
    case .safe: #expect(result.output[1] == 0)
    case .uniform: #expect(result.output[1] == 5.5)
    }
  }

  @Test func smallProbabilitiesVanishInFloat8() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1)
    let parameters = AttentionParameters(scale: 1)
    // e^−8 is below half of e4m3's smallest number 2^−9.
    let narrow = try run(
      .flash, .f32, probabilities: .f8e4m3fn, q: [1], k: [0, -8], v: [0, 1000], shape, parameters)
    #expect(narrow.output == [0])
    let wide = try run(.flash, .f32, q: [1], k: [0, -8], v: [0, 1000], shape, parameters)
    #expect(wide.output[0] > 0.3)
  }

  @Test func rubbishIsRefused() {
    let runner = AttentionRunner(.flash, KernelConfiguration(storage: .float(.f32)))
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1)
    let plain = AttentionParameters()
    #expect(runner.run(q: [], k: [1, 1], v: [1, 1], shape: shape, parameters: plain) == nil)
    #expect(
      runner.run(
        q: [1], k: [1, 1], v: [1, 1], shape: shape,
        parameters: AttentionParameters(mask: AttentionMask(additive: [0]))) == nil)
    var empty = shape
    empty.keyHeads = 0
    #expect(runner.run(q: [1], k: [], v: [], shape: empty, parameters: plain) == nil)
  }
}
