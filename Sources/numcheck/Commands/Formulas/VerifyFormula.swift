import ArgumentParser
import Guests
import NumKit
import Reports

/// Judges results of a formula. Reached as `numcheck verify NAME`.
struct VerifyFormula<O: FormulaFlags>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: O.commandName, abstract: "Judge results of \(O.commandName). \(O.abstract)",
      discussion:
        "All numbers are taken exactly as the files have them. A kernel that is called gets them in --dtype.")
  }

  @OptionGroup(title: "Results") var guest: GuestOptions
  @OptionGroup(title: "Question") var question: O
  @OptionGroup(title: "Input") var input: RowOptions<NumbersOf<O>>
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    try keepApart(outputs: report.files, inputs: [input.input] + question.files + guest.files)
    if !guest.called.isCalled, let flag = question.drawn.first {
      throw UsageError(
        "verify \(O.commandName) needs \(flag) beside --results: nobody else has what would be drawn")
    }
    let source = question.transformed(
      try RowInput(FormulaInput(options: input, flags: question), dtype: guest.dtype))
    var formula = try question.checked(source, seed: input.seed)
    if guest.called.isCalled {
      // It gets them as arrays of the inputs' dtype.
      let (format, overflow) = (guest.inputFormat ?? guest.calledFormat, guest.overflow)
      formula = formula.stored { format.round($0, overflow: overflow) }
    }
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    let called = try guest.call(question, formula, source, seed: input.seed)
    let count = formula.resultCount(length: length)
    let results = try guest.judged(
      question, source, count: count, called: called,
      threads: try MemoryNeeds.threads(threads, O.commandName, length: length, algorithms: 4))
    var verification = FormulaVerification(formula, format: results.format)
    verification.overflow = guest.overflow
    verification.claims = results.claims
    verification.threads = results.threads
    let progress = Progress(total: rows)
    let (found, sights, counted, given) = try run(
      verification, results, on: source.rows,
      roundedTo: guest.rounding(
        isGenerated: source.format == nil, question.kept == nil ? results.format : guest.calledFormat),
      progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify \(O.commandName)", candidate: results.name, formats: [results.format], policy: .ieee,
      parts: [""], found.findings, promised: found.promised, claims: verification.claims)
    made.describe(
      O.commandName, source, counted, more: question.described(formula), overflow: guest.overflow,
      resultsPerRow: count,
      asked: question.facts(formula) + [
        Fact("input.rowsWithoutAnswer", .integer(sights.rowsWithoutAnswer))
      ], form: question.kept.map { "as \($0.rawValue)" })
    try question.extend(&made, formula, results, on: given)
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  private func run(
    _ verification: FormulaVerification<O.F>, _ results: JudgedResults<O.F>, on rows: any RowSource,
    roundedTo format: NumberFormat?, _ progress: (@Sendable (Int) -> Void)?
  ) throws -> (JudgedGuest<FormulaQuestion<O.F>>, FormulaSights<O.F>, InputCount, any RowSource) {
    func open(_ rows: some RowSource) throws -> (
      JudgedGuest<FormulaQuestion<O.F>>, FormulaSights<O.F>, InputCount, any RowSource
    ) {
      let given = RoundedRows(source: rows, format: format)
      let counted = CountedRows(given)
      let (found, sights) = try verification.run(
        results.name, results.source, on: counted, progress: progress)
      return (found, sights, counted.count, given)
    }
    return try open(rows)
  }
}
