import NumKit
import Testing

/// The softmax variants, lazy rescaling, masks, caches and scaled inputs of attention, each against its formula.
@Suite struct AttentionVariantTests {
  private static let shape = AttentionShape(
    heads: 2, keyHeads: 1, queries: 6, keys: 11, headSize: 4, valueSize: 3)

  private func tensors(_ shape: AttentionShape = shape, scale: Double = 1, seed: UInt64 = 5) throws
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

  private func run(
    _ t: AttentionInputs, _ p: AttentionParameters, _ algorithm: AttentionAlgorithm,
    _ format: NumberFormat = .f64,
    laziness: Double = 0, block: Int = 4, splits: Int? = nil
  ) throws -> AttentionResult {
    let runner = AttentionRunner(
      algorithm, KernelConfiguration(storage: .float(format)), blockKeys: block, splits: splits,
      laziness: laziness)
    return try #require(runner.run(t, p, rows: 0..<t.shape.heads * t.shape.queries))
  }

  /// Kernels in f64 against the truth, question by question.
  @Test(arguments: AttentionAlgorithm.allCases)
  func everyQuestionIsAnsweredAsTheTruthDoes(_ algorithm: AttentionAlgorithm) throws {
    let t = try tensors()
    let bias = (0..<66).map { $0 % 5 == 0 ? -Double.infinity : Double($0 % 3) }
    var questions = [
      AttentionParameters(scale: 0.7, mask: AttentionMask(causal: true, alignment: .topLeft)),
      AttentionParameters(mask: AttentionMask(causal: true, left: 2, sinks: 2)),
      AttentionParameters(mask: AttentionMask(left: 1, right: 1, length: 9)),
      AttentionParameters(mask: AttentionMask(additive: bias)),
      AttentionParameters(mask: AttentionMask(additive: bias + bias.reversed())),
      AttentionParameters(softcap: 2, norm: QueryKeyNorm(.rms, epsilon: 1e-3)),
      AttentionParameters(scale: 5, norm: QueryKeyNorm(.l2)),
      AttentionParameters(softmax: .sink([0])), AttentionParameters(softmax: .sink([1, -2])),
      AttentionParameters(
        softmax: .sink([3]), mask: AttentionMask(causal: true, alignment: .topLeft, length: 3)),
    ]
    if algorithm == .naive || algorithm == .standard {
      questions.append(AttentionParameters(softmax: .clipped(lower: -0.05, upper: 1.1)))
    }
    for (number, p) in questions.enumerated() {
      let result = try run(t, p, algorithm)
      let reference = try AttentionReference(t, p, format: .f64, lseFormat: .f64)
      var (o, lse) = (Truth(), Truth())
      for row in 0..<12 {
        reference.answer(head: row / 6, query: row % 6, into: &o, logSumExp: &lse)
        for c in 0..<3 {
          let (y, t) = (result.output[row * 3 + c], o.rounded[c])
          let isNear = y == t || y.isNaN && t.isNaN || (y - t).magnitude < 1e-14
          #expect(isNear, "question \(number), row \(row)")
        }
        let (y, t) = (result.logSumExp[row], lse.rounded[0])
        #expect(y == t || (y - t).magnitude < 1e-13, "question \(number), row \(row): lse")
      }
    }
  }

  @Test func aWholeRowIsNeededToClip() throws {
    let p = AttentionParameters(softmax: .clipped(lower: 0, upper: 1))
    for a in [AttentionAlgorithm.flash, .splitKV] {
      let runner = AttentionRunner(a, KernelConfiguration(storage: .float(.f32)))
      #expect(runner.run(try tensors(), p, rows: 0..<12) == nil)
    }
  }

  /// Clipped at −0.2, a key with a probability below 1/6 has none; one with 0.99 has all.
  @Test func clippingReachesZeroAndOne() throws {
    let t = try #require(
      AttentionInputs(
        q: [1], k: [5, 0, 0], v: [1, 100, 10_000], shape: AttentionShape(queries: 1, keys: 3, headSize: 1)))
    let p = AttentionParameters(scale: 1, softmax: .clipped(lower: -0.2, upper: 1.2))
    #expect(try run(t, p, .standard, .f16).output == [1])
  }

  /// What is rescaled lazily is as right, and rescales less: rising scores below the limit never overflow nor change the sum's start.
  @Test func lazyRescalingIsTheSameInExactArithmetic() throws {
    let t = try tensors(scale: 3)
    let eager = try run(t, AttentionParameters(), .flash, block: 2)
    let lazy = try run(t, AttentionParameters(), .flash, laziness: 8, block: 2)
    #expect(zip(eager.output, lazy.output).allSatisfy { ($0 - $1).magnitude < 1e-13 })
    let half = try run(t, AttentionParameters(), .flash, .f16, block: 2)
    let lazyHalf = try run(t, AttentionParameters(), .flash, .f16, laziness: 8, block: 2)
    #expect(half.output != lazyHalf.output)
    // Unscaled exponentials of up to e^8 stand in the trace.
    let (eagerRoom, lazyRoom) = (half.trace.headroom(.exponential), lazyHalf.trace.headroom(.exponential))
    #expect(try #require(lazyRoom) < #require(eagerRoom))
  }

  @Test func splitsShareTheKeys() throws {
    let t = try tensors()
    // Five shares of three keys: as tiles of three.
    let a = try run(t, AttentionParameters(), .splitKV, .f16, splits: 4)
    let b = try run(t, AttentionParameters(), .splitKV, .f16, block: 3)
    #expect(a.output == b.output)
    let one = try run(t, AttentionParameters(), .splitKV, .f16, splits: 1)
    #expect(one.output != a.output)
  }

  @Test func theLogSumExpIsInTheWiderFormat() throws {
    let t = try tensors()
    let runner = AttentionRunner(.flash, KernelConfiguration(storage: .float(.f16), accumulator: .f32))
    #expect(runner.lseFormat == .f32)
    let result = try #require(runner.run(t, AttentionParameters(), rows: 0..<12))
    #expect(result.logSumExp.contains { NumberFormat.f16.round($0) != $0 })
    #expect(result.logSumExp.allSatisfy { Double(Float($0)) == $0 })
  }

  /// A key that nobody sees overflows nowhere.
  @Test func hiddenScoresAreNotWatched() throws {
    let t = try #require(
      AttentionInputs(
        q: [300], k: [1, 300], v: [1, 2], shape: AttentionShape(queries: 1, keys: 2, headSize: 1)))
    let hidden = try run(t, AttentionParameters(mask: AttentionMask(length: 1)), .standard, .f16)
    #expect(hidden.trace.firstOverflow == nil && hidden.output == [1])
    let seen = try run(t, AttentionParameters(), .standard, .f16)
    #expect(seen.trace.firstOverflow?.stage == .scores && seen.overflowRows(.scores) == 1)
  }

  @Test func aScaleForPKeepsWhatWouldUnderflow() throws {
    let t = try #require(
      AttentionInputs(
        q: [1], k: [0, -8], v: [0, 1000], shape: AttentionShape(queries: 1, keys: 2, headSize: 1)))
    let p = AttentionParameters(scale: 1)
    let runner = AttentionRunner(
      .flash, KernelConfiguration(storage: .float(.f32)), probabilities: .f8e4m3fn, probabilityScale: 256)
    let o = try #require(runner.run(t, p, rows: 0..<1)).output[0]
    #expect(o > 0.3 && o < 0.36)
  }
}
