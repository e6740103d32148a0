import NumKit
import Testing

/// Where outputs of attention are rational or beside a tie because scores are equal, exactly.
@Suite struct AttentionGroupTests {
  private struct Answer {
    var outputs: [Double] = []
    var high: [Double] = []
    var logSumExp: [Double] = []
    var certificate = Certificate()
  }

  private func answer(
    q: [Double], k: [Double], v: [Double], _ shape: AttentionShape,
    _ parameters: AttentionParameters = AttentionParameters(), format: NumberFormat = .f32, fast: Bool = true
  ) throws -> Answer {
    let tensors = try #require(AttentionInputs(q: q, k: k, v: v, shape: shape))
    let reference = try AttentionReference(tensors, parameters, format: format, usesFastTiers: fast)
    var (o, lse) = (Truth(), Truth())
    reference.answer(head: 0, query: 0, into: &o, logSumExp: &lse)
    return Answer(outputs: o.rounded, high: o.high, logSumExp: lse.rounded, certificate: o.certificate)
  }

  /// Two scores that are one number though neither head size's root is a Double's reciprocal, and a third far or near: the mean of
  /// the two values is a tie of f16, which the third moves off or does not.
  @Test(arguments: [9, 25, 36, 49, 100, 144, 2, 3, 8])
  func equalScoresInEveryHeadSize(_ d: Int) throws {
    let root = Double(d).squareRoot()
    let isWhole = root == root.rounded()
    // q·k is r·3 of the first, 0 of the second, whose bias makes up for it; 1/sqrt(d) irrational: equal products and biases.
    let q = [1.0] + [Double](repeating: 0, count: d - 1)
    let k = [isWhole ? 3 * root : 3, isWhole ? 0 : 3, -1].flatMap {
      [$0] + [Double](repeating: 1, count: d - 1)
    }
    let bias = isWhole ? 3.0 : 0
    let shape = AttentionShape(queries: 1, keys: 3, headSize: d, valueSize: 3)
    for far in [-Double.infinity, -2, -1e9] {
      let a = try answer(
        q: q, k: k, v: [1, 1, -1, 1 + 0x1p-10, 1 + 0x1p-10, 1, 2, -2, 5], shape,
        AttentionParameters(mask: AttentionMask(additive: [0, bias, far])), format: .f16)
      #expect(a.certificate.undecided == 0)
      if far == -2 { continue }
      // 1 + 2^-11 between 1 and 1 + 2^-10.
      let expected: [Double] = far == -.infinity ? [1, 1, 0] : [1 + 0x1p-10, 1, 0]
      #expect(a.outputs == expected)
      if far == -.infinity { #expect(a.certificate.exact == 3) }
    }
  }

  /// Under a norm keys are equal that point one way, whatever their length; or whose rational cosines and biases add up alike.
  @Test(arguments: [
    QueryKeyNorm(.l2), QueryKeyNorm(.rms), QueryKeyNorm(.rms, epsilon: 0.5), QueryKeyNorm(.l2, epsilon: 11),
  ])
  func equalScoresUnderNorms(_ norm: QueryKeyNorm) throws {
    let shape = AttentionShape(queries: 1, keys: 3, headSize: 3, valueSize: 1)
    func tie(_ k: [Double], _ bias: [Double]) throws -> Answer {
      try answer(
        q: [1, 2, 2], k: k, v: [1, 1 + 0x1p-10, 7], shape,
        AttentionParameters(scale: 0.7, norm: norm, mask: AttentionMask(additive: bias)), format: .f16)
    }
    // One and its permutation that the query cannot tell apart.
    let same = try tie([3, 1, -2, 3, -2, 1, 5, 1, 1], [0.25, 0.25, -.infinity])
    #expect(same.outputs == [1] && same.certificate.exact == 1)
    let other = try tie([3, 1, -2, 3, -2, 1, 5, 1, 1], [0.25, 0.25 + 0x1p-50, -.infinity])
    #expect(other.outputs == [1 + 0x1p-10] && other.certificate.exact == 0)
    let far = try tie([3, 1, -2, 3, -2, 1, 5, 1, 1], [0.25, 0.25, -1e9])
    #expect(far.outputs == [1 + 0x1p-10] && far.certificate.exact == 0 && far.certificate.undecided == 0)
    guard norm.epsilon == 0 else { return }
    // A multiple of it: equal without an epsilon only.
    let longer = try tie([3, 1, -2, 9, 3, -6, 5, 1, 1], [0.25, 0.25, -.infinity])
    #expect(longer.outputs == [1] && longer.certificate.exact == 1)
  }

  /// Scores with a rational cosine are rational: a bias makes up for it, and a lone one's log-sum-exp may be a tie.
  @Test func rationalCosines() throws {
    let two = AttentionShape(queries: 1, keys: 2, headSize: 2, valueSize: 1)
    // cos = 1 and 0, scale 0.75.
    var p = AttentionParameters(
      scale: 0.75, norm: QueryKeyNorm(.l2), mask: AttentionMask(additive: [0, 0.75]))
    let a = try answer(q: [3, 4], k: [6, 8, -4, 3], v: [1, 1 + 0x1p-10], two, p, format: .f16)
    #expect(a.outputs == [1] && a.certificate.exact == 1)
    let one = AttentionShape(queries: 1, keys: 1, headSize: 2, valueSize: 1)
    for (bias, expected) in [(0.25 + 0x1p-24, 1.0), (0.25 + 3 * 0x1p-24, 1 + 0x1p-22)] {
      p.mask.additive = [bias]
      #expect(try answer(q: [3, 4], k: [6, 8], v: [1], one, p).logSumExp == [expected])
    }
    // Beside a far key the tie is left upwards.
    p.mask.additive = [0.25 + 0x1p-24, -1e9]
    #expect(try answer(q: [3, 4], k: [6, 8, 1, 0], v: [1, 1], two, p).logSumExp == [1 + 0x1p-23])
  }

  /// The log-sum-exp of one key in a head size of 9: a third of a product is a tie of f32.
  @Test func thirdsThatAreTies() throws {
    let zeros = [Double](repeating: 0, count: 8)
    let one = AttentionShape(queries: 1, keys: 1, headSize: 9, valueSize: 1)
    let a = try answer(q: [3] + zeros, k: [1 + 0x1p-24] + zeros, v: [1], one)
    #expect(a.logSumExp == [1])
    let two = AttentionShape(queries: 1, keys: 2, headSize: 9, valueSize: 1)
    let p = AttentionParameters(mask: AttentionMask(additive: [0, -3e38]))
    #expect(
      try answer(q: [3] + zeros, k: [1 + 0x1p-24] + zeros + [0] + zeros, v: [1, 1], two, p).logSumExp
        == [1 + 0x1p-23])
  }

  /// Rows wholly masked at −10⁹ beside a sink: what is left of the outputs is their sign.
  @Test(arguments: [-1e9, -3e38, -1.7976931348623157e308])
  func farRowsBesideASink(_ far: Double) throws {
    let shape = AttentionShape(queries: 1, keys: 3, headSize: 1, valueSize: 4)
    for fast in [false, true] {
      let a = try answer(
        q: [1], k: [2, 2, 1], v: [1, -1, 2, 0, -1, 1, -2, 0, -9, 9, 1, 0], shape,
        AttentionParameters(scale: 1, softmax: .sink([0]), mask: AttentionMask(additive: [far, far, far])),
        fast: fast)
      // Equal first two values cancel; where the far sum swallows the product, all scores still differ exactly.
      #expect(a.outputs == [0, 0, 0, 0])
      #expect(a.outputs.map(\.sign) == [.minus, .plus, .plus, .plus])
      #expect(a.high[3] == 0 && a.high.dropLast().allSatisfy { abs($0) == 1 })
      #expect(a.logSumExp == [0] && a.certificate.undecided == 0)
    }
  }
}
