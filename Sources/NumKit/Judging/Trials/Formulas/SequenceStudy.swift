import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// How errors grow along a sequence whose rows are its tokens: by octaves of the token, each kernel.
package struct SequenceStudy {
  /// Tokens from a power of two to the next; token 0 stands with 1.
  package struct Octave: Sendable {
    package var name: String
    package var from: Int
    /// The largest error of a result, relative to the largest exact result of its row.
    package var error = 0.0
  }

  /// Looks at every row of `source`.
  ///
  /// - Throws: `FormulaError` where a format cannot be computed in.
  package static func run<F: BoundedFormula>(
    _ formula: F, _ algorithms: [FormulaAlgorithm<F>], _ configuration: KernelConfiguration,
    on source: any RowSource
  ) throws -> [Octave] {
    let stored = formula.rounded(to: configuration)
    let runners = try algorithms.map {
      guard let runner = FormulaRunner($0, configuration, formula: stored) else {
        throw FormulaError.cannotCompute($0.name, configuration)
      }
      return runner
    }
    let reference = FormulaReference<F>(format: .f64)
    var truth = Truth()
    var trace = StageTrace()
    var given = [Double](repeating: 0, count: source.length)
    var x = given
    var y = [Double](repeating: 0, count: formula.resultCount(length: source.length))
    var octaves: [[Octave]] = algorithms.map { _ in [] }
    for row in 0..<source.rowCount {
      try given.withUnsafeMutableBufferPointer { try source.read(row, into: $0) }
      _ = configuration.roundInputs(given, into: &x)
      x.withUnsafeBufferPointer { reference.answer(row, $0, stored, into: &truth) }
      let size = truth.high.reduce(0) { Swift.max($0, $1.magnitude) }
      let place = row < 2 ? 0 : Int.bitWidth - 1 - row.leadingZeroBitCount
      for k in runners.indices {
        if octaves[k].count == place { octaves[k].append(Octave(name: algorithms[k].name, from: 1 << place)) }
        trace.startRow(row)
        x.withUnsafeBufferPointer { x in
          y.withUnsafeMutableBufferPointer { runners[k].run(row, x, into: $0, trace: &trace) }
        }
        guard size > 0, size < .infinity else { continue }
        for i in y.indices {
          let error = (y[i] - truth.high[i]).magnitude / size
          octaves[k][place].error = error.isNaN ? .infinity : Swift.max(octaves[k][place].error, error)
        }
      }
    }
    return octaves.flatMap { $0 }
  }
}
