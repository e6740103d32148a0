import NumKit
import Testing

/// Rows that try to beat the bounds: each kind has broken some bound in the literature or in the making of these.
struct HostileRows: RowSource {
  let format: NumberFormat
  let length: Int
  let rowCount: Int

  func read(_ row: Int, into x: UnsafeMutableBufferPointer<Double>) {
    var random = RandomSource(seed: 99, row: row)
    let reach = Swift.min(80, format.largestFinite / 2)
    let kind = row % 8
    for i in x.indices {
      let v: Double
      switch kind {
      case 0: v = reach * (2 * random.uniform() - 1)
      case 1: v = random.normal()
      // A slow climb: every step a new maximum, the worst for a running one.
      case 2: v = reach * Double(i) / Double(x.count)
      // Nearly equal: the sum's roundings all go one way.
      case 3: v = 1 + Double(random.next() & 3) * format.epsilon
      // One dominating term.
      case 4: v = i == 0 ? reach / 2 : -random.uniform()
      // Ties on the way to underflow.
      case 5: v = i % 2 == 0 ? 0 : -reach * random.uniform()
      // Large and close together: cancellation in the shift.
      case 6: v = reach * (1 - random.uniform() * 16 * format.epsilon)
      default: v = Double(Int(random.next() % 9)) - 4
      }
      x[i] = format.round(v, overflow: .saturate)
    }
  }
}

