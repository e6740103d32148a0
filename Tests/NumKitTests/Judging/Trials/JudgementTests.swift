import NumKit
import Testing

/// What a run comes to: in which order to read it, which algorithm to take, what is wrong with the others, each rule on its own.
@Suite struct JudgementTests {
  private func run(
    _ storage: NumberFormat, compute: NumberFormat? = nil,
    accumulator: NumberFormat? = nil, rows: [[Double]], only names: [String] = []
  ) throws -> (result: ExperimentResult, configuration: KernelConfiguration) {
    struct Given: RowSource {
      let rows: [[Double]]
      var rowCount: Int { rows.count }
      var length: Int { rows[0].count }
      func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
        for i in rows[row].indices { buffer[i] = rows[row][i] }
      }
    }
    let configuration = KernelConfiguration(
      storage: .float(storage), compute: compute, accumulator: accumulator)
    let algorithms = Algorithm.all(for: .softmax, dtype: .float(storage)).filter {
      names.isEmpty || names.contains($0.description)
    }
    let result = try Experiment(.softmax, algorithms: algorithms, configuration: configuration).run(
      on: Given(rows: rows))
    return (result, configuration)
  }

  @Test func verdictsHaveAnOrder() {
    #expect(
      [Verdict.bug, .ok, .vacuous, .illConditioned].sorted() == [.ok, .illConditioned, .vacuous, .bug])
  }

  @Test func theWorstIsReadFirstAndAPromiseIsTaken() throws {
    let (result, _) = try run(.f16, rows: [(0..<64).map { Double($0) * 4 - 100 }])
    let order = result.readingOrder.map { result.entries[$0] }
    #expect(Set(result.readingOrder) == Set(result.entries.indices))
    for (a, b) in zip(order, order.dropFirst()) {
      #expect(a.verdict >= b.verdict)
      if a.verdict == b.verdict && a.kernel.nanRows == b.kernel.nanRows {
        #expect(a.kernel.maxUlp >= b.kernel.maxUlp)
      }
    }
    let best = try #require(result.best)
    #expect(best.verdict == order.map(\.verdict).min())
    let rivals = result.entries.filter { $0.verdict == best.verdict }
    #expect(rivals.allSatisfy { $0.kernel.maxUlp >= best.kernel.maxUlp })
    // e^88 overflows f16 in the naive kernels alone.
    #expect(order[0].algorithm.kernel == "naive" && order[0].verdict == .bug)
    guard case .nan(1, let cause)? = order[0].fault else {
      Issue.record("\(String(describing: order[0].fault))")
      return
    }
    #expect(cause?.stage == .exponential)
    #expect(order.last?.fault == nil)
  }

  @Test func nothingFiniteIsNothingToTake() throws {
    let (result, _) = try run(.f32, rows: [[.nan, 1], [2, .nan]])
    #expect(result.isEmpty && result.best == nil)
    let (some, _) = try run(.f32, rows: [[.nan, 1], [2, 1]])
    #expect(!some.isEmpty && some.best != nil)
  }

  /// Sums of so many terms in bf16 can lose all; logits so large leave shifts no digits.
  @Test func whyNoBoundPromises() throws {
    let (long, inBF16) = try run(
      .bf16, rows: [[Double](repeating: 0, count: 600)], only: ["shifted"])
    #expect(long.entries[0].verdict == .vacuous)
    #expect(long.caution(long.entries[0], inBF16) == .tooLong)
    // 600 u of f32 is far from a quarter.
    let (large, inF16) = try run(.f16, accumulator: .f32, rows: [[0, -60, 1000]], only: ["base2"])
    #expect(large.entries[0].verdict == .vacuous)
    #expect(large.caution(large.entries[0], inF16) == .tooLarge)
  }

  /// Inputs that the format rounds by half a unit move probabilities; without that rounding the same row is at ease.
  @Test func whoIsToBlame() throws {
    let (rounded, configuration) = try run(
      .f16, compute: .f32, rows: [[1000.24, 1000.76, 999]], only: ["shifted"])
    let entry = rounded.entries[0]
    #expect(entry.verdict == .illConditioned && rounded.inherent > 0.125)
    #expect(rounded.caution(entry, configuration) == .inputs(max(rounded.inherent, rounded.inherentShare)))
    let (exact, same) = try run(.f16, compute: .f32, rows: [[1000.5, 1000, 999]], only: ["shifted"])
    #expect(exact.entries[0].verdict == .ok && exact.caution(exact.entries[0], same) == nil)
  }

  @Test func attentionIsReadTheSameWay() throws {
    let shape = AttentionShape(heads: 2, keyHeads: 1, queries: 4, keys: 8, headSize: 16)
    var seed: UInt64 = 9
    func numbers(_ n: Int, _ size: Double) -> [Double] {
      (0..<n).map { _ in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (Double(seed >> 40) / Double(1 << 23) - 1) * size
      }
    }
    let inputs = try #require(
      AttentionInputs(q: numbers(128, 8), k: numbers(128, 8), v: numbers(128, 1), shape: shape))
    let runners = AttentionAlgorithm.allCases.map {
      AttentionRunner($0, KernelConfiguration(storage: .float(.f16), accumulator: .f32))
    }
    let m = try AttentionExperiment(inputs, AttentionParameters(), runners).run()
    let order = m.readingOrder.map { m.entries[$0] }
    for (a, b) in zip(order, order.dropFirst()) { #expect(a.verdict >= b.verdict) }
    let best = try #require(m.best)
    #expect(best.verdict != .bug)
    #expect(
      m.entries.filter { $0.verdict != .bug }.allSatisfy { $0.totalSums.rmse >= best.totalSums.rmse })
    #expect(m.sinkHeads.exact == m.heads.count { $0.sinkMass > 0.3 })
    #expect(m.sinkShift == m.heads.map { abs($0.sinkMass - $0.computedSinkMass) }.max())
    #expect(m.entropyShift == m.heads.map { abs($0.entropy - $0.computedEntropy) }.max())
    let backward = try BackwardExperiment(
      inputs, gradient: numbers(128, 1), AttentionParameters(), [runners[1]]
    ).run()
    let worst = try #require(backward.worst)
    let errors = AttentionGradient.allCases.map { backward.entries[0][$0].sums.relativeL1 }
    #expect(backward.entries[0][worst.gradient].sums.relativeL1 == errors.max() && !backward.isEmpty)
  }

  /// Without error a cosine is 1, whatever the sums round to; with one it is not.
  @Test func anExactMatchHasACosineOfOne() {
    // The log-sum-exp of one number is that number.
    let reference = Reference(.logSumExp, format: .f64)
    var truth = Truth()
    for n in 1...60 {
      var (exact, off) = (ErrorSums(), ErrorSums())
      for i in 0..<n {
        let x = Double(i) * 0.3 + 0.1
        [x].withUnsafeBufferPointer { reference.answer($0, parameters: .init(), into: &truth) }
        [x].withUnsafeBufferPointer { exact.add($0, truth) }
        [i == 0 ? 2 * x : x].withUnsafeBufferPointer { off.add($0, truth) }
      }
      #expect(exact.cosine == 1 && (n == 1 || off.cosine < 1), "\(n)")
    }
  }
}
