/// Backward passes run on the same tensors, every gradient held against the proven one.
public struct BackwardExperiment: Sendable {
  /// The inputs as given.
  public var tensors: AttentionInputs
  /// dO [heads, queries, valueSize] as given.
  public var gradient: [Double]
  /// What is asked.
  public var parameters: AttentionParameters
  /// The kernels, all of one storage format.
  public var runners: [AttentionRunner]
  /// How many threads work, a key head each; results do not depend on it.
  public var threads: Int

  /// All parts.
  public init(
    _ tensors: AttentionInputs, gradient: [Double], _ parameters: AttentionParameters,
    _ runners: [AttentionRunner], threads: Int = 1
  ) {
    self.tensors = tensors
    self.gradient = gradient
    self.parameters = parameters
    self.runners = runners
    self.threads = threads
  }

  /// Runs everything.
  ///
  /// - Throws: `BackwardError` and `AttentionError` for what cannot be asked or run.
  public func run(progress: (@Sendable (Int) -> Void)? = nil) throws -> BackwardMeasurement {
    guard let first = runners.first else { throw AttentionError.nothingToRun }
    let passes = try runners.map { runner in
      guard let pass = BackwardRunner(runner) else {
        throw BackwardError.noBackward(runner.algorithm.rawValue)
      }
      return pass
    }
    guard let baseline = BackwardRunner(AttentionExperiment.baseline(first)) else {
      throw AttentionError.nothingToRun
    }
    let shape = tensors.shape
    guard gradient.count == shape.heads * shape.queries * shape.valueSize else { throw BackwardError.unfit }
    let stored = first.stored(tensors)
    let storedGradient = passes[0].stored(gradient, width: shape.valueSize)
    let isSame =
      stored.isSame(as: tensors) && AttentionInputs.areSame(storedGradient, gradient)
    let format = first.outputFormat
    let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
      count: shape.keyHeads, progress: progress,
      make: {
        BackwardWorker(
          try BackwardReference(stored, gradient: storedGradient, parameters, format: format),
          isSame ? nil : try BackwardReference(tensors, gradient: gradient, parameters, format: format),
          passes + [baseline])
      },
      body: { try $0.measure($1) }, merge: { $0.merge($1) })
    return BackwardMeasurement(
      entries: Array(worker.entries.dropLast()), baseline: worker.entries[passes.count],
      inputsRounded: !isSame, certificate: worker.certificate)
  }
}

/// What was found.
public struct BackwardMeasurement: Sendable {
  /// The errors of one gradient of one algorithm.
  public struct Errors: Sendable {
    /// Against the truth of the inputs as stored.
    public internal(set) var kernel = ErrorStatistics()
    /// The same as single figures.
    public internal(set) var sums = ErrorSums()
    /// As single figures, against the truth of the inputs as given.
    public internal(set) var totalSums = ErrorSums()

    /// The judgement; no bound has been derived, so it is of special values and of size.
    public func verdict(_ format: NumberFormat) -> Verdict {
      Verdict(kernel, inherent: 0, bound: .none, unit: .ulp(format))
    }
  }

  /// One algorithm's figures.
  public struct Entry: Sendable {
    /// The algorithm and its formats.
    public let runner: AttentionRunner
    var errors = [Errors](repeating: Errors(), count: AttentionGradient.allCases.count)

    init(runner: AttentionRunner) { self.runner = runner }

    /// The errors of one gradient.
    public subscript(gradient: AttentionGradient) -> Errors {
      switch gradient {
      case .dq: errors[0]
      case .dk: errors[1]
      case .dv: errors[2]
      }
    }
  }

  /// The algorithms, in the order given.
  public let entries: [Entry]
  /// The standard algorithm in the storage format with sums in f32, as FlashAttention's tests compare with.
  public let baseline: Entry
  /// Whether storage changed an input.
  public let inputsRounded: Bool
  /// What proved the truths.
  public let certificate: Certificate
}

/// One thread's share.
final class BackwardWorker {
  private let reference: BackwardReference
  private let given: BackwardReference?
  private let passes: [BackwardRunner]
  private(set) var entries: [BackwardMeasurement.Entry]
  private(set) var certificate = Certificate()
  private var truth = BackwardTruth()
  private var truthOfGiven = BackwardTruth()

  init(_ reference: BackwardReference, _ given: BackwardReference?, _ passes: [BackwardRunner]) {
    self.reference = reference
    self.given = given
    self.passes = passes
    entries = passes.map { BackwardMeasurement.Entry(runner: $0.forward) }
  }

  func measure(_ kv: Int) throws {
    let shape = reference.tensors.shape
    reference.answer(keyHead: kv, into: &truth)
    certificate.merge(truth.certificate)
    if let given {
      given.answer(keyHead: kv, into: &truthOfGiven)
      certificate.merge(truthOfGiven.certificate)
    }
    let other = given == nil ? truth : truthOfGiven
    let places = [shape.rows(ofKeyHead: kv).lowerBound, kv * shape.keys, kv * shape.keys]
    for (k, pass) in passes.enumerated() {
      guard
        let result = pass.run(
          reference.tensors, gradient: reference.gradient, reference.parameters, keyHead: kv)
      else { throw AttentionError.cannotRun(pass.forward) }
      let unit = ErrorUnit.ulp(pass.forward.outputFormat)
      for (g, gradient) in AttentionGradient.allCases.enumerated() {
        let computed = [result.q, result.k, result.v][g]
        let width = gradient == .dv ? shape.valueSize : shape.headSize
        for (i, row) in truth[gradient].enumerated() {
          computed[i * width..<(i + 1) * width].withUnsafeBufferPointer { y in
            entries[k].errors[g].kernel.add(
              row: places[g] + i, computed: y, truth: row, unit: unit, bounds: nil)
            entries[k].errors[g].sums.add(y, row)
            entries[k].errors[g].totalSums.add(y, other[gradient][i])
          }
        }
      }
    }
  }

  func merge(_ other: BackwardWorker) {
    certificate.merge(other.certificate)
    for k in entries.indices {
      for g in entries[k].errors.indices {
        entries[k].errors[g].kernel.merge(other.entries[k].errors[g].kernel)
        entries[k].errors[g].sums.merge(other.entries[k].errors[g].sums)
        entries[k].errors[g].totalSums.merge(other.entries[k].errors[g].totalSums)
      }
    }
  }
}
