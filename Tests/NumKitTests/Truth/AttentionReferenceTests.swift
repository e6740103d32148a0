import NumKit
import Testing

/// Where the truth of attention is hard: cancellation, ties, special values, rational results.
@Suite struct AttentionReferenceTests {
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
    var (o, lse, all) = (Truth(), Truth(), Answer())
    for h in 0..<shape.heads {
      for i in 0..<shape.queries {
        reference.answer(head: h, query: i, into: &o, logSumExp: &lse)
        all.outputs += o.rounded
        all.high += o.high
        all.logSumExp += lse.rounded
        all.certificate.merge(o.certificate)
      }
    }
    return all
  }

  private func same(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
  }

  /// Pairs against MPFR alone, on inputs where many results cancel.
  @Test(arguments: [NumberFormat.f64, .f32, .f16, .bf16, .f8e4m3fn])
  func bothTiersAgree(_ format: NumberFormat) throws {
    var random = RandomSource(seed: 3, row: format.bitWidth)
    for trial in 0..<12 {
      let shape = AttentionShape(
        heads: 2, keyHeads: 1, queries: 3, keys: 9 + trial, headSize: 5 + trial, valueSize: 6)
      let large = trial % 3 == 0 ? 40.0 : 1
      let q = (0..<shape.heads * 3 * shape.headSize).map { _ in large * random.normal() }
      var k = (0..<shape.keys * shape.headSize).map { _ in large * random.normal() }
      let v = (0..<shape.keys * 6).map { _ in Double(Float(random.normal())) }
      if trial % 4 == 1 { for c in 0..<shape.headSize { k[shape.headSize + c] = k[c] } }
      let parameters = AttentionParameters(
        softcap: trial % 5 == 2 ? 7 : nil,
        mask: AttentionMask(causal: true, left: trial % 2 == 0 ? 4 : nil, sinks: 1))
      let a = try answer(q: q, k: k, v: v, shape, parameters, format: format)
      let b = try answer(q: q, k: k, v: v, shape, parameters, format: format, fast: false)
      #expect(a.outputs == b.outputs)
      #expect(a.logSumExp == b.logSumExp)
      #expect(a.certificate.undecided == 0 && b.certificate.mpfr > 0)
      #expect(a.certificate.double + a.certificate.doubleDouble > 0)
    }
  }

  /// e^(−a) − e^(−b) scaled so that all digits but the last few cancel: seen, and refined.
  @Test func cancellationIsRefined() throws {
    let shape = AttentionShape(queries: 1, keys: 3, headSize: 1, valueSize: 1)
    let tiny = 0x1p-80
    let a = try answer(
      q: [1], k: [tiny, 0, -200], v: [1, -1, 0], shape, AttentionParameters(scale: 1), format: .f32)
    // (e^t − 1)/(e^t + 1 + …) = t/2 to first order.
    #expect(a.outputs == [tiny / 2])
    #expect(a.certificate.mpfr == 1)
  }

  @Test func rationalResultsAreKnown() throws {
    let shape = AttentionShape(queries: 1, keys: 4, headSize: 1, valueSize: 3)
    // Two groups of equal scores; the means of the columns are alike in the first only, whose common value is 2.
    let v = [1.0, 1, 0, 2, 7, 0, 3, 2, 0, 2, 6, 0]
    let a = try answer(q: [1], k: [3, 1, 3, 1], v: v, shape, format: .f64, fast: false)
    #expect(a.outputs[0] == 2 && a.outputs[2] == 0)
    #expect(a.certificate.exact == 2)
    // With a 1 in the denominator and scores of 0: Σ v/(n + 1).
    let b = try answer(
      q: [0], k: [3, 1, 3, 1], v: v, shape, AttentionParameters(softmax: .sink([0])), format: .f64,
      fast: false)
    #expect(b.outputs == [8.0 / 5, 16.0 / 5, 0])
    #expect(b.certificate.exact == 3)
  }

  /// A value that is a tie of the format, moved by a weight of e^−5000.
  @Test func aTieIsMovedByTheSmallestWeight() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1, valueSize: 2)
    let tie = 1 + 0x1p-11
    let a = try answer(
      q: [1], k: [0, -5000], v: [tie, tie, 0, 9], shape, AttentionParameters(scale: 1), format: .f16)
    #expect(a.outputs == [1, 1 + 0x1p-10])
    #expect(a.certificate.mpfr == 2)
  }

  @Test(arguments: SpecialValues.allCases)
  func specialScoresAnswerByPolicy(_ policy: SpecialValues) throws {
    let shape = AttentionShape(queries: 1, keys: 3, headSize: 1, valueSize: 1)
    let inf = Double.infinity
    func ask(_ k: [Double], bias: [Double] = [], v: [Double] = [1, 2, 4]) throws -> Answer {
      try answer(
        q: [1], k: k, v: v, shape,
        AttentionParameters(scale: 1, mask: AttentionMask(additive: bias), specialValues: policy))
    }
    let masked = try ask([0, 0, 0], bias: [-inf, -inf, -inf])
    let expected: [SpecialValues: Double] = [.ieee: .nan, .safe: 0, .uniform: Double(Float(7.0 / 3))]
    #expect(same(masked.outputs, [expected[policy] ?? 9]) && masked.logSumExp == [-inf])
    let infinite = try ask([inf, 0, inf])
    #expect(same(infinite.outputs, [policy == .ieee ? .nan : 2.5]) && infinite.logSumExp == [inf])
    #expect(same(try ask([.nan, 0, 0]).outputs, [.nan]))
    // A hidden NaN hurts nobody; a key at −∞ has no mass; an infinite value with mass is infinite.
    #expect(try ask([.nan, 0, 0], bias: [-inf, 0, 0]).outputs == [3])
    #expect(try ask([-inf, 0, 0]).outputs == [3])
    #expect(try ask([0, 0, 0], v: [inf, 2, 4]).outputs == [inf])
    #expect(same(try ask([0, 0, 0], v: [inf, -inf, 4]).outputs, [.nan]))
  }

  @Test func anUnseenQueryWithASinkAttendsToNothing() throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1)
    let a = try answer(
      q: [1], k: [1, 2], v: [3, 4], shape,
      AttentionParameters(softmax: .sink([0.5]), mask: AttentionMask(length: 0)))
    #expect(a.outputs == [0] && a.logSumExp == [0.5])
  }

  @Test func theProfileHasTheProbabilities() throws {
    let tensors = try #require(
      AttentionInputs(
        q: [1], k: [0, 2, 9], v: [1, 2, 3], shape: AttentionShape(queries: 1, keys: 3, headSize: 1)))
    let parameters = AttentionParameters(scale: 1, mask: AttentionMask(length: 2))
    let reference = try AttentionReference(tensors, parameters, format: .f32)
    var (o, lse) = (Truth(), Truth())
    reference.answer(head: 0, query: 0, into: &o, logSumExp: &lse)
    let p = 1 / (1 + Double.exp(2))
    let profile = reference.profile
    #expect(profile.keys == [0, 1])
    #expect((profile.probabilities[0] - p).magnitude < 1e-15)
    #expect((profile.entropy + p * Double.log(p) + (1 - p) * Double.log(1 - p)).magnitude < 1e-15)
    // Of two keys: √(4 p²(1 − p)²).
    #expect((profile.jacobianNorm - 2 * p * (1 - p)).magnitude < 1e-15)
  }
}
