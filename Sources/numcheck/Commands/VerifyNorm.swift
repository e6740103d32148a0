import ArgumentParser
import Guests
import NumKit
import Reports
import TensorFiles

/// Judges results of a normalisation.
struct VerifyNorm<N: NamedOperation<Normalization>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: N.operation.rawValue,
      abstract: "Judge results of \(N.operation.rawValue). \(N.abstract)",
      discussion: "Rows, weight and bias are taken exactly as the files have them.")
  }

  @OptionGroup(title: "Results") var guest: GuestOptions
  @OptionGroup(title: "Question") var question: NormOptions
  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try keepApart(outputs: report.files, inputs: [input.input] + question.files + guest.files)
    let source = try RowInput(input, dtype: guest.dtype)
    var parameters = try question.parameters(N.operation, length: source.rows.length)
    if guest.called.isCalled {
      // It gets them as arrays of the inputs' dtype.
      let format = guest.inputFormat ?? guest.calledFormat
      parameters.weight = parameters.weight.map { format.round($0, overflow: guest.overflow) }
      parameters.bias = parameters.bias.map { format.round($0, overflow: guest.overflow) }
    }
    let called = try guest.call(N.operation, source, parameters, seed: input.seed)
    let file = try guest.file(shapes: [source.shape], axis: source.givenAxis, called: called)
    let length = source.rows.length
    let results = SerialFile<NormQuestion>([file], counts: [length]) { item, _ in item.row }
    var verification = NormVerification(N.operation, format: file.format, parameters: parameters)
    verification.overflow = guest.overflow
    verification.claims = try guest.claimed
    verification.threads = try MemoryNeeds.threads(
      threads, N.operation.rawValue, length: length, algorithms: 4)
    let progress = Progress(total: source.rows.rowCount)
    let (found, count) = try run(
      verification, file.name, results, on: source.rows,
      roundedTo: guest.rounding(isGenerated: source.format == nil, file.format),
      progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify \(N.operation.rawValue)", candidate: file.name, formats: [file.format], policy: .ieee,
      parts: [""], found.findings, promised: found.promised, claims: verification.claims)
    made.describe(
      N.operation.rawValue, source, count, more: "epsilon \(Figures.number(parameters.epsilon))",
      overflow: guest.overflow, resultsPerRow: length,
      asked: [
        Fact("epsilon", .number(parameters.epsilon)), Fact("policy", .text(question.policy.rawValue)),
      ])
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  private func run(
    _ verification: NormVerification, _ name: String, _ results: SerialFile<NormQuestion>,
    on rows: any RowSource, roundedTo format: NumberFormat?, _ progress: (@Sendable (Int) -> Void)?
  ) throws -> (JudgedGuest<NormQuestion>, InputCount) {
    func open(_ rows: some RowSource) throws -> (JudgedGuest<NormQuestion>, InputCount) {
      let counted = CountedRows(RoundedRows(source: rows, format: format))
      let found = try verification.run(name, results, on: counted, progress: progress)
      return (found, counted.count)
    }
    return try open(rows)
  }
}
