import NumKit
import Testing

/// Kernels over `Scalar` whose stages are stored on integer grids stay within their bounds.
@Suite struct GridBoundTests {
  @Test(arguments: RowOperation.allCases) func gridsKeepTheirBounds(_ operation: RowOperation)
    throws
  {
    let number = RowOperation.allCases.firstIndex(of: operation) ?? 0
    let worker = try ParallelRows(threads: 2, chunk: 16).reduce(
      count: (SoundnessTests.setting ?? 4_000) / 4, progress: nil, make: { GridInvariants() },
      body: {
        try $0.check(operation, RandomSource(seed: SoundnessTests.seed &+ UInt64(number), row: $1))
      },
      merge: { $0.merge($1) })
    if SoundnessTests.setting != nil {
      print(
        "\(operation) on grids: \(worker.rows) rows, \(worker.results) results with a bound, nearest \(worker.nearest)"
      )
    }
    #expect(worker.violations.isEmpty, "\(worker.violations.prefix(3))")
    // Bounds that are nowhere would hold everywhere, and so would wide ones.
    #expect(worker.bounded * 2 > worker.rows && worker.nearest > 0.99)
  }
}

/// One thread's share.
private final class GridInvariants {
  var rows = 0
  var bounded = 0
  var results = 0
  var nearest = 0.0
  var violations: [String] = []
  private var truth = Truth()
  private var profile = RowProfile()

  func merge(_ other: GridInvariants) {
    rows += other.rows
    bounded += other.bounded
    results += other.results
    nearest = Swift.max(nearest, other.nearest)
    violations += other.violations
  }

  func check(_ operation: RowOperation, _ source: RandomSource) throws {
    var random = source
    let format = [IntegerFormat.int8, .uint8, .int4, .uint4].randomElement(using: &random)!
    let computable = HostileQuestion.computable
    let usual = random.next() % 2 == 0
    let configuration = KernelConfiguration(
      storage: .integer(format), compute: usual ? .f32 : computable.randomElement(using: &random)!,
      accumulator: usual ? nil : computable.randomElement(using: &random)!)
    let length = Int(1 + random.next() % (operation == .softmaxJacobian ? 6 : 30))
    let temperatures = [1.0, 1, 0.7, 3, 0x1p-7]
    var parameters = OperationParameters(
      temperature: temperatures.randomElement(using: &random)!,
      target: Int(random.next() % UInt64(length)))
    if operation == .softmaxVJP { parameters.cotangent = (0..<length).map { _ in random.normal() } }
    parameters = parameters.rounded(to: configuration)
    let drawn = HostileRow.draw(
      length, (configuration.compute, configuration.compute, configuration.accumulator),
      temperature: 1, &random)
    var row = drawn.map { $0.isFinite ? $0 : 0 }
    _ = configuration.roundInputs(row.map { $0 }, into: &row)
    let reference = Reference(operation, format: .f64)
    row.withUnsafeBufferPointer {
      reference.answer($0, parameters: parameters, into: &truth)
      profile.update($0, temperature: parameters.temperature)
    }
    let flat = FlatTruth(truth)
    for algorithm in Algorithm.all(for: operation, dtype: .integer(format))
    where !algorithm.isInteger {
      guard let runner = KernelRunner(algorithm, configuration, parameters: parameters) else {
        continue
      }
      rows += 1
      guard var model = GridErrors(algorithm, configuration, parameters: parameters) else {
        continue
      }
      var y = [Double](repeating: .nan, count: flat.value.count)
      var limits = y
      var trace = StageTrace()
      trace.startRow(0)
      row.withUnsafeBufferPointer { x in
        y.withUnsafeMutableBufferPointer {
          runner.run(x, target: parameters.target, into: $0, trace: &trace)
        }
      }
      let bound = flat.value.withUnsafeBufferPointer { t in
        limits.withUnsafeMutableBufferPointer {
          model.bound(profile, target: parameters.target, truth: t, into: $0)
        }
      }
      guard bound != .none else { continue }
      bounded += 1
      for i in y.indices {
        results += 1
        let error = ((y[i] - flat.value[i]) - flat.remainder[i]).magnitude
        if limits[i] > 0x1p-40 * flat.value[i].magnitude {
          nearest = Swift.max(nearest, error / limits[i])
        }
        if !(error <= limits[i] + truth.relativeError * flat.value[i].magnitude) {
          violations.append(
            "\(algorithm) \(format) × \(configuration.compute.name) × \(configuration.accumulator.name), τ \(parameters.temperature), at \(i) of target \(parameters.target): \(y[i]) for \(flat.value[i]), bound \(limits[i]), row \(row)"
          )
        }
      }
    }
  }
}
