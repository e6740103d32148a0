import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// What of an exponential's error reaches softmax, log-sum-exp and attention: rows of logits by every way to make exponentials, results
/// stored in several formats, all held against the proven answer for the logits as stored.
package struct ApproximationStudy: Sendable {
  /// What is computed and summed in.
  package var compute: NumberFormat
  package var accumulator: NumberFormat
  /// What logits and results are stored in.
  package var storages: [NumberFormat]

  package init(compute: NumberFormat, accumulator: NumberFormat, storages: [NumberFormat]) {
    (self.compute, self.accumulator, self.storages) = (compute, accumulator, storages)
  }

  /// One way in one format.
  package struct Outcome: Sendable {
    /// `shifted` for the platform's exponential, or the method.
    package var name: String
    package var storage: NumberFormat
    /// The largest error of a probability in ulps, its own and of the row's largest.
    package var softmaxUlp = 0.0
    package var softmaxAtPeak = 0.0
    /// The largest error of a log-sum-exp in ulps.
    package var logSumExpUlp = 0.0
    /// The largest Σ |p̂ − p| of a row: an output of attention over values of at most 1 can be off by so much, and no more.
    package var moved = 0.0
    /// The largest error of an output of attention with these weights, stored, over values drawn from [−1, 1], 8 to a key.
    package var output = 0.0
  }

  /// Looks at `rows` rows of a source, −∞ allowed.
  package func run(on source: any RowSource, rows: Int) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    for storage in storages {
      let configuration = KernelConfiguration(
        storage: .float(storage), compute: compute, accumulator: accumulator)
      func algorithms(_ operation: RowOperation) -> [Algorithm] {
        Algorithm.all(for: operation, dtype: .float(storage)).filter { $0.description == "shifted" }
          + Algorithm.approximate(for: operation)
      }
      func runners(_ operation: RowOperation) throws -> [KernelRunner] {
        try algorithms(operation).map {
          guard let runner = KernelRunner($0, configuration, parameters: OperationParameters()) else {
            throw FormulaError.cannotCompute($0.description, configuration)
          }
          return runner
        }
      }
      let (softmax, logSumExp) = (try runners(.softmax), try runners(.logSumExp))
      var found = softmax.map { Outcome(name: $0.algorithm.description, storage: storage) }
      let (first, second) = (Reference(.softmax, format: storage), Reference(.logSumExp, format: storage))
      var (shares, log) = (Truth(), Truth())
      var given = [Double](repeating: 0, count: source.length)
      var x = given
      for row in 0..<Swift.min(rows, source.rowCount) {
        try given.withUnsafeMutableBufferPointer { try source.read(row, into: $0) }
        _ = configuration.roundInputs(given, into: &x)
        x.withUnsafeBufferPointer {
          first.answer($0, parameters: OperationParameters(), into: &shares)
          second.answer($0, parameters: OperationParameters(), into: &log)
        }
        let values = Self.values(storage, row, x.count)
        for k in softmax.indices {
          let weights = Self.run(softmax[k], row, x)
          found[k].hold(weights, shares)
          found[k].hold(weights, shares, values, accumulator)
          let y = Self.run(logSumExp[k], row, x, count: 1)[0]
          let error = (y - log.high[0]).magnitude / storage.ulp(of: log.high[0])
          found[k].logSumExpUlp = Swift.max(found[k].logSumExpUlp, error.isNaN ? .infinity : error)
        }
      }
      outcomes += found
    }
    return outcomes
  }

  /// As many as weights, 8 times.
  private static func values(_ storage: NumberFormat, _ row: Int, _ count: Int) -> [[Double]] {
    var random = RandomSource(seed: 1, row: row)
    return (0..<8).map { _ in (0..<count).map { _ in storage.round(2 * random.uniform() - 1) } }
  }

  private static func run(_ runner: KernelRunner, _ row: Int, _ x: [Double], count: Int? = nil) -> [Double] {
    var y = [Double](repeating: 0, count: count ?? x.count)
    var trace = StageTrace()
    trace.startRow(row)
    x.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer { runner.run(x, target: 0, into: $0, trace: &trace) }
    }
    return y
  }
}

extension ApproximationStudy.Outcome {
  /// Sums of products of stored weights and values in the accumulator, stored.
  fileprivate mutating func hold(
    _ weights: [Double], _ truth: Truth, _ values: [[Double]], _ accumulator: NumberFormat
  ) {
    for v in values {
      var (sum, exact) = (0.0, ExactSum())
      for i in v.indices {
        sum = accumulator.round(sum + accumulator.round(weights[i] * v[i]))
        // The product is exact in two parts, and a weight is known far beyond a Double.
        let product = truth.high[i] * v[i]
        exact.add(product)
        exact.add((-product).addingProduct(truth.high[i], v[i]))
      }
      let error = (storage.round(sum) - exact.value).magnitude
      output = error.isNaN ? .infinity : Swift.max(output, error)
    }
  }

  fileprivate mutating func hold(_ y: [Double], _ truth: Truth) {
    let peak = storage.ulp(of: truth.high.max() ?? 1)
    var sum = 0.0
    for i in y.indices {
      let error = (y[i] - truth.high[i]).magnitude
      softmaxUlp = Swift.max(softmaxUlp, error / storage.ulp(of: truth.high[i]))
      softmaxAtPeak = Swift.max(softmaxAtPeak, error / peak)
      sum += error
    }
    // Of a number and NaN either may be the larger.
    moved = sum.isNaN ? .infinity : Swift.max(moved, sum)
  }
}
