import NumKitKernels
import NumKitNumbers
import NumKitQuestions
import NumKitTruth

/// Attention algorithms run on the same tensors, every output held against the proven one.
public struct AttentionExperiment: Sendable {
  /// The inputs as given.
  public var tensors: AttentionInputs
  /// What is asked.
  public var parameters: AttentionParameters
  /// The kernels, all of one storage format.
  public var runners: [AttentionRunner]
  /// How many threads work; results do not depend on it.
  public var threads: Int
  /// Rows whose softmax has a Jacobian below this norm count as saturated.
  public var gradientThreshold = 1e-3
  /// How many first tokens count as a sink.
  public var sinkTokens = 1

  /// Whether maps of weights are made, for pictures.
  public var mapsWeights = false

  /// All parts.
  public init(
    _ tensors: AttentionInputs, _ parameters: AttentionParameters, _ runners: [AttentionRunner],
    threads: Int = 1
  ) {
    self.tensors = tensors
    self.parameters = parameters
    self.runners = runners
    self.threads = threads
  }

  /// What FlashAttention's own tests hold an error against: the whole row in the storage format, sums in f32.
  public static func baseline(_ runner: AttentionRunner) -> AttentionRunner {
    let format = runner.outputFormat
    return AttentionRunner(
      .standard,
      KernelConfiguration(
        storage: runner.configuration.storage, compute: format, accumulator: format == .f64 ? .f64 : .f32,
        overflow: runner.configuration.overflow))
  }

  /// Runs everything.
  ///
  /// - Throws: `AttentionError` where a runner cannot answer, `UnfitAttention` where the parameters do not fit.
  public func run(progress: (@Sendable (Int) -> Void)? = nil) throws -> AttentionMeasurement {
    guard let first = runners.first else { throw AttentionError.nothingToRun }
    let (tensors, parameters) = (tensors, parameters)
    let rows = tensors.shape.heads * tensors.shape.queries
    let stored = first.stored(tensors, narrowing: true)
    let format = first.outputFormat
    let baseline = Self.baseline(first)
    let heads = KeyHeads()
    var candidates: [any Candidate<AttentionForward>] = runners.map {
      AttentionCandidate($0, parameters, on: stored, given: tensors, heads: heads)
    }
    if baseline.run(stored, parameters, rows: 0..<0) != nil {
      candidates.append(
        BaselineCandidate(
          AttentionCandidate(
            baseline, parameters, on: stored, given: tensors, isBounded: false, heads: heads),
          tensors.shape, sinkTokens: sinkTokens, mapsWeights: mapsWeights))
    }
    let isNarrow = format.precision <= 24 && runners.allSatisfy { $0.lseFormat.precision <= 24 }
    var trial = Trial(AttentionForward(parameters), candidates: candidates, format: format, threads: threads)
    {
      try AttentionProver(
        $0 == .given ? tensors : stored, parameters, format: format, lseFormat: isNarrow ? .f32 : .f64)
    }
    trial.overflow = first.configuration.overflow
    trial.measuresSums = true
    trial.sharedAs = "queries"
    // Shares are of whole chunks, so those must not depend on how many threads somebody has.
    let workers = Sharing.current == nil ? threads : 32
    // The keys of a long head are brought to a kernel's formats once a chunk.
    let longest = tensors.shape.keys > 8192 ? 256 : 64
    trial.chunk = Swift.max(1, Swift.min(longest, rows / (2 * Swift.max(workers, 1))))
    let (found, sights) = try trial.run(
      on: AttentionQueries(tensors, stored: stored, block: trial.chunk),
      observer: AttentionSights(self, format), progress: progress)
    return measurement(found, sights)
  }

