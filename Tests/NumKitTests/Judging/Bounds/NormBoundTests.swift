import NumKit
import RealModule
import TestSupport
import Testing

@Suite struct NormBoundTests {
  /// Rows as they are.
  private struct Rows: RowSource {
    let rows: [[Double]]
    var rowCount: Int { rows.count }
    var length: Int { rows.first?.count ?? 0 }
    func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) {
      _ = buffer.update(fromContentsOf: rows[row])
    }
  }

  private func measure(
    _ operation: Normalization, _ rows: [[Double]], _ parameters: NormParameters,
    _ configuration: KernelConfiguration, algorithms: [NormAlgorithm]? = nil
  ) throws -> Measurement<NormQuestion> {
    let source = try NormRows(
      Rows(rows: rows), operation, parameters: parameters, configuration: configuration)
    return try Trial(
      operation, algorithms: algorithms ?? NormAlgorithm.all(for: operation), configuration: configuration,
      storedParameters: source.kernelParameters
    ).run(on: source)
  }

  /// Storage, compute and accumulator.
  private static let triples: [(NumberFormat, NumberFormat, NumberFormat)] = [
    (.f32, .f32, .f32), (.f16, .f16, .f16), (.bf16, .bf16, .bf16), (.f64, .f64, .f64), (.f16, .f32, .f32),
    (.bf16, .f32, .f32), (.bf16, .bf16, .f32), (.f16, .f16, .f32), (.f32, .f16, .f32), (.f32, .bf16, .f16),
    (.f8e4m3fn, .f16, .f32), (.f8e5m2, .f8e5m2, .f16), (.f8e4m3fn, .f8e4m3fn, .f8e4m3fn),
    (.f4e2m1, .f4e2m1, .f32),
    (.f16, .f32, .f16), (.f64, .f32, .f64), (.tf32, .tf32, .tf32), (.f6e3m2, .f6e3m2, .f6e3m2),
    (.f32, .f64, .f32),
    (.bf16, .f16, .bf16), (.f8e4m3fnuz, .f8e4m3fnuz, .bf16),
  ]

  /// What became of one candidate on one row.
  private struct Outcome {
    let name: String
    let kind: RowBound?
    let errors: ErrorStatistics
  }

  /// Every algorithm on every row by itself, so that a row without a bound hides no other.
  private func outcomes(
    _ operation: Normalization, _ rows: [[Double]], _ parameters: NormParameters,
    _ configuration: KernelConfiguration,
    _ body: (Outcome) -> Void
  ) throws {
    let format = try #require(configuration.storage.numberFormat)
    let source = try NormRows(
      Rows(rows: rows), operation, parameters: parameters, configuration: configuration)
    let candidates = try NormAlgorithm.all(for: operation).map {
      try NormCandidate($0, configuration, parameters: source.kernelParameters)
    }
    var models = candidates.map { $0.errorModel() }
    let prover = NormProver(operation, format: format)
    var (given, stored, profile) = (source.makeItem(), source.makeItem(), prover.makeProfile())
    var truths = [Truth()]
    var y = [Double](repeating: 0, count: source.makeItem().values.count)
    var bounds = y
    for r in rows.indices {
      _ = try source.read(r, given: &given, stored: &stored)
      prover.answer(stored, into: &truths)
      prover.profile(of: stored, into: &profile)
      let exact = FlatTruth(truths[0]).value
      for k in candidates.indices {
        var trace = StageTrace()
        y.withUnsafeMutableBufferPointer { candidates[k].answer(stored, into: $0, trace: &trace) }
        let kind = exact.withUnsafeBufferPointer { exact in
          bounds.withUnsafeMutableBufferPointer {
            models[k]?.bound(
              ResultRow(row: r, count: exact.count), of: stored, profile, exact: exact, into: $0)
          }
        }
        var errors = ErrorStatistics()
        let isBound = kind == .some(.sound) || kind == .some(.vacuous)
        y.withUnsafeBufferPointer { y in
          bounds.withUnsafeBufferPointer {
            errors.add(row: r, computed: y, truth: truths[0], unit: .ulp(format), bounds: isBound ? $0 : nil)
          }
        }
        body(Outcome(name: candidates[k].name, kind: kind, errors: errors))
      }
    }
  }

  /// No kernel exceeds its bound on over 10⁵ hostile rows, whatever the formats; and bounds say something.
  @Test(arguments: Normalization.allCases)
  func noHonestKernelExceedsItsBound(operation: Normalization) throws {
    var random = RandomBits(seed: 3)
    var (asked, sound) = (0, 0)
    var nearest: [String: Double] = [:]
    for (storage, compute, accumulator) in Self.triples {
      let configuration = KernelConfiguration(
        storage: .float(storage), compute: compute, accumulator: accumulator)
      for kind in NormRowKind.allCases {
        for n in [1, 2, 3, 4, 7, 16, 33, 100] {
          let p = hostileParameters(operation, n, .f64, &random)
          let rows = (0..<(n < 40 ? 26 : 12)).map { _ in kind.make(n, storage, &random) }
          try outcomes(operation, rows, p, configuration) { found in
            #expect(
              found.errors.aboveBound == 0,
              """
              \(found.name) in \(storage.name)/\(compute.name)/\(accumulator.name), \(kind) of \(n), \
              epsilon \(p.epsilon): \(String(describing: found.errors.boundWitness)), bound \(found.errors.maxBoundUlp)
              """)
            asked += 1
            guard found.kind == .some(.sound) else { return }
            sound += 1
            if found.errors.maxBoundUlp > 0.6 {
              let share = found.errors.maxUlp / found.errors.maxBoundUlp
              nearest[found.name] = Swift.max(nearest[found.name] ?? 0, share)
            }
          }
        }
      }
    }
    let algorithms = NormAlgorithm.all(for: operation)
    #expect(asked > 55_000 * algorithms.count, "\(asked)")
    #expect(sound * 3 > asked, "\(sound) bounds for \(asked) rows")
    // A bound that nothing ever comes near would catch nothing.
    for algorithm in algorithms {
      #expect(nearest[algorithm.description] ?? 0 > 0.4, "\(algorithm): \(nearest)")
    }
  }

  /// f16 sums or arithmetic in a kernel that says f32 are caught, whatever the algorithm.
  @Test(arguments: Normalization.allCases)
  func aKernelThatComputesInLessThanItSaysIsCaught(operation: Normalization) throws {
    struct Pretender: Candidate {
      typealias Q = NormQuestion
      var inner: NormCandidate
      let claim: NormCandidate
      var name: String { claim.name }
      func prepared() throws -> Pretender { Pretender(inner: try inner.prepared(), claim: claim) }
      func answer(
        _ item: NormQuestion.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
      ) { inner.answer(item, into: results, trace: &trace) }
      func errorModel() -> (any ErrorModel<NormQuestion>)? { claim.errorModel() }
    }
    let source = GeneratedRows(.normal, range: 3, rows: 40, length: 256, seed: 1)
    let claimed = KernelConfiguration(storage: .float(.f32))
    let p = NormParameters(epsilon: operation.defaultEpsilon)
    for (compute, accumulator) in [
      (NumberFormat.f16, NumberFormat.f16), (.f32, .bf16), (.f16, .f32), (.tf32, .f32),
    ] {
      let actual = KernelConfiguration(storage: .float(.f32), compute: compute, accumulator: accumulator)
      let rows = try NormRows(source, operation, parameters: p, configuration: claimed)
      let candidates = try NormAlgorithm.all(for: operation).map {
        Pretender(
          inner: try NormCandidate($0, actual, parameters: rows.kernelParameters),
          claim: try NormCandidate($0, claimed, parameters: rows.kernelParameters))
      }
      let found = try Trial(NormQuestion(operation), candidates: candidates, format: .f32) { _ in
        NormProver(operation, format: .f32)
      }.run(on: rows)
      for entry in found.entries {
        #expect(
          entry.parts[0].verdict == .bug && entry.parts[0].kernel.aboveBound > 0,
          "\(entry.candidate.name) in \(compute.name), \(accumulator.name)")
      }
    }
  }

  /// E[x²] − μ² below zero is NaN, a bug with a name; the other kernels bear the same rows.
  @Test func aNegativeVarianceIsABugOfTheNaiveKernel() throws {
    var random = RandomBits(seed: 21)
    var rows: [[Double]] = []
    for _ in 0..<50 {
      var row: [Double] = []
      for _ in 0..<64 { row.append(1000 + Double(random.next() % 64) * 0x1p-10) }
      rows.append(row)
    }
    let found = try measure(
      .layerNorm, rows, NormParameters(epsilon: 0), KernelConfiguration(storage: .float(.f32)))
    for entry in found.entries {
      let isNaive = entry.candidate.name.hasPrefix("naive")
      let isNegative = entry.trace.firstNegativeVariance != nil
      let isBug = entry.parts[0].verdict == .bug
      #expect(isNegative == isNaive, "\(entry.candidate.name)")
      #expect(isBug == isNaive, "\(entry.candidate.name)")
      if isNaive {
        #expect(entry.parts[0].kernel.nanRows > 0)
        #expect(entry.trace.firstNaN?.stage == .root)
        #expect(entry.parts[0].bound == .none)
      }
    }
  }

  /// Squares of f16 beyond 255 overflow in their stage; divided by the largest they don't.
  @Test func squaresThatOverflowAreFoundInTheirStage() throws {
    let rows = [[300.0, 1, -2, 0.5], [1.0, 2, 3, 4]]
    let found = try measure(
      .rmsNorm, rows, NormParameters(epsilon: 1e-6), KernelConfiguration(storage: .float(.f16)))
    for entry in found.entries {
      let overflows = entry.candidate.name.hasPrefix("naive")
      let stage: Stage? = overflows ? .squares : nil
      let isBug = entry.parts[0].verdict == .bug
      #expect(entry.trace.firstOverflow?.stage == stage, "\(entry.candidate.name)")
      #expect(isBug == overflows, "\(entry.candidate.name)")
    }
  }

  /// Figures do not depend on threads.
  @Test func threadsChangeNothing() throws {
    let source = GeneratedRows(.studentT, range: 2, rows: 64, length: 100, seed: 9)
    let configuration = KernelConfiguration(storage: .float(.bf16))
    let rows = try NormRows(
      source, .layerNorm, parameters: NormParameters(epsilon: 1e-5), configuration: configuration)
    let figures = try [1, 3].map { threads in
      try Trial(
        .layerNorm, algorithms: NormAlgorithm.all(for: .layerNorm), configuration: configuration,
        storedParameters: rows.kernelParameters, threads: threads
      ).run(on: rows).entries.map {
        [$0.parts[0].kernel.meanUlp, $0.parts[0].boundUlp, $0.parts[0].total.rmsUlp]
      }
    }
    #expect(figures[0] == figures[1])
  }
}
