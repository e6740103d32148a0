import ArgumentParser
import NumKit
import Reports

/// What a normalisation needs beside its rows.
struct NormOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Added to the variance or mean square, exactly as it is read (default: 1e-6 for rmsnorm, 1e-5 for layernorm).",
      valueName: "X"))
  var epsilon: NumberArgument?

  @Option(
    help: ArgumentHelp("w, one number for each element (default: none).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var weight: String?

  @Option(
    help: ArgumentHelp(
      "b, one number for each element; layernorm alone has one (default: none).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var bias: String?

  @Option(
    help: ArgumentHelp(
      "Rows without an answer: 'ieee' (what the formula gives: NaN) or 'safe' (the limit as eps goes to 0, and as infinities grow).",
      valueName: "ieee|safe"))
  var policy: DegenerateRows = .ieee

  /// The tensors that are read.
  var files: [String?] { [weight, bias] }

  /// Of rows of `length`.
  func parameters(_ operation: Normalization, length: Int) throws -> NormParameters {
    let parameters = NormParameters(
      epsilon: epsilon?.value ?? operation.defaultEpsilon,
      weight: try weight.map { try WholeTensor($0).values } ?? [],
      bias: try bias.map { try WholeTensor($0).values } ?? [], degenerate: policy)
    do { try parameters.check(operation, length: length) } catch { throw UsageError("\(error)") }
    return parameters
  }
}

extension DegenerateRows: ExpressibleByArgument {}

/// A normalisation's command: runs its algorithms on rows and reports their errors.
struct NormCommand<N: NamedOperation<Normalization>>: Sharable {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: N.operation.rawValue, abstract: N.abstract,
      discussion: """
        Errors are against the proven answer: the kernel's own, for row, weight and bias as stored, and in all, for \
        those given.
        """)
  }

  @OptionGroup(title: "Formats") var precision: PrecisionOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Algorithm to run, repeatable; 'all' is the default. See 'numcheck list kernels'.", valueName: "name"))
  var algorithm: [String] = ["all"]

  @OptionGroup(title: "Question") var question: NormOptions
  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>
  @OptionGroup(title: "Input") var all: ExhaustiveOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup var file: ResultFileOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  var unsharable: [String] { file.output == nil ? [] : ["--output"] }

  func run() throws {
    let configuration = try precision.configuration()
    let algorithms = try AlgorithmNames.chosen(
      algorithm, from: NormAlgorithm.all(for: N.operation), for: N.operation.rawValue)
    try file.check(algorithms: algorithms.count)
    try all.check(input)
    try keepApart(outputs: [file.output] + report.files, inputs: [input.input] + question.files)
    let source = try RowInput(input, dtype: configuration.storage, exhaustive: all.exhaustive)
    let workers = try MemoryNeeds.threads(
      threads, N.operation.rawValue, length: source.rows.length, algorithms: algorithms.count)
    let parameters = try question.parameters(N.operation, length: source.rows.length)
    let run = NormRun(algorithms, configuration, parameters, source, threads: workers)
    let progress = Progress(total: source.rows.rowCount)
    let found = try run.measured(N.operation, progress: progress.callback)
    progress.finish()
    let files = try file.output.map { path in
      let writer = try ResultWriter(
        path, name: N.operation.rawValue, dtype: configuration.storage, as: file.outputType, input: source,
        overflow: configuration.overflow)
      try run.answers(N.operation, algorithms[0]) { try writer.append($0) }
      return [try writer.finished()]
    }
    try deliver(files ?? []) { try report.finish(found.report, limits: thresholds.limits) }
  }
}

/// Algorithms of a normalisation on rows.
private struct NormRun {
  let algorithms: [NormAlgorithm]
  let configuration: KernelConfiguration
  let parameters: NormParameters
  let source: RowInput
  let threads: Int

  init(
    _ algorithms: [NormAlgorithm], _ configuration: KernelConfiguration, _ parameters: NormParameters,
    _ source: RowInput, threads: Int
  ) {
    self.algorithms = algorithms
    self.configuration = configuration
    self.parameters = parameters
    self.source = source
    self.threads = threads
  }

  func measured(_ operation: Normalization, progress: (@Sendable (Int) -> Void)?) throws -> NormReport {
    func open(_ rows: some RowSource) throws -> NormReport {
      let counted = CountedRows(rows)
      let items = try NormRows(counted, operation, parameters: parameters, configuration: configuration)
      var trial = try Trial(
        operation, algorithms: algorithms, configuration: configuration,
        storedParameters: items.kernelParameters, threads: threads)
      trial.measuresSums = true
      trial.sharedAs = "rows"
      let (result, seen) = try trial.run(on: items, observer: NormSights(operation), progress: progress)
      return NormReport(
        operation: operation, configuration: configuration, parameters: parameters, origin: source.origin,
        input: try InputCount.gathered(counted.count), sights: seen, length: rows.length, result: result)
    }
    return try open(source.rows)
  }

  /// What one algorithm computes, row by row.
  func answers(
    _ operation: Normalization, _ algorithm: NormAlgorithm,
    _ body: (UnsafeBufferPointer<Double>) throws -> Void
  ) throws {
    let stored = parameters.rounded(to: configuration)
    guard let runner = NormRunner(algorithm, configuration, parameters: stored) else {
      throw NormError.cannotCompute(algorithm.description, configuration)
    }
    var trace = StageTrace()
    var results = [Double](repeating: 0, count: source.rows.length)
    for row in 0..<source.rows.rowCount {
      let given = try source.row(row)
      var rounded = given
      _ = configuration.roundInputs(given, into: &rounded)
      rounded.withUnsafeBufferPointer { x in
        results.withUnsafeMutableBufferPointer {
          trace.startRow(row)
          runner.run(x, into: $0, trace: &trace)
        }
      }
      try results.withUnsafeBufferPointer(body)
    }
  }
}

/// Writes the proven results of a normalisation. Reached as `numcheck reference rmsnorm` and `numcheck reference layernorm`.
struct NormReferenceCommand<N: NamedOperation<Normalization>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "reference-\(N.operation.rawValue)",
      abstract: "Write the proven, correctly rounded results of \(N.operation.rawValue).",
      usage: "numcheck reference \(N.operation.rawValue) --output <FILE> [<options>]",
      discussion:
        "Row, eps, weight and bias are taken exactly as given; only results are rounded, to --dtype.",
      shouldDisplay: false)
  }

  @OptionGroup var results: ReferenceOptions
  @OptionGroup var range: OverflowOptions

  @OptionGroup(title: "Question") var question: NormOptions
  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>
  @OptionGroup(title: "Input") var all: ExhaustiveOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let (format, dtype) = (try results.format(), results.dtype)
    let overflow = range.overflow
    try all.check(input)
    try keepApart(outputs: [results.output] + report.files, inputs: [input.input] + question.files)
    let source = try RowInput(input, dtype: results.roundInputs ?? dtype, exhaustive: all.exhaustive)
    let workers = try MemoryNeeds.threads(threads, N.operation.rawValue, length: source.rows.length)
    var parameters = try question.parameters(N.operation, length: source.rows.length)
    // ε is a number of the question, not an input: it stays as it is.
    if let f = try results.inputFormat() {
      parameters.weight = parameters.weight.map { f.round($0, overflow: overflow) }
      parameters.bias = parameters.bias.map { f.round($0, overflow: overflow) }
    }
    let writer = try ResultWriter(
      results.output, name: N.operation.rawValue, dtype: dtype, as: results.outputType, input: source,
      overflow: overflow)
    let exact = parameters
    let proven = ProvenRows(
      source, resultsPerRow: source.rows.length, roundInputs: results.roundInputs,
      overflow)
    let (certificate, count) = try proven.forEach(
      threads: workers,
      prover: {
        let reference = NormReference(N.operation, format: format, overflow: overflow)
        var truth = Truth()
        return { _, row, results in
          reference.answer(row, parameters: exact, into: &truth)
          for i in results.indices { results[i] = truth.rounded[i] }
          return truth.certificate
        }
      }, body: { try writer.append($0) })
    let file = try writer.finished()
    let made = Report.reference(
      N.operation.rawValue, of: source, count, in: results, format: format, certificate,
      further: [Fact("epsilon", .number(parameters.epsilon))])
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }
}
