import NumKit
import Testing

/// The backward kernels against the truth, the truth against identities that hold in exact arithmetic.
@Suite struct BackwardKernelTests {
  private let shape = AttentionShape(heads: 4, keyHeads: 2, queries: 5, keys: 11, headSize: 6, valueSize: 3)

  private func draw(_ count: Int, _ seed: UInt64, _ size: Double = 1) -> [Double] {
    var random = RandomSource(seed: seed, row: 0)
    return (0..<count).map { _ in Double(Float16(size * random.normal())) }
  }

  private func tensors(_ size: Double = 1) throws -> (AttentionInputs, gradient: [Double]) {
    let made = try #require(
      AttentionInputs(
        q: draw(4 * 5 * 6, 1, size), k: draw(2 * 11 * 6, 2, size), v: draw(2 * 11 * 3, 3), shape: shape))
    return (made, draw(4 * 5 * 3, 4))
  }

  private func truths(
    _ t: AttentionInputs, _ g: [Double], _ parameters: AttentionParameters = AttentionParameters()
  ) throws -> [BackwardTruth] {
    let reference = try BackwardReference(t, gradient: g, parameters, format: .f64)
    return (0..<t.shape.keyHeads).map {
      var truth = BackwardTruth()
      reference.answer(keyHead: $0, into: &truth)
      return truth
    }
  }

  private func pass(
    _ algorithm: AttentionAlgorithm, _ storage: NumberFormat, compute: NumberFormat? = nil,
    accumulator: NumberFormat? = nil
  ) throws -> BackwardRunner {
    let configuration = KernelConfiguration(
      storage: .float(storage), compute: compute ?? storage, accumulator: accumulator)
    return try #require(BackwardRunner(AttentionRunner(algorithm, configuration, blockKeys: 4)))
  }

  private func flat(_ rows: [Truth]) -> [Double] { rows.flatMap(\.high) }

  @Test(
    arguments: [AttentionAlgorithm.standard, .flash], [AttentionParameters.Placement.before, .after])
  func kernelsFollowTheFormula(_ algorithm: AttentionAlgorithm, _ placement: AttentionParameters.Placement)
    throws
  {
    let (t, g) = try tensors()
    for (cap, softmax) in [(nil, AttentionSoftmax.plain), (2.0, .sink([0.5]))] {
      let parameters = AttentionParameters(
        placement: placement, softcap: cap, softmax: softmax,
        mask: AttentionMask(causal: true, left: 3, sinks: 1))
      let all = try truths(t, g, parameters)
      for kv in 0..<2 {
        let result = try #require(try pass(algorithm, .f64).run(t, gradient: g, parameters, keyHead: kv))
        for (seen, truth) in zip(
          [result.q, result.k, result.v], [all[kv].q, all[kv].k, all[kv].v].map(flat))
        {
          #expect(seen.count == truth.count)
          #expect(zip(seen, truth).allSatisfy { ($0 - $1).magnitude < 2e-14 })
          #expect(truth.contains { $0.magnitude > 0.1 })
        }
      }
    }
  }

  /// Σⱼ dVⱼ = Σᵢ dOᵢ, since rows of P add up to 1; and Σ q·dQ = Σ k·dK, since only their products count.
  @Test(arguments: [1.0, 5])
  func theTruthKeepsTheIdentities(_ size: Double) throws {
    let (t, g) = try tensors(size)
    for (kv, truth) in try truths(t, g).enumerated() {
      let rows = shape.rows(ofKeyHead: kv)
      for c in 0..<3 {
        let dv = truth.v.reduce(0) { $0 + $1.high[c] }
        let d = rows.reduce(0) { $0 + g[$1 * 3 + c] }
        #expect((dv - d).magnitude < 1e-13)
      }
      let q = zip(flat(truth.q), t.q[rows.lowerBound * 6..<rows.upperBound * 6]).reduce(0) {
        $0 + $1.0 * $1.1
      }
      let k = zip(flat(truth.k), t.k[kv * 66..<(kv + 1) * 66]).reduce(0) { $0 + $1.0 * $1.1 }
      #expect((q - k).magnitude < 1e-13 * size * size && q.magnitude > 1e-3)
    }
  }

  /// A number that all keys share moves no softmax: Σⱼ dSⱼ = 0, known without rounding.
  @Test func aSharedKeyComponentHasNoGradient() throws {
    let (t, g) = try tensors()
    var k = t.k
    for j in 0..<22 { k[j * 6 + 2] = 1.5 }
    let shared = try #require(AttentionInputs(q: t.q, k: k, v: t.v, shape: shape))
    for truth in try truths(shared, g) {
      #expect(truth.q.allSatisfy { $0.rounded[2] == 0 && $0.rounded[1] != 0 })
      #expect(truth.certificate.undecided == 0)
    }
  }

  /// Two equal scores: p = 1/2, dP = (1, 0), D = 1/2, dS = ±1/4; no operation rounds.
  @Test(arguments: [AttentionAlgorithm.standard, .flash], [NumberFormat.f16, .bf16, .f32, .f8e4m3fn])
  func aSmallCaseIsExact(_ algorithm: AttentionAlgorithm, _ format: NumberFormat) throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 2, valueSize: 1)
    let t = try #require(AttentionInputs(q: [0, 0], k: [3, 1, 1, 2], v: [1, 0], shape: shape))
    let parameters = AttentionParameters(scale: 1)
    let result = try #require(
      try pass(algorithm, format, accumulator: .f64).run(t, gradient: [1], parameters, keyHead: 0))
    #expect(result.q == [0.5, -0.25])
    #expect(result.k == [0, 0, 0, 0])
    // Flash has p = e^(0 − log 2), whose exponential is 1/2 only after rounding.
    #expect(result.v == [0.5, 0.5])
  }

  /// D = Σ dO∘o sees o as it was stored: where values share a large part, that costs digits which the full Jacobian keeps.
  @Test func flashLosesDigitsToTheStoredOutput() throws {
    let shape = AttentionShape(queries: 8, keys: 32, headSize: 8)
    let values = draw(256, 7).map { NumberFormat.bf16.round(100 + $0) }
    let round: ([Double]) -> [Double] = { $0.map { NumberFormat.bf16.round($0) } }
    let t = try #require(
      AttentionInputs(q: round(draw(64, 5)), k: round(draw(256, 6)), v: values, shape: shape))
    let g = round(draw(64, 8))
    let truth = try truths(t, g)[0]
    func worst(_ algorithm: AttentionAlgorithm) throws -> Double {
      let result = try #require(
        try pass(algorithm, .bf16, compute: .f32).run(t, gradient: g, AttentionParameters(), keyHead: 0))
      return zip(result.q, flat(truth.q)).reduce(0) { Swift.max($0, ($1.0 - $1.1).magnitude) }
    }
    let (flash, standard) = (try worst(.flash), try worst(.standard))
    #expect(flash > 5 * standard)
  }

  @Test(arguments: SpecialValues.allCases)
  func aQueryThatSeesNothingAnswersByPolicy(_ policy: SpecialValues) throws {
    let shape = AttentionShape(queries: 1, keys: 2, headSize: 1)
    let t = try #require(AttentionInputs(q: [1], k: [1, 2], v: [3, 4], shape: shape))
    let parameters = AttentionParameters(mask: AttentionMask(length: 0), specialValues: policy)
    let truth = try truths(t, [5], parameters)[0]
    let expected: [SpecialValues: Double] = [.ieee: .nan, .safe: 0, .uniform: 2.5]
    for algorithm in [AttentionAlgorithm.standard, .flash] {
      let result = try #require(try pass(algorithm, .f32).run(t, gradient: [5], parameters, keyHead: 0))
      for v in result.v + truth.v.flatMap(\.rounded) {
        #expect(v == expected[policy] || v.isNaN && policy == .ieee)
      }
      for x in result.q + result.k { #expect(policy == .ieee ? x.isNaN : x == 0) }
      for x in truth.q + truth.k { #expect(policy == .ieee ? x.rounded[0].isNaN : x.rounded == [0]) }
    }
  }

  /// Formats nobody specialised give the same digits as the ones somebody did, and results do not depend on threads.
  @Test func experimentsDoNotDependOnThreads() throws {
    let (t, g) = try tensors()
    let configuration = KernelConfiguration(storage: .float(.f16), accumulator: .f32)
    let runners = [AttentionAlgorithm.standard, .flash].map { AttentionRunner($0, configuration) }
    func measure(_ threads: Int) throws -> BackwardMeasurement {
      try BackwardExperiment(t, gradient: g, AttentionParameters(), runners, threads: threads).run()
    }
    let (a, b) = (try measure(1), try measure(3))
    #expect(a.certificate == b.certificate && a.certificate.undecided == 0)
    for gradient in AttentionGradient.allCases {
      for (x, y) in zip(a.entries, b.entries) {
        #expect(x[gradient].sums.rmse == y[gradient].sums.rmse && x[gradient].sums.rmse > 0)
        #expect(x[gradient].kernel.witness == y[gradient].kernel.witness)
        #expect(x[gradient].kernel.maxUlpAtPeak < 6 && x[gradient].verdict == .ok)
      }
    }
  }

  @Test func rubbishIsRefused() throws {
    let (t, g) = try tensors()
    let plain = AttentionParameters()
    let clipped = AttentionParameters(softmax: .clipped(lower: -0.1, upper: 1))
    #expect(try pass(.flash, .f32).run(t, gradient: [], plain, keyHead: 0) == nil)
    #expect(try pass(.flash, .f32).run(t, gradient: g, plain, keyHead: 2) == nil)
    #expect(try pass(.standard, .f32).run(t, gradient: g, clipped, keyHead: 0) == nil)
    #expect(BackwardRunner(AttentionRunner(.naive, KernelConfiguration(storage: .float(.f32)))) == nil)
    #expect(throws: BackwardError.self) { try truths(t, g, clipped) }
    #expect(throws: BackwardError.self) { try truths(t, [1]) }
    #expect(throws: BackwardError.self) { try truths(t, g.map { _ in .nan }) }
    #expect(throws: BackwardError.self) { try truths(t, g, AttentionParameters(norm: QueryKeyNorm(.l2))) }
  }
}
