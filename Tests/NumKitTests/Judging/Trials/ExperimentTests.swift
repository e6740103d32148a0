import NumKit
import Testing

@Suite struct ExperimentTests {
  private func result(threads: Int, seed: UInt64 = 1) throws -> ExperimentResult {
    try Experiment(
      .softmax, algorithms: algorithms(.softmax), configuration: KernelConfiguration(storage: .float(.f16)),
      threads: threads
    ).run(on: GeneratedRows(.uniform, range: 20, rows: 61, length: 37, seed: seed))
  }

  @Test func threadsDoNotMatter() throws {
    let one = try result(threads: 1)
    for threads in [2, 3, 8] {
      let many = try result(threads: threads)
      #expect(one.certificate == many.certificate)
      #expect(one.conditioning == many.conditioning && one.inherent == many.inherent)
      for (a, b) in zip(one.entries, many.entries) {
        // Described, since a NaN is not equal to itself.
        #expect(String(describing: a.kernel.witness) == String(describing: b.kernel.witness))
        #expect(a.kernel.meanUlp == b.kernel.meanUlp && a.kernel.rmsUlp == b.kernel.rmsUlp)
        #expect(a.total.meanUlp == b.total.meanUlp && a.total.maxUlp == b.total.maxUlp)
        #expect(a.distribution?.meanDivergence == b.distribution?.meanDivergence)
        #expect(a.trace.firstOverflow == b.trace.firstOverflow && a.trace.headroom == b.trace.headroom)
        #expect(a.boundUlp == b.boundUlp && a.verdict == b.verdict)
      }
    }
  }

  @Test func seedsMatter() throws {
    let a = try result(threads: 1, seed: 1)
    let b = try result(threads: 1, seed: 2)
    #expect(a.entries[2].kernel.meanUlp != b.entries[2].kernel.meanUlp)
  }

  @Test func theMainJob() throws {
    let entries = try Experiment(
      .softmax, algorithms: algorithms(.softmax), configuration: KernelConfiguration(storage: .float(.f16)),
      threads: 2
    ).run(on: GeneratedRows(.uniform, range: 1000, rows: 32, length: 256, seed: 1)).entries
    for e in entries {
      if e.algorithm.kernel == "naive" {
        #expect(e.kernel.nanRows == 32 && e.verdict == .bug)
        #expect(e.trace.firstOverflow?.stage == .exponential)
      } else {
        #expect(e.kernel.nanRows == 0 && e.kernel.overflow == 0, "\(e.algorithm)")
      }
    }
  }

  @Test func inputsThatFitCostNothing() throws {
    let r = try Experiment(
      .logSumExp, algorithms: algorithms(.logSumExp),
      configuration: KernelConfiguration(storage: .float(.f32))
    ).run(on: GeneratedRows(.constant, range: 3, rows: 4, length: 5, seed: 1))
    #expect(!r.inputsRounded && r.inherent == 0)
    for e in r.entries { #expect(e.total.maxUlp == e.kernel.maxUlp) }
  }

  @Test func nothingToDoIsAnError() {
    let experiment = Experiment(
      .softmax, algorithms: [], configuration: KernelConfiguration(storage: .float(.f32)))
    #expect(throws: ExperimentError.noAlgorithm) {
      try experiment.run(on: GeneratedRows(.uniform, range: 1, rows: 1, length: 1, seed: 1))
    }
    #expect(throws: ExperimentError.empty) {
      try experiment.run(on: GeneratedRows(.uniform, range: 1, rows: 0, length: 1, seed: 1))
    }
    let entropy = Experiment(
      .crossEntropy, algorithms: algorithms(.crossEntropy),
      configuration: KernelConfiguration(storage: .float(.f32)), parameters: .init(target: 7))
    #expect(throws: ExperimentError.target(7, length: 3)) {
      try entropy.run(on: GeneratedRows(.uniform, range: 1, rows: 1, length: 3, seed: 1))
    }
  }
}

@Suite struct IntegerKernelTests {
  /// Integer-only softmax against the truth of the rows on the grid: within a few steps of 1/255.
  @Test(arguments: [IntegerFormat.int8, .int4])
  func probabilitiesAreWithinSteps(_ format: IntegerFormat) throws {
    let algorithms = Algorithm.all(for: .softmax, dtype: .integer(format)).filter(\.isInteger)
    #expect(algorithms.count == 4)
    for range in [0.5, 4, 30, 1000] {
      let entries = try Experiment(
        .softmax, algorithms: algorithms, configuration: KernelConfiguration(storage: .integer(format))
      ).run(on: GeneratedRows(.uniform, range: range, rows: 50, length: 24, seed: 9)).entries
      for e in entries {
        #expect(e.kernel.finiteCount == 1200)
        // i-exp's quadratic errs by up to 1.9e-3 of the largest term (I-BERT, section 3.5), a table by 2^-17; then 1/2 step.
        // In units of 1/256 a probability of 1 saturates at 255.
        let limit = (e.algorithm.kernel == "table" ? 0.56 : 1.6) + (e.algorithm.variant == "256" ? 0.5 : 0)
        #expect(e.kernel.maxUlp < limit, "\(e.algorithm), range \(range)")
      }
    }
  }

  @Test func genericKernelsRunOnTheGrid() throws {
    let entries = try Experiment(
      .softmax, algorithms: Algorithm.all(for: .softmax, dtype: .integer(.int8)).filter { !$0.isInteger },
      configuration: KernelConfiguration(storage: .integer(.int8))
    ).run(on: GeneratedRows(.normal, range: 2, rows: 20, length: 32, seed: 2)).entries
    for e in entries where e.algorithm.kernel != "naive" {
      #expect(e.kernel.maxAbsolute < 0.05, "\(e.algorithm): \(e.kernel.maxAbsolute)")
      #expect(e.kernel.maxAbsolute > 1e-4, "an int8 grid cannot be that good")
    }
  }

  @Test func aCodeGridIsTheGrid() {
    var grid = IntegerGrid(.int8)
    grid.fit(count: 3) { [-1, 0.5, 2][$0] }
    #expect(
      grid.code(2) == 127 && grid.code(-1) == -64 && grid.code(1e9) == 127 && grid.code(-.infinity) == -128)
    var unsigned = IntegerGrid(.uint8)
    unsigned.fit(count: 2) { [-1, 3][$0] }
    #expect(unsigned.zeroPoint == 64 && unsigned.code(-1) == 0 && unsigned.code(3) == 255)
    var flat = IntegerGrid(.uint4)
    flat.fit(count: 2) { _ in 0 }
    #expect(flat.scale == 1 && flat.code(0) == 0)
  }
}

@Suite struct KernelRegistryTests {
  @Test func everyKernelIsSpecifiedOnce() {
    let names = KernelRegistry.all.map { "\($0.operation) \($0.name)" }
    #expect(Set(names).count == names.count)
    for operation in RowOperation.allCases {
      #expect(!algorithms(operation).isEmpty, "\(operation)")
    }
  }

  @Test func everyAlgorithmRunsInEveryFormat() throws {
    for entry in FormatRegistry.all where entry.dtype != .float(.e8m0) {
      for operation in RowOperation.allCases {
        for a in Algorithm.all(for: operation, dtype: entry.dtype) {
          for overflow in Overflow.allCases {
            let configuration = KernelConfiguration(storage: entry.dtype, overflow: overflow)
            #expect(
              KernelRunner(a, configuration, parameters: .init()) != nil, "\(operation) \(a) \(entry.dtype)")
          }
        }
      }
    }
  }
}
