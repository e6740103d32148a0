import ArgumentParser
import NumKit
import Reports

/// A formula's command: runs its kernels on rows and reports their errors.
struct FormulaCommand<O: FormulaFlags>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: O.commandName, abstract: O.abstract, discussion: O.discussion)
  }

  @OptionGroup(title: "Formats") var precision: PrecisionOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Algorithm to run, repeatable; 'all' is the default. See 'numcheck list kernels'.", valueName: "name"))
  var algorithm: [String] = ["all"]

  @OptionGroup(title: "Question") var question: O
  @OptionGroup(title: "Input") var input: RowOptions<NumbersOf<O>>
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup var file: ResultFileOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil else {
      throw UsageError("--dtype \(configuration.storage): \(O.commandName) needs a floating-point format")
    }
    let algorithms = try AlgorithmNames.chosen(algorithm, from: O.F.algorithms, for: O.commandName)
    try file.check(algorithms: algorithms.count)
    try keepApart(outputs: [file.output] + report.files, inputs: [input.input] + question.files)
    let source = question.transformed(
      try RowInput(FormulaInput(options: input, flags: question), dtype: configuration.storage))
    let workers = try MemoryNeeds.threads(
      threads, O.commandName, length: source.rows.length, algorithms: algorithms.count)
    let formula = try question.checked(source, seed: input.seed)
    let run = FormulaRun<O>(
      algorithms: algorithms, configuration: configuration, formula: formula, source: source,
      seed: input.seed,
      threads: workers)
    let progress = Progress(total: source.rows.rowCount)
    let found = try run.measured(question, progress: progress.callback)
    progress.finish()
    var made = found.report
    try question.extend(&made, run)
    let files = try file.output.map { path in
      let writer = try ResultWriter(
        path, name: O.commandName, run.shape, dtype: configuration.storage, as: file.outputType,
        input: source,
        overflow: configuration.overflow)
      try run.answers(algorithms[0]) { try writer.append($0) }
      return [try writer.finished()]
    }
    try deliver(files ?? []) { try report.finish(made, limits: thresholds.limits) }
  }
}

extension FormulaFlags {
  /// The formula, which fits the rows.
  func checked(_ source: RowInput, seed: UInt64) throws -> F {
    let formula = try formula(source, seed: seed)
    do { try formula.check(length: source.rows.length) } catch { throw UsageError("\(error)") }
    return formula
  }
}

extension FormulaRun {
  /// How results lie: one a row, or one an element.
  var shape: ResultWriter.Results {
    .of(formula.resultCount(length: source.rows.length), length: source.rows.length)
  }

  func measured(_ flags: O, progress: (@Sendable (Int) -> Void)?) throws -> FormulaReport<O> {
    func open(_ rows: some RowSource) throws -> FormulaReport<O> {
      let counted = CountedRows(rows)
      let items = try FormulaRows(counted, formula, configuration: configuration)
      var trial = try Trial(
        formula, algorithms: algorithms, configuration: configuration, threads: threads)
      trial.measuresSums = true
      let (result, seen) = try trial.run(on: items, observer: FormulaSights<O.F>(), progress: progress)
      return FormulaReport(flags: flags, run: self, input: counted.count, sights: seen, result: result)
    }
    return try open(source.rows)
  }

  /// What one algorithm computes, row by row.
  func answers(_ algorithm: FormulaAlgorithm<O.F>, _ body: (UnsafeBufferPointer<Double>) throws -> Void)
    throws
  {
    guard
      let runner = FormulaRunner(algorithm, configuration, formula: formula.rounded(to: configuration))
    else { throw FormulaError.cannotCompute(algorithm.name, configuration) }
    var trace = StageTrace()
    var results = [Double](repeating: 0, count: formula.resultCount(length: source.rows.length))
    for row in 0..<source.rows.rowCount {
      let given = try source.row(row)
      var rounded = given
      _ = configuration.roundInputs(given, into: &rounded)
      rounded.withUnsafeBufferPointer { x in
        results.withUnsafeMutableBufferPointer {
          trace.startRow(row)
          runner.run(row, x, into: $0, trace: &trace)
        }
      }
      try results.withUnsafeBufferPointer(body)
    }
  }
}

/// Writes the proven results of a formula. Reached as `numcheck reference NAME`.
struct FormulaReferenceCommand<O: FormulaFlags>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "reference-\(O.commandName)",
      abstract: "Write the proven, correctly rounded results of \(O.commandName).",
      usage: "numcheck reference \(O.commandName) --output <FILE> [<options>]",
      discussion: "All numbers are taken exactly as given; only results are rounded, to --dtype.",
      shouldDisplay: false)
  }

  @OptionGroup var results: ReferenceOptions
  @OptionGroup var range: OverflowOptions

  @OptionGroup(title: "Question") var question: O
  @OptionGroup(title: "Input") var input: RowOptions<NumbersOf<O>>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let (format, inputFormat) = (try results.format(), try results.inputFormat())
    let overflow = range.overflow
    try keepApart(outputs: [results.output] + report.files, inputs: [input.input] + question.files)
    let source = question.transformed(
      try RowInput(FormulaInput(options: input, flags: question), dtype: results.roundInputs ?? results.dtype)
    )
    let workers = try MemoryNeeds.threads(threads, O.commandName, length: source.rows.length)
    var formula = try question.checked(source, seed: input.seed)
    if let f = inputFormat {
      formula = formula.stored { f.round($0, overflow: overflow) }
    }
    let count = formula.resultCount(length: source.rows.length)
    let writer = try ResultWriter(
      results.output, name: O.commandName, .of(count, length: source.rows.length), dtype: results.dtype,
      as: results.outputType, input: source, overflow: overflow)
    let exact = formula
    let proven = ProvenRows(source, resultsPerRow: count, roundInputs: results.roundInputs, overflow)
    let (certificate, counted) = try proven.forEach(
      threads: workers,
      prover: {
        let reference = FormulaReference<O.F>(format: format, overflow: overflow)
        var truth = Truth()
        return { index, row, results in
          reference.answer(index, row, exact, into: &truth)
          for i in results.indices { results[i] = truth.rounded[i] }
          return truth.certificate
        }
      }, body: { try writer.append($0) })
    let file = try writer.finished()
    let made = Report.reference(
      O.commandName, of: source, counted, in: results, format: format, certificate,
      further: question.facts(formula))
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }
}

extension ResultWriter.Results {
  /// `count` results of a row of `length`.
  static func of(_ count: Int, length: Int) -> ResultWriter.Results {
    count == length ? .each : count == 1 ? .one : .many(count)
  }
}
