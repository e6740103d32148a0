import NumKit
import Reports

/// What one experiment on a normalisation has to say.
struct NormReport {
  let operation: Normalization
  let configuration: KernelConfiguration
  let parameters: NormParameters
  let origin: RowOrigin
  let input: InputCount
  let sights: NormSights
  let length: Int
  let result: Measurement<NormQuestion>

  var report: Report {
    let measured = MeasurementReport(
      result: result, storage: configuration.storage, results: configuration.storage,
      inputCount: result.items * length + parameters.weight.count + parameters.bias.count, place: "element")
    var report = Report(operation.rawValue, title: title)
    report.facts = facts + measured.facts
    report.notes = [result.certificate.line]
    report.findings = findings + measured.findings
    measured.complete(&report, advice: advice)
    return report
  }

  /// What was asked, in one line.
  private var title: String {
    let rows = result.items
    var s = configuration.described(operation.rawValue)
    s += ": \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of \(Figures.count(length))" + origin.phrase
    s += ", epsilon \(Figures.number(parameters.epsilon))"
    let with = [("weight", parameters.weight), ("bias", parameters.bias)].filter { !$0.1.isEmpty }.map(\.0)
    if !with.isEmpty { s += ", with \(with.joined(separator: " and "))" }
    return s
  }

  private var facts: [Fact] {
    [
      Fact("dtype", .text(configuration.storage.name), inRows: true),
      Fact("compute", .text(configuration.compute.name), inRows: true),
      Fact("accumulate", .text(configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(configuration.overflow.rawValue)),
    ] + origin.facts + input.facts + [
      Fact("input.rowsWithoutAnswer", .integer(sights.rowsWithoutAnswer)),
      Fact("epsilon", .number(parameters.epsilon)),
      Fact("weight", .flag(!parameters.weight.isEmpty)), Fact("bias", .flag(!parameters.bias.isEmpty)),
      Fact("policy", .text(parameters.degenerate.rawValue)),
      Fact("rows", .integer(result.items), inRows: true), Fact("length", .integer(length), inRows: true),
    ]
  }

  private var findings: [Finding] {
    guard sights.rowsWithoutAnswer > 0 else { return input.findings }
    let n = sights.rowsWithoutAnswer
    let gives =
      parameters.degenerate == .safe
      ? "policy 'safe' gives their limits" : "policy 'ieee' gives what the formula does; 'safe' gives limits"
    return input.findings + [
      Finding(
        "rows-without-answer", "row \(sights.firstRow)",
        "\(Figures.count(n)) \(n == 1 ? "row has" : "rows have") no answer (not finite, or without variance at "
          + "eps 0): \(gives)", warns: true)
    ]
  }

  private func advice(_ entry: Measurement<NormQuestion>.Entry) -> String? {
    guard entry.parts[0].verdict == .vacuous else { return nil }
    let measured = "\(Figures.short(entry.parts[0].kernel.maxUlpAtPeak)) ulp of a row's largest"
    let other =
      operation == .layerNorm && entry.candidate.name.hasPrefix("naive")
      ? "the mean is large beside the variance; a two-pass kernel can promise more"
      : Advice.tries(
        [
          Advice.finer(than: configuration.compute).map { "--compute \($0)" },
          Advice.finer(than: configuration.accumulator).map { "--accumulate \($0)" },
        ]) ?? "numbers of this size leave no digits"
    return "\(entry.candidate.name) errs by \(measured), but no bound can promise it: \(other)"
  }
}