  private func measurement(
    _ found: Measurement<AttentionForward>, _ sights: AttentionSights
  ) -> AttentionMeasurement {
    let entries = runners.indices.map { k in
      let entry = found.entries[k]
      let (o, lse) = (entry.parts[0], entry.parts[1])
      var e = AttentionMeasurement.Entry(runners[k])
      (e.kernel, e.total, e.logSumExp) = (o.kernel, o.total, lse.kernel)
      (e.sums, e.totalSums) = (o.sums, o.totalSums)
      (e.bound, e.boundUlp, e.verdict) = (o.bound, o.boundUlp, o.verdict)
      if let candidate = entry.candidate as? AttentionCandidate { e.sights = candidate.sights }
      return e
    }
    let baseline = found.entries.dropFirst(runners.count).first
    let error = baseline?.parts[0].sums.maxAbsoluteError ?? 0
    return AttentionMeasurement(
      entries: entries, baselineError: error,
      baselineLimit: 2 * error + (baseline == nil ? 0 : 2 * sights.slack), inputsRounded: found.inputsRounded,
      overflowedInputs: found.overflowedInputs, inherent: found.inherent[0],
      inherentShare: found.inherentShare[0],
      certificate: found.certificate, heads: sights.heads(baseline?.candidate as? BaselineCandidate),
      regularRows: sights.regular, saturatedRows: sights.saturated, rows: found.items)
  }
}

/// Why attention could not be run.
public enum AttentionError: Error, CustomStringConvertible, Sendable {
  /// No runner was given.
  case nothingToRun
  /// This algorithm cannot run in its formats, or cannot do what is asked.
  case cannotRun(AttentionRunner)

  public var description: String {
    switch self {
    case .nothingToRun: return "no algorithm to run"
    case .cannotRun(let runner):
      return "\(runner.algorithm.rawValue) cannot run in \(runner.configuration.compute.name)"
        + " with this softmax"
    }
  }
}

/// What was found.
public struct AttentionMeasurement: Sendable {
  /// One algorithm's figures.
  public struct Entry: Sendable {
    /// The algorithm and its formats.
    public let runner: AttentionRunner
    /// Errors of the outputs against the truth of the inputs as stored.
    public var kernel: ErrorStatistics
    /// Errors against the truth of the inputs as given.
    public var total: ErrorStatistics
    /// Errors of the log-sum-exps against the truth of the inputs as stored.
    public var logSumExp = ErrorStatistics()
    /// The kernel's errors as single figures.
    public var sums = ErrorSums()
    /// The same against the truth of the inputs as given.
    public var totalSums = ErrorSums()
    /// What the bound is worth, at worst over rows.
    public var bound = RowBound.sound
    /// The largest bound, in ulps.
    public var boundUlp = 0.0
    /// NaN, overflow and headroom by stage, and in how many rows each was born where.
    public var sights = AttentionResult()
    /// The judgement.
    public internal(set) var verdict = Verdict.ok

    /// Nothing measured.
    init(_ runner: AttentionRunner) {
      self.runner = runner
      kernel = ErrorStatistics(overflow: runner.configuration.overflow)
      total = kernel
    }
  }

  /// One head's softmax.
  public struct Head: Sendable {
    /// The mean over queries of the mass on the first tokens, in the truth of the inputs as given.
    public let sinkMass: Double
    /// The same in the baseline's probabilities.
    public let computedSinkMass: Double
    /// The mean entropy in nats, in truth.
    public let entropy: Double
    /// The same in the baseline's probabilities.
    public let computedEntropy: Double
    /// Where its weights go, in truth, and in the baseline's probabilities; nil unless `mapsWeights`.
    public let weights: WeightMap?
    public let computedWeights: WeightMap?
  }

  /// The algorithms, in the order given.
  public let entries: [Entry]
  /// The baseline's largest error against the truth of the inputs as stored.
  public let baselineError: Double
  /// Twice that, and twice the largest change of adding and taking away 0.3 in the output format: what FlashAttention's tests allow.
  public let baselineLimit: Double
  /// Whether storage changed an input.
  public let inputsRounded: Bool
  /// Finite inputs that the format cannot hold: as stored they are infinite or NaN.
  public let overflowedInputs: Int
  /// The largest relative change of a row's truth, by its norm, that storing the inputs makes.
  public let inherent: Double
  /// The largest relative change that it makes to an output that carries a share of its row (`ErrorStatistics.leastShare`).
  public let inherentShare: Double
  /// What proved the truths.
  public let certificate: Certificate
  /// Each head.
  public let heads: [Head]
  /// Queries that see more than one key (or a sink).
  public let regularRows: Int
  /// Of those, the ones whose Jacobian norm is below the threshold.
  public let saturatedRows: Int
  /// All queries of all heads.
  public let rows: Int
}
