import ArgumentParser
import Foundation
import NumKit
import TensorFiles

/// A kernel's command: runs its algorithms on rows and reports their errors.
struct KernelCommand<Q: NamedOperation<RowOperation>>: Sharable {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: Q.operation.rawValue, abstract: Q.abstract)
  }

  @OptionGroup(title: "Formats") var precision: PrecisionOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Algorithm to run, repeatable; 'all' is the default. See 'numcheck list kernels'.", valueName: "name"))
  var algorithm: [String] = ["all"]

  @OptionGroup(title: "Question") var parameters: ParametersFor<ParametersOf<Q>>
  @OptionGroup(title: "Input") var input: RowOptions<LogitsOf<Q>>
  @OptionGroup(title: "Input") var all: ExhaustiveOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup var file: ResultFileOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  var unsharable: [String] {
    (file.output == nil ? [] : ["--output"]) + (isPairSweep ? ["--exhaustive"] : [])
  }

  /// Whether all pairs are swept through, of more than can be run one row after another: see `sweeps`.
  private var isPairSweep: Bool {
    all.exhaustive && input.length == 2 && Q.operation == .softmax
      && precision.dtype.numberFormat.map { $0.bitWidth > 12 } == true
  }

  mutating func run() throws {
    let configuration = try precision.configuration()
    let algorithms = try AlgorithmNames.chosen(
      algorithm, from: Algorithm.all(for: Q.operation, dtype: configuration.storage),
      or: Algorithm.approximate(for: Q.operation),
      for: "\(Q.operation.rawValue) in \(configuration.storage)")
    try file.check(algorithms: algorithms.count)
    try all.check(input)
    try keepApart(outputs: [file.output] + report.files, inputs: [input.input] + parameters.files)
    if isPairSweep, Planting.current == nil, let sweeps = sweeps(algorithms, configuration) {
      return try sweep(sweeps, of: algorithms, configuration)
    }
    let source = try RowInput(
      input, operation: Q.operation, dtype: configuration.storage, exhaustive: all.exhaustive)
    let workers = try MemoryNeeds.threads(
      threads, Q.operation, length: source.rows.length, algorithms: algorithms.count)
    let question = try QuestionInput(parameters, Q.operation, source, seed: input.seed)
    var experiment = Experiment(
      Q.operation, algorithms: algorithms, configuration: configuration, parameters: question.parameters,
      targets: question.targets, threads: workers)
    experiment.substitute = Planting.current?.substitute(reading: source.rows)
    let progress = Progress(total: source.rows.rowCount)
    let (result, count) = try run(experiment, on: source.rows, progress: progress.callback)
    progress.finish()
    let kernel = KernelReport(
      operation: Q.operation, configuration: configuration, parameters: question.parameters,
      origin: source.origin, input: count, result: result,
      witnessInputs: try result.entries.map {
        try source.witnessInput($0.kernel.witness, configuration, Q.operation)
      })
    let files = try file.output.map { try [written(experiment, algorithms[0], source, to: $0)] } ?? []
    try deliver(files) { try report.finish(kernel.report, limits: thresholds.limits) }
  }

  /// Runs it, and counts what is no number among the inputs on the way.
  private func run(
    _ experiment: Experiment, on rows: any RowSource, progress: (@Sendable (Int) -> Void)?
  ) throws -> (ExperimentResult, InputCount) {
    func open(_ rows: some RowSource) throws -> (ExperimentResult, InputCount) {
      let counted = CountedRows(rows)
      let result = try experiment.run(on: counted, progress: progress)
      return (result, try InputCount.gathered(counted.count))
    }
    return try open(rows)
  }

  /// Sweeps over all pairs, where there are too many for one row after another.
  private func sweeps(
    _ algorithms: [Algorithm], _ configuration: KernelConfiguration
  ) -> [(Algorithm, PairSweep)]? {
    guard let format = configuration.storage.numberFormat, format.bitWidth > 12,
      parameters.temperature.value == 1,
      thresholds.maxRelative == nil, !thresholds.noBug, file.output == nil
    else { return nil }
    // With two terms every order of summation is the same.
    let distinct = algorithms.filter { $0.variant == nil }
    let sweeps = distinct.compactMap { a in PairSweep(a, configuration).map { (a, $0) } }
    return sweeps.isEmpty ? nil : sweeps
  }

  private func sweep(
    _ sweeps: [(Algorithm, PairSweep)], of algorithms: [Algorithm], _ configuration: KernelConfiguration
  ) throws {
    let each = configuration.storage.finiteCount
    let progress = Progress(total: sweeps.count * each, what: "logits")
    let show = progress.callback
    var results: [(Algorithm, PairSweep.Result)] = []
    for (k, (algorithm, sweep)) in sweeps.enumerated() {
      let result = try sweep.run(threads: threads.count, progress: { show?(k * each + $0) })
      results.append((algorithm, result))
    }
    progress.finish()
    try report.finish(
      SweepReport(
        configuration: configuration, results: results,
        leftOut: algorithms.filter { a in !sweeps.contains { $0.0 == a } }
      ).report, limits: thresholds.limits)
  }

  /// Runs the one algorithm once more and writes what it computes.
  private func written(
    _ experiment: Experiment, _ algorithm: Algorithm, _ source: RowInput, to path: String
  ) throws -> any UnfinishedFile {
    let configuration = experiment.configuration
    let writer = try ResultWriter(
      path, dtype: configuration.storage, as: file.outputType, operation: Q.operation, input: source,
      overflow: configuration.overflow)
    guard
      let runner = KernelRunner(
        algorithm, configuration, parameters: experiment.parameters.rounded(to: configuration))
    else { throw ExperimentError.cannotCompute(algorithm.description, configuration) }
    var trace = StageTrace()
    var results = [Double](repeating: 0, count: Q.operation.resultCount(length: source.rows.length))
    for row in 0..<source.rows.rowCount {
      let given = try source.row(row)
      var rounded = given
      _ = configuration.roundInputs(given, into: &rounded)
      let target = experiment.targets?[row] ?? experiment.parameters.target
      rounded.withUnsafeBufferPointer { x in
        results.withUnsafeMutableBufferPointer { runner.run(x, target: target, into: $0, trace: &trace) }
      }
      try results.withUnsafeBufferPointer { try writer.append($0) }
    }
    return try writer.finished()
  }
}
