import NumKit
import Reports

/// What one experiment on a formula has to say.
struct FormulaReport<O: FormulaFlags> {
  let flags: O
  let run: FormulaRun<O>
  let input: InputCount
  let sights: FormulaSights<O.F>
  let result: Measurement<FormulaQuestion<O.F>>

  private var length: Int { run.source.rows.length }

  var report: Report {
    let measured = MeasurementReport(
      result: result, storage: run.configuration.storage, results: run.configuration.storage,
      inputCount: result.items * length, place: O.place)
    var report = Report(O.commandName, title: title)
    report.facts = facts + measured.facts
    report.notes = [result.certificate.line]
    report.findings = findings + measured.findings
    measured.complete(&report, advice: advice)
    return report
  }

  /// What was asked, in one line.
  private var title: String {
    let rows = result.items
    let more = flags.described(run.formula)
    return run.configuration.described(O.commandName)
      + ": \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of \(Figures.count(length))"
      + run.source.origin.phrase + (more.isEmpty ? "" : ", \(more)")
  }

  private var facts: [Fact] {
    [
      Fact("dtype", .text(run.configuration.storage.name), inRows: true),
      Fact("compute", .text(run.configuration.compute.name), inRows: true),
      Fact("accumulate", .text(run.configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(run.configuration.overflow.rawValue)),
    ] + run.source.origin.facts + input.facts + [
      Fact("input.rowsWithoutAnswer", .integer(sights.rowsWithoutAnswer)),
      Fact("rows", .integer(result.items), inRows: true), Fact("length", .integer(length), inRows: true),
    ] + flags.facts(run.formula)
  }

  private var findings: [Finding] {
    guard sights.rowsWithoutAnswer > 0 else { return input.findings }
    let n = sights.rowsWithoutAnswer
    return input.findings + [
      Finding(
        "rows-without-answer", "row \(sights.firstRow)",
        "\(Figures.count(n)) \(n == 1 ? "row has" : "rows have") no answer in the reals", warns: true)
    ]
  }

  private func advice(_ entry: Measurement<FormulaQuestion<O.F>>.Entry) -> String? {
    guard entry.parts[0].verdict == .vacuous else { return nil }
    let measured = "\(Figures.short(entry.parts[0].kernel.maxUlpAtPeak)) ulp of a row's largest"
    let other =
      Advice.tries(
        [
          Advice.finer(than: run.configuration.compute).map { "--compute \($0)" },
          O.hasSums ? Advice.finer(than: run.configuration.accumulator).map { "--accumulate \($0)" } : nil,
        ]) ?? "numbers of this size leave no digits"
    return "\(entry.candidate.name) errs by \(measured), but no bound can promise it: \(other)"
  }
}
