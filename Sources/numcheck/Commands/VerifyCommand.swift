import ArgumentParser
import Guests
import NumKit
import NumKitNumbers
import Reports

/// Judges results that somebody else computed: one command an operation.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Judge results of your own kernel: each number held against the proven answer.",
    discussion: """
      Whether each number is within what a right kernel may give, where those that are not stand, and what the kernel got \
      wrong. Exit status 1 where results are wrong.
      """,
    subcommands: [
      VerifyRows<SoftmaxQuestion>.self,
      VerifyRows<LogSoftmaxQuestion>.self,
      VerifyRows<LogSumExpQuestion>.self,
      VerifyRows<SigmoidQuestion>.self,
      VerifyRows<CrossEntropyQuestion>.self,
      VerifyRows<CrossEntropyGradientQuestion>.self,
      VerifyRows<SoftmaxJacobianQuestion>.self,
      VerifyRows<SoftmaxVJPQuestion>.self,
      VerifyAttention.self,
      VerifyBackward.self,
      VerifyMatmul.self,
      VerifyNorm<RMSNormQuestion>.self,
      VerifyNorm<LayerNormQuestion>.self,
    ] + FormulaCatalogue.verifying)

  func run() throws {
    let names = Self.configuration.subcommands.compactMap { $0.configuration.commandName }
    throw UsageError("an operation comes after 'verify': \(names.joined(separator: ", "))")
  }
}

/// Judges results of an operation on rows.
struct VerifyRows<Q: NamedOperation<RowOperation>>: Sharable {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: Q.operation.rawValue, abstract: "Judge results of \(Q.operation.rawValue). \(Q.abstract)",
      aliases: Q.operation == .logSoftmax ? ["log-softmax"] : [])
  }

  @OptionGroup(title: "Results") var guest: GuestOptions
  @OptionGroup(title: "Question") var parameters: ParametersFor<ParametersOf<Q>>
  @OptionGroup(title: "Input") var input: RowOptions<LogitsOf<Q>>
  @OptionGroup(title: "Input") var all: ExhaustiveOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Many machines") var shards: ShardOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  var unsharable: [String] { guest.called.isCalled ? ["--exec and --plugin"] : [] }

  func run() throws {
    try all.check(input)
    try keepApart(
      outputs: report.files, inputs: [input.input] + parameters.files + guest.files)
    let source = try RowInput(input, operation: Q.operation, dtype: guest.dtype, exhaustive: all.exhaustive)
    let question = try QuestionInput(parameters, Q.operation, source, seed: input.seed)
    try question.check(Q.operation, source)
    let called = try guest.call(Q.operation, source, question, seed: input.seed)
    let results = try guest.rows(Q.operation, source, called: called)
    let rounding = guest.rounding(isGenerated: source.format == nil, results.format)
    var verification = RowVerification(
      Q.operation, format: results.format, inputs: rounding ?? source.format ?? results.format,
      parameters: question.parameters, targets: question.targets)
    verification.roundsInputs = rounding != nil
    verification.overflow = guest.overflow
    verification.claims = try guest.claimed
    verification.threads = try MemoryNeeds.threads(
      threads, Q.operation, length: source.rows.length, algorithms: 4)
    let progress = Progress(total: source.rows.rowCount)
    let (found, count, unanswered) = try run(
      verification, results, on: source.rows, progress: progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify \(Q.operation.rawValue)", candidate: results.name, formats: [results.format],
      policy: question.parameters.specialValues, parts: [""], found.findings, promised: found.promised,
      claims: verification.claims)
    made.title = title(source, verification)
    made.facts = facts(source, verification, found)
    made.facts += count.facts
    made.facts.append(Fact("input.rowsWithoutAnswer", .integer(unanswered.count)))
    made.findings = count.findings
    if let blind = unanswered.message(
      rows: source.rows.rowCount, Q.operation, question.parameters.specialValues)
    {
      made.findings.append(Finding("rows-without-answer", "", blind, warns: true))
    }
    made.places = [
      WrongPlaces(
        rows: source.rows.rowCount, rowShape: source.otherShape,
        length: Q.operation.resultCount(length: source.rows.length))
    ]
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  /// Runs it, and counts what is no number among the inputs on the way.
  private func run(
    _ verification: RowVerification, _ results: GuestRows, on rows: any RowSource,
    progress: (@Sendable (Int) -> Void)?
  ) throws -> (RowFindings, InputCount, UnansweredRows) {
    func open(_ rows: some RowSource) throws -> (RowFindings, InputCount, UnansweredRows) {
      let counted = CountedRows(rows, Q.operation)
      func gathered() throws -> (InputCount, UnansweredRows) {
        (try .gathered(counted.count), try .gathered(counted.unanswered))
      }
      do {
        let found = try verification.run(results.name, results.source, on: counted, progress: progress)
        let (count, unanswered) = try gathered()
        return (found, count, unanswered)
      } catch is SharedElsewhere {
        _ = try gathered()
        throw PartDone()
      }
    }
    return try open(rows)
  }

  private func title(_ source: RowInput, _ verification: RowVerification) -> String {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    var s = "\(Q.operation.rawValue) in \(verification.format.name): "
    s += "\(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of \(Figures.count(length))"
    s += source.origin.phrase
    if parameters.temperature.value != 1 {
      s += ", temperature \(Figures.number(parameters.temperature.value))"
    }
    return s
  }

  private func facts(
    _ source: RowInput, _ verification: RowVerification, _ found: RowFindings
  ) -> [Fact] {
    let m = found.findings.measurement
    var list = [
      Fact("dtype", .text(verification.format.name), inRows: true),
      Fact("overflowMode", .text(verification.overflow.rawValue)),
    ]
    list += source.origin.facts
    list += [
      Fact("input.dtype", .text(verification.inputs.name)),
      Fact("input.overflowed", .integer(m.overflowedInputs)),
      Fact("input.overflowedRows", .integer(m.overflowedItems)),
      Fact("temperature", .number(parameters.temperature.value)),
      Fact("policy", .text(parameters.policy.rawValue)),
      Fact("rows", .integer(source.rows.rowCount), inRows: true),
      Fact("length", .integer(source.rows.length), inRows: true),
      Fact("conditioning", found.conditioning.isNaN ? .none : .number(found.conditioning)),
      Fact("inputRounding.changed", .flag(m.inputsRounded)),
      Fact("inputRounding.maxUlp", .number(m.inherentUlp[0])),
      Fact("inputRounding.maxNormwise", .number(m.inherent[0])),
      Fact("inputRounding.maxShare", .number(m.inherentShare[0])),
      Fact("certificate", .certificate(m.certificate)),
    ]
    return list
  }
}
