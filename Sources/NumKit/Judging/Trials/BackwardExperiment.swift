import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

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
    let given = AttentionBackward.Item(tensors: tensors, gradient: gradient, keyHead: 0)
    let stored = AttentionBackward.Item(
      tensors: first.stored(tensors), gradient: passes[0].stored(gradient, width: shape.valueSize), keyHead: 0
    )
    let format = first.outputFormat
    let parameters = parameters
    var trial = Trial(
      AttentionBackward(parameters),
      candidates: (passes + [baseline]).map { BackwardCandidate($0, parameters) }, format: format,
      threads: threads
    ) {
      let item = $0 == .given ? given : stored
      return try BackwardProver(item.tensors, gradient: item.gradient, parameters, format: format)
    }
    trial.measuresSums = true
    trial.chunk = 1
    let found = try trial.run(on: AttentionKeyHeads(given, stored: stored), progress: progress)
    let entries = zip(passes + [baseline], found.entries).map {
      BackwardMeasurement.Entry(
        runner: $0.forward,
        errors: $1.parts.map {
          BackwardMeasurement.Errors(
            kernel: $0.kernel, sums: $0.sums, totalSums: $0.totalSums, bound: $0.bound)
        })
    }
    return BackwardMeasurement(
      entries: Array(entries.dropLast()), baseline: entries[passes.count],
      inputsRounded: found.inputsRounded, certificate: found.certificate)
  }
}

/// One of our backward passes.
public struct BackwardCandidate: Candidate {
  public typealias Q = AttentionBackward

  private let runner: BackwardRunner
  private let parameters: AttentionParameters

  /// The backward pass of `runner`, under these parameters.
  public init(_ runner: BackwardRunner, _ parameters: AttentionParameters) {
    self.runner = runner
    self.parameters = parameters
  }

  public var name: String { runner.forward.algorithm.rawValue }

  public func answer(
    _ item: AttentionBackward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    guard
      let made = runner.run(
        item.tensors, gradient: item.gradient, parameters, keyHead: item.keyHead)
    else { throw AttentionError.cannotRun(runner.forward) }
    var place = 0
    for part in [made.q, made.k, made.v] {
      for x in part {
        results[place] = x
        place += 1
      }
    }
  }

  public func errorModel() -> (any ErrorModel<AttentionBackward>)? { BackwardErrorModel(runner, parameters) }

  public func unit(of part: Int, results: UnsafeMutableBufferPointer<Double>) -> ErrorUnit? {
    .ulp(runner.forward.outputFormat)
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
    /// What the bounds are worth, at worst over rows.
    public internal(set) var bound = RowBound.none

    /// The judgement; where there is no bound it is of special values and of size.
    public func verdict(_ format: NumberFormat) -> Verdict {
      Verdict(kernel, inherent: 0, bound: bound, unit: .ulp(format))
    }
  }

  /// One algorithm's figures.
  public struct Entry: Sendable {
    /// The algorithm and its formats.
    public let runner: AttentionRunner
    let errors: [Errors]

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
