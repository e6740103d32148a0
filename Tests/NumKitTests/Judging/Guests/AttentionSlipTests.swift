import NumKit
import Testing

/// Kernels of attention that go wrong between scores and outputs are named by what they did.
@Suite struct AttentionSlipTests {
  private typealias Mistake = PlantedAttention.Mistake

  private static let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 12, keys: 40, headSize: 8)

  private func tensors(seed: UInt64 = 1, size: Double = 2) throws -> AttentionInputs {
    let shape = Self.shape
    func fill(_ count: Int, _ stream: Int, _ size: Double) -> [Double] {
      var random = RandomSource(seed: seed, row: stream)
      return (0..<count).map { _ in Double(Float(size * random.normal())) }
    }
    let keys = shape.keyHeads * shape.keys * shape.headSize
    return try #require(
      AttentionInputs(
        q: fill(shape.heads * shape.queries * shape.headSize, 0, size), k: fill(keys, 1, 1),
        v: fill(keys, 2, 1),
        shape: shape))
  }

  private func found(
    _ mistake: Mistake, _ change: (inout AttentionParameters) -> Void = { _ in }
  ) throws -> GuestFindings<AttentionForward> {
    let t = try tensors()
    var parameters = AttentionParameters()
    change(&parameters)
    let planted = PlantedAttention(
      tensors: t, mistake: mistake, causal: parameters.mask.causal, cap: parameters.softcap.map { Float($0) })
    return try AttentionVerification(t, parameters, format: .f32).run("o", planted).findings
  }

  private static let plain: [(Mistake, String)] = [
    (.outputNeverRescaled, "output never rescaled, in blocks of 8"),
    (.sumNeverRescaled, "sum never rescaled, in blocks of 8"),
    (.nothingRescaled, "sum and output never rescaled, in blocks of 8"),
    (.lastRescaleMissed, "sum and output not rescaled at the last new maximum, in blocks of 8"),
    (.lastFirstNeverRescaled, "sum and output never rescaled, in blocks of 8, last block first"),
    (.meanOfSplits, "the mean of 4 splits"),
    (.splitsWithoutMaxima, "4 splits merged without their maxima"),
    (.notDivided, "not divided by the sum of exponentials"),
    (.mean, "the mean of the values that are seen"),
    (.largestAlone, "the value of the largest score alone"),
    (.shortProbabilities, "probabilities in f16"),
    (.shortScores, "scores in f16"),
    (.shortAccumulator, "accumulator f16"),
    (.coarseAccumulator, "accumulator bf16"),
    (.keyHeadsReversed, "kv heads in reverse order"),
    (.lastProduct, "last product of each score left out"),
    (.thirdRescaleMissed, "sum and output not rescaled at block 3 of 5, in blocks of 8"),
    (.secondMaximumStale, "stale maximum in block 2 of 5, in blocks of 8"),
  ]

  @Test(arguments: plain.indices) func isNamed(_ k: Int) throws {
    let (mistake, name) = Self.plain[k]
    let findings = try found(mistake)
    #expect(findings.verdict(ofPart: 0) == .bug, "\(mistake)")
    let names = findings.hypotheses.map(\.name)
    // Of plans whose errors are about as large both are named.
    #expect(
      name.hasPrefix("accumulator") ? names.contains(name) : names.first == name, "\(mistake): \(names)")
  }

  /// Two wrong questions at once, where neither explains anything alone.
  @Test func twoMistakesAreNamed() throws {
    struct Answers: ResultSource {
      typealias Q = AttentionForward
      let output: [Double]
      let width: Int
      func results(of item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>) {
        for c in 0..<width { results[c] = output[item.row * width + c] }
      }
    }
    let t = try tensors()
    var asked = AttentionParameters()
    asked.mask.causal = true
    var answered = asked
    (answered.scale, answered.mask.alignment) = (1, .topLeft)
    let runner = AttentionRunner(
      .flash, KernelConfiguration(storage: .float(.f32), compute: .f32, accumulator: .f32))
    let made = try #require(runner.run(t, answered, rows: 0..<Self.shape.heads * Self.shape.queries))
    let findings = try AttentionVerification(t, asked, format: .f32).run(
      "o", Answers(output: made.output, width: Self.shape.valueSize)
    ).findings
    #expect(
      findings.hypotheses.map(\.name).first == "scale missing and causal, aligned top-left",
      "\(findings.hypotheses.map(\.name))")
  }

  private static let masked: [(Mistake, String)] = [
    (.maskAfterSoftmax, "mask multiplied after the softmax, not renormalised"),
    (.maskAsNumbers, "mask added as 0 and 1"),
    (.hiddenScoresZero, "scores multiplied by the mask: hidden ones are 0"),
    (.capAfterMask, "softcap after the mask: hidden keys count as -cap"),
  ]

  @Test(arguments: masked.indices) func isNamedUnderAMask(_ k: Int) throws {
    let (mistake, name) = Self.masked[k]
    let findings = try found(mistake) {
      $0.mask.causal = true
      if mistake == .capAfterMask { $0.softcap = 3 }
    }
    #expect(findings.verdict(ofPart: 0) == .bug, "\(mistake)")
    #expect(findings.hypotheses.first?.name == name, "\(mistake): \(findings.hypotheses.map(\.name))")
  }

  /// Scores of which some are beyond the logarithm of the largest number of f32.
  @Test func aMissingMaximumIsNamed() throws {
    let t = try tensors(size: 40)
    let verification = AttentionVerification(t, AttentionParameters(), format: .f32)
    let right = try verification.run("o", PlantedAttention(tensors: t, mistake: .none)).findings
    #expect(right.hypotheses.isEmpty, "\(right.hypotheses.map(\.name))")
    let wrong = try verification.run("o", PlantedAttention(tensors: t, mistake: .unshifted)).findings
    #expect(wrong.hypotheses.map(\.name) == ["no maximum subtracted: e^x overflows in f32"])
  }

  /// Of results in bf16, where a bound allows more than that.
  @Test(arguments: [false, true]) func cutResultsAreNamed(_ isCut: Bool) throws {
    let t = try tensors().rounded(to: .bf16)
    let planted = PlantedAttention(tensors: t, mistake: isCut ? .truncated : .rounded)
    let findings = try AttentionVerification(t, AttentionParameters(), format: .bf16).run("o", planted)
      .findings
    #expect(findings.hypotheses.map(\.name) == (isCut ? ["results truncated instead of rounded"] : []))
  }

  @Test(arguments: [false, true]) func rightKernelsAreNot(_ causal: Bool) throws {
    let findings = try found(.none) {
      $0.mask.causal = causal
      if causal { $0.softcap = 3 }
    }
    #expect(findings.hypotheses.isEmpty && findings.verdict(ofPart: 0) == .ok)
  }
}
