import NumKit
import TestSupport
import Testing

/// Gradients whose rounding no working precision shows: far masks, saturated heads beside ties, sums that cancel.
@Suite struct BackwardHardTests {
  /// Every one is decided, and is what an independent computation with exact sums of exponentials says, the sign of a 0 too; by MPFR
  /// alone and with pairs before it.
  @Test(arguments: [false, true])
  func theTruthAgreesWithExactSums(usesFastTiers: Bool) throws {
    let (formats, problems) = try GoldenBackward.all("hard")
    #expect(problems.count == 34)
    var truth = BackwardTruth()
    var (results, zeros) = (0, 0)
    for (number, p) in problems.enumerated() {
      let tensors = try #require(p.tensors)
      for (column, format) in formats.enumerated() {
        let reference = try BackwardReference(
          tensors, gradient: p.inputs["g"] ?? [], p.parameters, format: format, usesFastTiers: usesFastTiers)
        for kv in 0..<p.shape.keyHeads {
          reference.answer(keyHead: kv, into: &truth)
          #expect(truth.certificate.undecided == 0, "problem \(number), \(format.name)")
          for gradient in AttentionGradient.allCases {
            let found = truth[gradient].flatMap(\.rounded)
            let answers = try #require(p.answers[gradient])
            for (i, x) in found.enumerated() {
              let expected = answers[kv * found.count + i].0[column]
              results += 1
              zeros += expected == 0 ? 1 : 0
              #expect(
                x == expected && x.sign == expected.sign,
                "problem \(number), \(format.name), \(gradient.rawValue) \(i): \(x), not \(expected)")
            }
          }
        }
      }
    }
    #expect(results > 1500 && zeros > 400)
  }

  /// Queries that see nothing and answer the mean of all values: dV = Σ dO/n, without any score.
  @Test func queriesThatAnswerAMean() throws {
    let shape = AttentionShape(queries: 2, keys: 3, headSize: 1)
    let tensors = try #require(AttentionInputs(q: [1, 2], k: [1, 2, 3], v: [1, 2, 3], shape: shape))
    for (g, expected) in [
      ([1.5, 1.5], 1.0), ([1, -1], 0), ([0.1, 0.2], (0.1 as Double).addingProduct(1, 0.2) / 3),
    ] {
      let reference = try BackwardReference(
        tensors, gradient: g, AttentionParameters(mask: AttentionMask(length: 0), specialValues: .uniform),
        format: .f32, usesFastTiers: false)
      var truth = BackwardTruth()
      reference.answer(keyHead: 0, into: &truth)
      #expect(truth.v.map(\.rounded) == Array(repeating: [Double(Float(expected))], count: 3))
      #expect(truth.certificate.undecided == 0)
    }
  }

  /// Under a cap too: a key of the same bounded score as the largest, all others masked far away, and dO a tie of f16.
  @Test func cappedScoresBesideFarMasks() throws {
    let shape = AttentionShape(queries: 1, keys: 3, headSize: 1)
    let tensors = try #require(AttentionInputs(q: [3], k: [2, 2, -1], v: [1, 1, 4], shape: shape))
    let tie = 2 + 0x1p-9
    for (far, expected) in [(-1e9, 1.0), (-3e38, 1), (-.infinity, 1)] {
      // dV = dO/2 less what the far key takes: 1 + 2^-10 - ... is no tie of f16, its half of 2 + 2^-9 + 2^-10 is.
      for (g, next) in [(tie, 1 + 0x1p-10), (2 + 0x1p-10, expected)] {
        let reference = try BackwardReference(
          tensors, gradient: [g],
          AttentionParameters(scale: 1, softcap: 5, mask: AttentionMask(additive: [0, 0, far])), format: .f16)
        var truth = BackwardTruth()
        reference.answer(keyHead: 0, into: &truth)
        #expect(truth.v[0].rounded == [next] && truth.v[1].rounded == [next])
        #expect(truth.certificate.undecided == 0)
      }
      // Just above an even neighbour's tie: 1 + 3·2^-11 goes up when exact, down beside a far key.
      let reference = try BackwardReference(
        tensors, gradient: [2 + 3 * 0x1p-10],
        AttentionParameters(scale: 1, softcap: 5, mask: AttentionMask(additive: [0, 0, far])), format: .f16)
      var truth = BackwardTruth()
      reference.answer(keyHead: 0, into: &truth)
      let side = far == -.infinity ? 1 + 0x1p-9 : 1 + 0x1p-10
      #expect(truth.v[0].rounded == [side], "\(far)")
      // dQ = (Σ dS f k) cancels between the equal keys but for the far one's share: its sign is that of what the far key adds.
      #expect(far == -.infinity ? truth.q[0].rounded[0] == 0 : truth.q[0].rounded[0].sign == .minus)
    }
  }
}
