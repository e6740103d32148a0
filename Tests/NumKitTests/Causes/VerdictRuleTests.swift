import NumKit
import Testing

/// The rules by which a run is judged, each on its own, with the value it has and why.
@Suite struct VerdictRuleTests {
  private struct Given: RowSource {
    let rows: [[Double]]
    var rowCount: Int { rows.count }
    var length: Int { rows[0].count }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      for i in rows[row].indices { buffer[i] = rows[row][i] }
    }
  }

  private func run(
    _ operation: RowOperation, _ configuration: KernelConfiguration, _ rows: [[Double]],
    _ parameters: OperationParameters = .init(), only names: [String] = []
  ) throws -> ExperimentResult {
    let algorithms = Algorithm.all(for: operation, dtype: configuration.storage).filter {
      names.isEmpty || names.contains($0.description)
    }
    return try Experiment(
      operation, algorithms: algorithms, configuration: configuration, parameters: parameters
    ).run(on: Given(rows: rows))
  }

  /// A truth of the logarithm of the sum of logits, so exact numbers: statistics of a row of our own.
  private func verdict(
    _ truths: [Double], _ computed: [Double], inherent: Double = 0, share: Double = 0,
    format: NumberFormat = .f32
  ) -> Verdict {
    // log-sigmoids would do; softmax of logarithms is what is asked: Σ = 1 by choice.
    let reference = Reference(.softmax, format: .f64)
    var truth = Truth()
    truths.map { Double.log($0) }.withUnsafeBufferPointer {
      reference.answer($0, parameters: .init(), into: &truth)
    }
    var statistics = ErrorStatistics()
    let bounds = [Double](repeating: 10, count: truths.count)
    computed.withUnsafeBufferPointer { y in
      bounds.withUnsafeBufferPointer { b in
        statistics.add(row: 0, computed: y, truth: truth, unit: .ulp(format), bounds: b)
      }
    }
    return Verdict(statistics, inherent: inherent, inherentShare: share, bound: .sound, unit: .ulp(format))
  }

  /// An eighth of a row's largest result: what a person would call wrong. In very short formats 4 u, which rounding alone may cost.
  @Test func anEighthOfTheLargestIsTooMuch() {
    #expect(verdict([0.5, 0.5], [0.5 + 0.0624, 0.5]) == .ok)
    #expect(verdict([0.5, 0.5], [0.5 + 0.0626, 0.5]) == .illConditioned)
    #expect(verdict([0.5, 0.5], [0.5, 0.5], inherent: 0.1249) == .ok)
    #expect(verdict([0.5, 0.5], [0.5, 0.5], inherent: 0.1251) == .illConditioned)
    // e2m1 has u = 1/4, so a result may be off by all of itself; e3m2 u = 1/8, by half.
    #expect(verdict([0.5, 0.5], [0.5 + 0.24, 0.5], format: .f6e3m2) == .ok)
    #expect(verdict([0.5, 0.5], [0.5 + 0.26, 0.5], format: .f6e3m2) == .illConditioned)
  }

  /// A result that carries at least a thirty-second of its row is judged by itself, one below is not: 5 % of the mass matters, one of
  /// a thousand tokens does not.
  @Test func whatCarriesAShareIsJudgedByItself() {
    #expect(ErrorStatistics.leastShare == 1.0 / 32)
    let (above, below) = (0.032, 0.031)
    #expect(verdict([1 - above, above], [1 - above, above * 1.124]) == .ok)
    #expect(verdict([1 - above, above], [1 - above, above * 1.126]) == .illConditioned)
    #expect(verdict([1 - above, above], [1 - above, 0]) == .illConditioned)
    #expect(verdict([1 - below, below], [1 - below, below * 1.5]) == .ok)
    #expect(verdict([0.5, 0.5], [0.5, 0.5], share: 0.1251) == .illConditioned)
  }

  /// The format's rounding of logits moves a small probability by a fifth though the row's norm hides it; the same logits, exact, do not.
  @Test(arguments: [(NumberFormat.bf16, 70.0, 67.76), (.f16, 2000.0, 1997.4), (.tf32, 1500.0, 1497.4)])
  func roundedInputsAreNamed(_ format: NumberFormat, _ first: Double, _ second: Double) throws {
    let configuration = KernelConfiguration(storage: .float(format), compute: .f32, accumulator: .f32)
    let r = try run(.softmax, configuration, [[0, second, first]], only: ["shifted"])
    let entry = r.entries[0]
    #expect(entry.verdict == .illConditioned && r.inherentShare > 0.125, "\(r.inherentShare) \(r.inherent)")
    guard case .inputs(let by)? = r.caution(entry, configuration) else {
      Issue.record("\(String(describing: r.caution(entry, configuration)))")
      return
    }
    #expect(by == max(r.inherent, r.inherentShare))
    let exact = [first, second].map { format.round($0) }
    let same = try run(.softmax, configuration, [[0, exact[1], exact[0]]], only: ["shifted"])
    #expect(same.entries[0].verdict == .ok && same.inherentShare == 0)
  }

  /// Rows without an answer are counted by why, and take no bound away from the others.
  @Test(arguments: RowOperation.allCases)
  func rowsWithoutAnAnswer(_ operation: RowOperation) throws {
    let p = OperationParameters(target: 1, cotangent: [1, 0.5, -1])
    let good = [[1.0, 2, 0.5], [0, -1, 3]]
    let bad: [[Double]] = [
      [-.infinity, -.infinity, -.infinity], [1, .infinity, 0], [.nan, 1, -.infinity],
      [.infinity, .infinity, 1],
    ]
    let configuration = KernelConfiguration(storage: .float(.f32))
    let clean = try run(operation, configuration, good, p)
    let mixed = try run(operation, configuration, [bad[0], good[0], bad[1], bad[2], good[1], bad[3]], p)
    switch operation {
    case .sigmoid: #expect(mixed.unanswered.count == 0)
    case .logSumExp:
      #expect(mixed.unanswered.masked == 0 && mixed.unanswered.infinite == 0 && mixed.unanswered.nan == 1)
    default:
      #expect(mixed.unanswered.masked == 1 && mixed.unanswered.infinite == 2 && mixed.unanswered.nan == 1)
    }
    #expect(clean.unanswered.count == 0)
    for (a, b) in zip(mixed.entries, clean.entries) {
      // Without a shift e^∞ is one infinity among numbers: the others become 0, which is not what 'ieee' asks.
      let isNaive = operation == .softmax && a.algorithm.kernel == "naive"
      #expect(a.verdict == b.verdict || isNaive, "\(a.algorithm)")
      #expect(a.bound == b.bound, "\(operation) \(a.algorithm): \(a.bound), \(b.bound)")
      #expect(a.bound == .sound && (a.boundUlp == b.boundUlp || operation == .sigmoid))
    }
  }

  /// Where there is a truth there is something to measure, though no result be finite.
  @Test func aFiniteTruthIsSomethingToMeasure() throws {
    let f32 = KernelConfiguration(storage: .float(.f32))
    let lse = try run(.logSumExp, f32, [[91, -3, 2]], only: ["naive"])
    #expect(lse.entries[0].kernel.finiteTruths == 1 && lse.entries[0].kernel.finiteCount == 0)
    #expect(!lse.isEmpty && lse.best == nil)
    guard case .overflow(1, let cause)? = lse.entries[0].fault else {
      Issue.record("\(String(describing: lse.entries[0].fault))")
      return
    }
    #expect(cause?.stage == .exponential && cause?.isNegative == false)
    // Everything underflows: no overflow, but the logarithm of a 0.
    let low = try run(.logSumExp, f32, [[-120, -130, -140]], only: ["naive"])
    guard case .overflow(1, let zero)? = low.entries[0].fault else {
      Issue.record("\(String(describing: low.entries[0].fault))")
      return
    }
    #expect(zero?.isLogarithmOfZero == true && low.entries[0].trace.firstOverflow == nil)
    let none = try run(.softmax, f32, [[.nan, 1]])
    #expect(none.isEmpty)
  }

  /// The Jacobian that adds up the others keeps its digits where one logit leads; of the other that is said, and nothing is advised
  /// that is so already.
  @Test(arguments: [NumberFormat.f32, .f16, .bf16, .f64], [2, 3, 5])
  func theComplementDoesNotCancel(_ format: NumberFormat, _ n: Int) throws {
    let configuration = KernelConfiguration(storage: .float(format))
    let lead = Double(format.precision) * 0.65
    let r = try run(.softmaxJacobian, configuration, [[lead] + (1..<n).map { Double($0) / 8 }])
    for e in r.entries {
      if e.algorithm.kernel == "complement" {
        #expect(
          e.verdict == .ok && e.bound == .sound && e.kernel.maxUlp < 64, "\(e.algorithm) \(e.kernel.maxUlp)")
        #expect(r.caution(e, configuration) == nil)
      } else if e.verdict == .vacuous {
        #expect(r.caution(e, configuration) == .cancelling)
      }
    }
    #expect(r.best?.algorithm.kernel == "complement")
  }

  /// Rows of so many terms that n u reaches a quarter may lose all in a sum; below that it is the numbers' size.
  @Test func whenRowsAreTooLong() throws {
    for (n, expected) in [(64, Caution.tooLong), (63, .tooLarge)] {
      // u of bf16 is 2^−8: 64 u is a quarter.
      let configuration = KernelConfiguration(storage: .float(.bf16))
      let rows = [(0..<n).map { Double($0 % 2) * 900 - 450 }]
      let r = try run(.softmax, configuration, rows, only: ["base2"])
      #expect(r.entries[0].verdict == .vacuous)
      #expect(r.caution(r.entries[0], configuration) == expected)
    }
  }
}
