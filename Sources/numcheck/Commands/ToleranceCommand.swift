import ArgumentParser
import NumKit
import Reports
import Tolerances

/// Which tolerance right kernels deserve, on rows.
struct ToleranceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tolerance",
    abstract:
      "The tolerance that a kernel deserves: what a right one cannot exceed, and what a test's own lets through.",
    discussion: """
      Two limits: one that no right kernel with these formats and algorithms can exceed on such rows, proven; and one that \
      it exceeds in one row of a million, extrapolated from the rows that were run. 'numcheck tolerance attention', 'matmul', 'rmsnorm' and \
      'layernorm' have flags of their own.
      """)

  @Argument(
    help: ArgumentHelp(
      "softmax (the default), logsoftmax, lse, …: an operation on rows.", valueName: "operation"))
  var operation: RowOperation = .softmax

  @Option(
    help: ArgumentHelp(
      "An algorithm of the plan, repeatable (default: all that subtract a maximum).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Rules") var lint: LintOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var parameters: ParameterOptions
  @OptionGroup(title: "Input") var input: InputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard let format = configuration.storage.numberFormat, configuration.overflow == .special else {
      throw UsageError("tolerance needs a floating-point --dtype, and no --overflow saturate")
    }
    let rules = try lint.rules.map { $0.of(self.operation) }
    let algorithms = try chosen(configuration.storage)
    try keepApart(outputs: report.files, inputs: [input.input] + parameters.files)
    let source = try RowInput(input, operation: operation, dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(
      threads, operation, length: source.rows.length, algorithms: algorithms.count)
    let question = try QuestionInput(parameters, operation, source, seed: input.seed)
    try question.check(operation, source)
    let operation = operation
    let isPlanted =
      !rules.isEmpty && Defect.operations.contains(operation) && parameters.temperature.value == 1
    func study(_ rows: some RowSource) throws -> ToleranceStudy<RowQuestion>.Result {
      let stored = StoredRows(
        rows, parameters: question.parameters, targets: question.targets, configuration: configuration)
      let trial = Trial(
        RowQuestion(operation),
        candidates: try algorithms.map {
          try KernelCandidate($0, configuration, parameters: stored.kernelParameters)
        }, format: format, threads: workers
      ) { _ in RowProver(operation, format: format) }
      let progress = Progress(total: rows.rowCount)
      defer { progress.finish() }
      var study = ToleranceStudy(trial, rules: rules, cancels: operation == .softmaxVJP)
      study.triesDefects = !isPlanted
      return try study.run(on: stored, progress: progress.callback)
    }
    let found = try study(source.rows)
    let title =
      "\(configuration.described(operation.rawValue)): \(Figures.count(source.rows.rowCount)) rows of "
      + "\(Figures.count(source.rows.length))\(source.origin.phrase)"
    var made = ToleranceReport(
      operation.rawValue, title: title, format: format, found, rules: rules,
      precision: ToleranceReport.precision(configuration),
      input: source.origin.facts + ToleranceReport.size(source.rows.rowCount, source.rows.length))
    // Some of the rows are enough to see what a rule lets through.
    if isPlanted { made.passing = try defects(rules, configuration, source, threads: workers) }
    try report.finish(made.report)
  }

  private func chosen(_ dtype: DType) throws -> [Algorithm] {
    let all = Algorithm.all(for: operation, dtype: dtype).filter { !$0.isInteger }
    if algorithm.isEmpty {
      let shifted = all.filter { $0.arithmetic?.shift != .some(.none) }
      return shifted.isEmpty ? all : shifted
    }
    return try AlgorithmNames.chosen(algorithm, from: all, for: operation.rawValue)
  }

  private func defects(
    _ rules: [ToleranceRule], _ configuration: KernelConfiguration, _ source: RowInput, threads: Int
  ) throws -> [[String]] {
    func run(_ rows: some RowSource) throws -> [MutationOutcome] {
      let some = FirstRows(rows, count: 64)
      return try MutationStudy(operation, configuration, on: some, rules: rules, threads: threads).run(
        on: StoredRows(some, parameters: .init(), targets: nil, configuration: configuration))
    }
    return try run(source.rows).passing(rules.count)
  }
}

/// Rules that are held against what a kernel deserves.
struct LintOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A rule to judge: 'atol=X,rtol=X', 'ulp=X', 'nmse=X', or a name (\(RuleRegistry.all.map(\.name).joined(separator: ", "))); repeatable.",
      valueName: "rule"))
  var lint: [String] = []

  var rules: [ToleranceRule] {
    get throws {
      try lint.map { text in
        do { return try ToleranceRule(parsing: text) } catch { throw UsageError("--lint: \(error)") }
      }
    }
  }
}

/// The first rows of others.
private struct FirstRows<Rows: RowSource>: RowSource {
  private let rows: Rows
  let rowCount: Int
  init(_ rows: Rows, count: Int) {
    self.rows = rows
    rowCount = Swift.min(count, rows.rowCount)
  }
  var length: Int { rows.length }
  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try rows.read(row, into: buffer)
  }
}

/// Which tolerance right kernels of attention deserve. Reached as `numcheck tolerance attention`.
struct AttentionToleranceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tolerance-attention",
    abstract: "The tolerance that an attention kernel deserves.",
    usage: "numcheck tolerance attention [<options>]", shouldDisplay: false)

  @OptionGroup(title: "Kernels") var kernels: AttentionKernelOptions
  @OptionGroup(title: "Rules") var lint: LintOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard let format = configuration.storage.numberFormat, configuration.overflow == .special else {
      throw UsageError("tolerance needs a floating-point --dtype, and no --overflow saturate")
    }
    let rules = try lint.rules
    try keepApart(outputs: report.files, inputs: input.inputs + [question.mask])
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    let tensors = source.tensors
    // Without a shift a kernel may overflow: it is of no plan unless it is named.
    let runners = try kernels.runners(configuration, parameters).filter {
      !kernels.algorithm.isEmpty || $0.algorithm != .naive
    }
    let stored = runners[0].stored(tensors)
    var trial = Trial(
      AttentionForward(parameters, logSumExp: false),
      candidates: runners.map { AttentionCandidate($0, parameters, on: stored, given: tensors) },
      format: format, threads: threads.count
    ) { try AttentionProver($0 == .given ? tensors : stored, parameters, format: format) }
    let rows = tensors.shape.heads * tensors.shape.queries
    trial.chunk = max(1, min(64, rows / (2 * max(threads.count, 1))))
    let progress = Progress(total: rows)
    let planted =
      rules.isEmpty || stored.numbers > PlantingOptions.largest
      ? nil
      : MutationStudy(
        runners.first { $0.algorithm == .flash } ?? runners[0], on: stored, parameters, rules: rules,
        threads: threads.count)
    var study = ToleranceStudy(trial, rules: rules, cancels: true)
    study.triesDefects = planted == nil
    let found = try study.run(
      on: AttentionQueries(tensors, stored: stored, block: trial.chunk), progress: progress.callback)
    progress.finish()
    var made = ToleranceReport(
      "attention",
      title: "\(configuration.described("attention")): \(AttentionWords.size(tensors.shape)), "
        + AttentionWords.question(parameters, tensors.shape), format: format, found, rules: rules,
      precision: ToleranceReport.precision(configuration),
      input: source.origin.facts + tensors.shape.facts + ToleranceReport.size(rows, tensors.shape.keys))
    try made.plant(planted, beside: trial.candidates, on: AttentionQueries(stored, block: 1))
    try report.finish(made.report)
  }
}
