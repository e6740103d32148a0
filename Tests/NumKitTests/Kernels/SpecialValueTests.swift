import NumKit
import Testing

/// Rows with infinities and NaN: kernels and truth must agree by name.
@Suite struct SpecialValueTests {
  private static let infinity = Double.infinity

  private func truth(
    _ operation: RowOperation, _ row: [Double], _ parameters: OperationParameters
  ) -> [Double] {
    var truth = Truth()
    let reference = Reference(operation, format: .f32)
    row.withUnsafeBufferPointer { reference.answer($0, parameters: parameters, into: &truth) }
    return truth.rounded
  }

  private func same(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { $0.isNaN && $1.isNaN || $0 == $1 || ($0 - $1).magnitude < 1e-5 }
  }

  private static let rows: [[Double]] = [
    [-infinity, -infinity, -infinity], [-infinity, 0, 1], [0, -infinity, -infinity], [infinity, 0, 1],
    [infinity, infinity, 0], [infinity, -infinity, 0], [.nan, 0, 1], [0, .nan, -infinity],
    [infinity, .nan, 0],
    [5], [-infinity], [infinity], [.nan], [0x1p-149, -0x1p-149, 0], [-0.0, 0],
  ]

  @Test(arguments: rows, SpecialValues.allCases)
  func stableKernelsAgreeWithTheTruth(_ row: [Double], _ policy: SpecialValues) throws {
    let stable: [RowOperation: [String]] = [
      .softmax: ["shifted", "online", "base2"], .logSoftmax: ["shifted"],
      .logSumExp: ["shifted", "shifted-log1p", "online"], .sigmoid: ["stable", "naive", "tanh"],
      .crossEntropyGradient: ["shifted"],
    ]
    for (operation, names) in stable {
      let parameters = OperationParameters(specialValues: policy)
      let expected = truth(operation, row, parameters)
      for a in algorithms(operation) where names.contains(a.kernel) {
        let y = try run(a, row, KernelConfiguration(storage: .float(.f32)), parameters: parameters)
        #expect(same(y, expected), "\(operation) \(a), \(policy): \(row) gives \(y), truth \(expected)")
      }
    }
  }

  @Test func whatTheTruthSays() {
    let inf = Double.infinity
    #expect(truth(.softmax, [-inf, -inf], .init()).filter { !$0.isNaN }.isEmpty)
    #expect(truth(.softmax, [-inf, -inf], .init(specialValues: .safe)) == [0, 0])
    #expect(truth(.softmax, [-inf, -inf], .init(specialValues: .uniform)) == [0.5, 0.5])
    #expect(truth(.softmax, [inf, inf, 0], .init(specialValues: .safe)) == [0.5, 0.5, 0])
    #expect(truth(.logSumExp, [-inf, -inf], .init()) == [-inf])
    #expect(truth(.logSumExp, [inf, 0], .init()) == [inf])
    #expect(truth(.logSumExp, [inf, .nan], .init())[0].isNaN)
    #expect(truth(.sigmoid, [-inf, inf, 0], .init()) == [0, 1, 0.5])
    #expect(truth(.softmax, [1, 3, 3], .init(temperature: 0)) == [0, 0.5, 0.5])
    #expect(truth(.softmax, [1, 3], .init(temperature: .infinity)) == [0.5, 0.5])
  }

  /// The naive kernel gives 0 beside +∞ where the formula after the shift has NaN: a disagreement with a name.
  @Test func aDisagreementIsReportedByName() throws {
    struct One: RowSource {
      let rowCount = 1
      let length = 2
      func read(_ row: Int, into x: UnsafeMutableBufferPointer<Double>) { x[0] = .infinity; x[1] = 0 }
    }
    let e = try Experiment(
      .softmax, algorithms: algorithms(.softmax), configuration: KernelConfiguration(storage: .float(.f32))
    ).run(on: One()).entries
    #expect(e[0].algorithm.kernel == "naive" && e[0].kernel.specialMismatches == 1 && e[0].verdict == .bug)
    let shifted = try #require(e.first { $0.algorithm.description == "shifted" })
    #expect(shifted.kernel.specialMismatches == 0)
  }
}