@Suite struct BoundTests {
  /// No result of a correct kernel may exceed its sound bound, in any format, at any length, with any accumulator.
  @Test(arguments: kernelFormats.map(\.format))
  func noKernelBeatsItsBound(_ format: NumberFormat) throws {
    for operation in RowOperation.allCases {
      for length in [1, 2, 3, 16, 61] {
        let rows = HostileRows(
          format: format, length: length, rowCount: operation == .softmaxJacobian ? 16 : 64)
        for accumulator in [format, NumberFormat.f32, .bf16] {
          var random = RandomSource(seed: 4, row: 0)
          let cotangent = (0..<length).map { _ in format.round(random.normal()) }
          let experiment = Experiment(
            operation, algorithms: algorithms(operation),
            configuration: KernelConfiguration(storage: .float(format), accumulator: accumulator),
            parameters: OperationParameters(target: length / 2, cotangent: cotangent), threads: 2)
          for e in try experiment.run(on: rows).entries {
            #expect(
              e.kernel.aboveBound == 0,
              """
              \(operation) \(e.algorithm) in \(format.name), sums in \(accumulator.name), length \(length): \
              \(String(describing: e.kernel.boundWitness))
              """)
          }
        }
      }
    }
  }

  @Test(arguments: [0.5, 2.0, 3.0])
  func temperaturesAreWithinTheBoundToo(_ temperature: Double) throws {
    for format in [NumberFormat.f16, .bf16, .f32] {
      for operation in RowOperation.allCases {
        let experiment = Experiment(
          operation, algorithms: algorithms(operation),
          configuration: KernelConfiguration(storage: .float(format)),
          parameters: OperationParameters(
            temperature: temperature, cotangent: Array(repeating: 0.5, count: 24)))
        for e in try experiment.run(on: HostileRows(format: format, length: 24, rowCount: 32)).entries {
          #expect(e.kernel.aboveBound == 0, "\(operation) \(e.algorithm) in \(format.name)")
        }
      }
    }
  }

  /// A kernel that computes in less than it says is caught: f16 results held to the bounds of f32.
  @Test func aWorseKernelIsCaught() throws {
    let rows = GeneratedRows(.normal, range: 3, rows: 8, length: 64, seed: 1)
    let algorithm = try #require(algorithms(.softmax).first { $0.description == "shifted" })
    let parameters = OperationParameters()
    let bounds = try #require(
      ErrorBounds(algorithm, KernelConfiguration(storage: .float(.f32)), parameters: parameters))
    let runner = try #require(
      KernelRunner(
        algorithm, KernelConfiguration(storage: .float(.f32), compute: .f16), parameters: parameters))
    var x = [Double](repeating: 0, count: 64)
    x.withUnsafeMutableBufferPointer { rows.read(0, into: $0) }
    x = x.map { NumberFormat.f16.round($0) }
    var profile = RowProfile()
    var truth = Truth()
    var y = x
    var limit = x
    var trace = StageTrace()
    let reference = Reference(.softmax, format: .f32)
    x.withUnsafeBufferPointer { row in
      profile.update(row, temperature: 1)
      reference.answer(row, parameters: parameters, into: &truth)
      y.withUnsafeMutableBufferPointer { runner.run(row, target: 0, into: $0, trace: &trace) }
    }
    let kind = truth.high.withUnsafeBufferPointer { t in
      limit.withUnsafeMutableBufferPointer { bounds.bound(profile, target: 0, truth: t, into: $0) }
    }
    #expect(kind == .sound)
    var statistics = ErrorStatistics()
    y.withUnsafeBufferPointer { computed in
      limit.withUnsafeBufferPointer {
        statistics.add(row: 0, computed: computed, truth: truth, unit: .ulp(.f32), bounds: $0)
      }
    }
    #expect(statistics.aboveBound > 0)
    #expect(
      Verdict(statistics, inherent: 0, bound: .sound, unit: .ulp(.f32)) == .bug)
  }

  @Test func longRowsInShortFormatsAreVacuous() throws {
    // 4096 equal terms summed one after the other in bf16: the sum sticks at 256.
    let rows = GeneratedRows(.constant, range: 1, rows: 1, length: 4096, seed: 1)
    let experiment = Experiment(
      .softmax, algorithms: algorithms(.softmax).filter { $0.kernel == "shifted" },
      configuration: KernelConfiguration(storage: .float(.bf16)))
    let entries = try experiment.run(on: rows).entries
    #expect(entries[0].verdict == .vacuous)
    #expect(entries[0].kernel.maxRelative > 10)
    #expect(entries[1].algorithm.summation == .pairwise && entries[1].verdict == .ok)
  }

  /// Theorem 4.2 as printed is beaten by x = (1000, 1000) in f16; mended, it holds.
  @Test func thePrintedTheoremHasACounterexample() throws {
    let x = [1000.0, 1000]
    let algorithm = try #require(algorithms(.logSumExp).first { $0.description == "shifted-log1p" })
    let y = try run(algorithm, x, KernelConfiguration(storage: .float(.f16)))
    #expect(y == [1000.5])
    var profile = RowProfile()
    x.withUnsafeBufferPointer { profile.update($0, temperature: 1) }
    let u = NumberFormat.f16.unitRoundoff
    let error = 1000.6931471805599 - 1000.5
    let printed = try #require(PublishedBounds.bound(algorithm, profile, u: u))
    #expect(printed.kind == .firstOrder)
    #expect(error > printed.relative * 1000.6931471805599)
    #expect(error <= PublishedBounds.mendedTheorem42(profile, u: u))
  }

  /// A kernel that says no error model has no bound, whatever its name is, and its verdict never rests on one.
  @Test func anotherKernelsBoundIsNotTaken() throws {
    let configuration = KernelConfiguration(storage: .float(.f32))
    let own = Algorithm(Unmodelled.self)
    #expect(own.description == "shifted" && ErrorBounds(own, configuration, parameters: .init()) == nil)
    let rows = GeneratedRows(.uniform, range: 5, rows: 8, length: 64, seed: 3)
    let entry = try Experiment(.softmax, algorithms: [own], configuration: configuration).run(on: rows)
      .entries[0]
    #expect(entry.bound == .none && entry.verdict == .ok)
  }

  /// Softmax as the shifted kernel does it, without saying so.
  private enum Unmodelled: Kernel {
    static let operation = RowOperation.softmax
    static let name = "shifted"
    static let summary = "a client's"
    static let summations: [Summation] = [.sequential]

    static func run<C: Scalar, A: Scalar, S: Stages>(
      _ x: UnsafeMutableBufferPointer<C>, into y: UnsafeMutableBufferPointer<C>,
      _ setting: KernelSetting<C>, accumulator: A.Type, stages: inout S
    ) {
      ShiftedSoftmax.run(x, into: y, setting, accumulator: accumulator, stages: &stages)
    }
  }
}
