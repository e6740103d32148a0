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

  @Option(
    help: ArgumentHelp(
      "Write the algorithm's results (exactly one --algorithm) to a .npy or .safetensors file.",
      valueName: "FILE"))
  var output: String?

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil else {
      throw UsageError("--dtype \(configuration.storage): \(O.commandName) needs a floating-point format")
    }
    let algorithms = try AlgorithmNames.chosen(algorithm, from: O.F.algorithms, for: O.commandName)
    if output == nil && outputType != nil { throw UsageError("--as is for --output") }
    if output != nil && algorithms.count != 1 {
      throw UsageError("--output needs exactly one --algorithm, not \(algorithms.count)")
    }
    try keepApart(outputs: [output] + report.files, inputs: [input.input] + question.files)
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
    let files = try output.map { path in
      let writer = try ResultWriter(
        path, name: O.commandName, run.shape, dtype: configuration.storage, as: outputType, input: source,
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
    formula.resultCount(length: source.rows.length) == source.rows.length ? .each : .one
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

  @Option(help: "Number format of the results; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(help: ArgumentHelp("Round all numbers to this format first.", valueName: "dtype"))
  var roundInputs: DType?

  @Option(
    help: "What becomes of results too large: 'special' (infinity or NaN) or 'saturate' (infinities too)."
  )
  var overflow: Overflow = .special

  @Option(help: ArgumentHelp("The .npy or .safetensors file to write.", valueName: "FILE"))
  var output: String

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  @OptionGroup(title: "Question") var question: O
  @OptionGroup(title: "Input") var input: RowOptions<NumbersOf<O>>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    guard let format = dtype.numberFormat else {
      throw UsageError("--dtype \(dtype): an integer grid has no correctly rounded result without a scale")
    }
    if let roundInputs, roundInputs.numberFormat == nil {
      throw UsageError("--round-inputs \(roundInputs): needs a floating-point format")
    }
    try keepApart(outputs: [output] + report.files, inputs: [input.input] + question.files)
    let source = question.transformed(
      try RowInput(FormulaInput(options: input, flags: question), dtype: roundInputs ?? dtype))
    let workers = try MemoryNeeds.threads(threads, O.commandName, length: source.rows.length)
    var formula = try question.checked(source, seed: input.seed)
    if let f = roundInputs?.numberFormat {
      let overflow = overflow
      formula = formula.stored { f.round($0, overflow: overflow) }
    }
    let count = formula.resultCount(length: source.rows.length)
    let writer = try ResultWriter(
      output, name: O.commandName, count == source.rows.length ? .each : .one, dtype: dtype, as: outputType,
      input: source, overflow: overflow)
    let exact = formula
    let proven = ProvenRows(source, resultsPerRow: count, roundInputs: roundInputs, overflow)
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
    let rows = source.rows.rowCount
    var made = Report(
      "reference \(O.commandName)",
      title: "\(O.commandName) of \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of "
        + "\(Figures.count(source.rows.length)), correctly rounded to \(dtype), in \(ArgumentText.shown(output))"
    )
    made.facts = [Fact("dtype", .text(dtype.name))] + source.origin.facts + counted.facts
    made.facts += [Fact("rows", .integer(rows)), Fact("length", .integer(source.rows.length))]
    made.facts += question.facts(formula)
    made.findings = counted.findings
    made.describeReference(output, dtype: format, certificate)
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }
}
