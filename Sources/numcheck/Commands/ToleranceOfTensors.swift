import ArgumentParser
import NumKit
import Reports
import Tolerances

/// Which tolerance right products of matrices deserve. Reached as `numcheck tolerance matmul`.
struct MatmulToleranceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tolerance-matmul",
    abstract: "The tolerance that a product of matrices deserves.",
    usage: "numcheck tolerance matmul [<options>]", shouldDisplay: false)

  @OptionGroup var formats: MatmulFormatOptions

  @Option(
    help: ArgumentHelp(
      "Order of summation of the plan, repeatable: sequential, pairwise, blocked:N, split-k:S (default: all).",
      valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Rules") var lint: LintOptions
  @OptionGroup(title: "Input") var input: MatmulInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let dtype = formats.dtype
    guard dtype.numberFormat != nil else { throw UsageError("tolerance needs a floating-point --dtype") }
    let precision = try formats.configuration()
    let (orders, rules) = (try MatmulOrder.chosen(algorithm), try lint.rules)
    try keepApart(outputs: report.files, inputs: [input.a, input.b])
    let source = try MatmulSource(input)
    let given = source.inputs
    let stored = given.stored(as: precision.storage, precision.scaling)
    let block = MatmulProver.block(rows: given.a.count, threads: threads.count)
    var trial = Trial(
      MatmulQuestion(), candidates: try orders.map { try MatmulCandidate($0, precision, stored) },
      format: precision.result, threads: threads.count
    ) { MatmulProver($0 == .stored ? stored : given, format: precision.result, block: block) }
    trial.chunk = block
    let progress = Progress(total: given.a.count)
    let planted =
      rules.isEmpty || stored.numbers > PlantingOptions.largest
      ? nil : try MutationStudy(orders[0], precision, of: stored, rules: rules, threads: threads.count)
    var study = ToleranceStudy(trial, rules: rules, cancels: true)
    study.triesDefects = planted == nil
    let found = try study.run(
      on: MatmulRows(given, stored: stored, dtype: precision.storage), progress: progress.callback)
    progress.finish()
    var made = ToleranceReport(
      "matmul",
      title: "matmul in \(dtype), summed in \(precision.accumulator): \(source.size)\(source.phrase)",
      format: precision.result, found, rules: rules,
      precision: [
        // Products are added by fused multiply-add.
        Fact("dtype", .text(dtype.name)), Fact("compute", .text("\(precision.accumulator)")),
        Fact("accumulate", .text("\(precision.accumulator)")),
        Fact("resultDtype", .text(precision.result.name)),
      ], input: source.facts)
    try made.plant(
      planted, beside: trial.candidates,
      on: MatmulRows(stored, stored: stored, dtype: precision.storage))
    try report.finish(made.report)
  }
}

/// Which tolerance right norms deserve. Reached as `numcheck tolerance rmsnorm` and `numcheck tolerance layernorm`.
struct NormToleranceCommand<N: NamedOperation<Normalization>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "tolerance-\(N.operation.rawValue)",
      abstract: "The tolerance that \(N.operation.rawValue) deserves.",
      usage: "numcheck tolerance \(N.operation.rawValue) [<options>]", shouldDisplay: false)
  }

  @Option(
    help: ArgumentHelp(
      "An algorithm of the plan, repeatable (default: all). See 'numcheck list kernels'.", valueName: "name"))
  var algorithm: [String] = ["all"]

  @OptionGroup(title: "Rules") var lint: LintOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var question: NormOptions
  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard let format = configuration.storage.numberFormat, configuration.overflow == .special else {
      throw UsageError("tolerance needs a floating-point --dtype, and no --overflow saturate")
    }
    let operation = N.operation
    let algorithms = try AlgorithmNames.chosen(
      algorithm, from: NormAlgorithm.all(for: operation), for: operation.rawValue)
    let rules = try lint.rules
    try keepApart(outputs: report.files, inputs: [input.input] + question.files)
    let source = try RowInput(input, dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(
      threads, operation.rawValue, length: source.rows.length, algorithms: algorithms.count)
    let parameters = try question.parameters(operation, length: source.rows.length)
    func made(_ rows: some RowSource) throws -> ToleranceReport {
      let items = try NormRows(rows, operation, parameters: parameters, configuration: configuration)
      let trial = try Trial(
        operation, algorithms: algorithms, configuration: configuration,
        storedParameters: items.kernelParameters, threads: workers)
      let planted =
        rules.isEmpty
        ? nil
        : try MutationStudy(
          algorithms[algorithms.count - 1], configuration, on: items, rules: rules, threads: workers)
      // What a mean is subtracted from, or a bias added to, may come to nearly 0.
      var study = ToleranceStudy(
        trial, rules: rules, cancels: operation == .layerNorm || !parameters.bias.isEmpty)
      study.triesDefects = planted == nil
      let progress = Progress(total: rows.rowCount)
      let found = try study.run(on: items, progress: progress.callback)
      progress.finish()
      let (count, length) = (rows.rowCount, rows.length)
      var made = ToleranceReport(
        operation.rawValue,
        title: "\(configuration.described(operation.rawValue)): \(Figures.count(count)) rows of "
          + "\(Figures.count(length))\(source.origin.phrase)",
        format: format, found, rules: rules, precision: ToleranceReport.precision(configuration),
        input: source.origin.facts + ToleranceReport.size(count, length))
      try made.plant(planted, beside: trial.candidates, on: items)
      return made
    }
    try report.finish(made(source.rows).report)
  }
}
