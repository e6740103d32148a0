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
    let (shapes, axis) = source.resultShapes(count)
    let file = try guest.file(shapes: shapes, axis: axis, called: called)
    let results = SerialFile<FormulaQuestion<O.F>>([file], counts: [count]) { item, _ in item.row }
    var verification = FormulaVerification(formula, format: file.format)
    verification.overflow = guest.overflow
    verification.claims = try guest.claimed
    verification.threads = try MemoryNeeds.threads(threads, O.commandName, length: length, algorithms: 4)
    let progress = Progress(total: rows)
    let (found, sights, counted) = try run(
      verification, file.name, results, on: source.rows,
      roundedTo: guest.rounding(isGenerated: source.format == nil, file.format), progress.callback)
    progress.finish()
    var made = VerifyReport(
      command: "verify \(O.commandName)", candidate: file.name, formats: [file.format], policy: .ieee,
      parts: [""], found.findings, promised: found.promised, claims: verification.claims)
    made.describe(
      O.commandName, source, counted, more: question.described(formula), overflow: guest.overflow,
      resultsPerRow: count,
      asked: question.facts(formula) + [
        Fact("input.rowsWithoutAnswer", .integer(sights.rowsWithoutAnswer))
      ])
    try report.finish(
      made.report.adding(called), limits: Report.limits(of: called) + thresholds.limits)
  }

  private func run(
    _ verification: FormulaVerification<O.F>, _ name: String, _ results: SerialFile<FormulaQuestion<O.F>>,
    on rows: any RowSource, roundedTo format: NumberFormat?, _ progress: (@Sendable (Int) -> Void)?
  ) throws -> (JudgedGuest<FormulaQuestion<O.F>>, FormulaSights<O.F>, InputCount) {
    func open(_ rows: some RowSource) throws -> (
      JudgedGuest<FormulaQuestion<O.F>>, FormulaSights<O.F>, InputCount
    ) {
      let counted = CountedRows(RoundedRows(source: rows, format: format))
      let (found, sights) = try verification.run(name, results, on: counted, progress: progress)
      return (found, sights, counted.count)
    }
    return try open(rows)
  }
}
