import NumKit
import Reports

/// What one experiment on attention's backward pass has to say: a row for each gradient of each algorithm.
struct BackwardReport {
  let configuration: KernelConfiguration
  let experiment: BackwardExperiment
  let origin: AttentionInput.Origin
  /// Where dO came from.
  let gradient: String
  let result: BackwardMeasurement

  private struct Line {
    let runner: AttentionRunner
    let gradient: AttentionGradient
    let errors: BackwardMeasurement.Errors
    /// The baseline's largest error of the same gradient.
    let baseline: Double
    var name: String { "\(runner.algorithm.rawValue) \(gradient.rawValue)" }
  }

  private var shape: AttentionShape { experiment.tensors.shape }

  /// Algorithms in the order given, dq, dk, dv of each.
  private var lines: [Line] {
    result.entries.flatMap { e in
      AttentionGradient.allCases.map {
        Line(
          runner: e.runner, gradient: $0, errors: e[$0], baseline: result.baseline[$0].sums.maxAbsoluteError)
      }
    }
  }

  var report: Report {
    let question = AttentionWords.question(experiment.parameters, shape)
    var report = Report(
      "attention backward",
      title: AttentionWords.heading("attention backward", configuration, experiment.runners.first, shape)
        + origin.phrase + ", " + gradient)
    let input = AttentionCount(experiment.tensors)
    report.facts = configuration.facts
    report.facts += [
      Fact(
        "probabilities",
        .text((experiment.runners.first?.probabilities ?? configuration.compute).name)),
      Fact("overflowMode", .text(configuration.overflow.rawValue)), Fact("gradient", .text(gradient)),
    ]
    report.facts += origin.facts + input.facts + shape.facts
    report.facts += [
      Fact("input.rowsWithoutAnswer", .integer(experiment.parameters.blindQueries(shape))),
      Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
      Fact("question", .text(question)), Fact("policy", .text(experiment.parameters.specialValues.rawValue)),
      Fact("inputRounding.changed", .flag(result.inputsRounded)),
      Fact("certificate", .certificate(result.certificate)),
    ]
    report.notes = [question, result.certificate.line]
    report.notes += BoundBasis.statements(
      result.entries.map { e in
        (
          BoundBasis(e.runner, hasSoftcap: experiment.parameters.softcap != nil),
          AttentionGradient.allCases.reduce(.sound) { $0.worse(e[$1].bound) }
        )
      })
    report.findings = input.findings
    if let blind = BlindQueries.finding(experiment.parameters, shape, isBackward: true) {
      report.findings.append(blind)
    }
    var section = Section()
    section.blocks = [.table(table), .lines(witnessLines)]
    report.sections = [section]
    report.conclusion = conclusion
    if result.isEmpty { report.gaps = ["nothing was checked: no gradient is finite"] }
    return report
  }

  private var table: Table {
    typealias C = ErrorColumns
    typealias A = AttentionColumns
    let lines = lines
    func basis(_ line: Line) -> BoundBasis {
      BoundBasis(line.runner, hasSoftcap: experiment.parameters.softcap != nil)
    }
    func standing(_ i: Int) -> Standing {
      Standing(
        lines[i].errors.kernel, overflowedInputs: 0, dtype: configuration.storage,
        othersHaveTruths: !result.isEmpty)
    }
    func size(_ i: Int, _ x: Double, unless reason: String) -> Cell { standing(i).size(x, unless: reason) }
    var table = Table(rows: lines.count)
    table.setWitnesses { lines[$0].errors.kernel.witness?.line }
    table.add(C.algorithm) { .text(lines[$0].runner.algorithm.rawValue) }
    table.add(A.gradient) { .text(lines[$0].gradient.rawValue) }
    table.add(C.verdict) { .verdict(lines[$0].errors.verdict) }
    table.addErrors { (lines[$0].errors.kernel, standing($0)) }
    table.addBounds { i in
      let e = lines[i].errors
      return BoundFigures(
        bound: e.bound, kind: basis(lines[i]).kind(e.bound), ulp: e.boundUlp, statistics: e.kernel,
        standing: standing(i))
    }
    table.add(A.rmse) { size($0, lines[$0].errors.sums.rmse, unless: "nothing is finite") }
    table.add(A.relativeL1) {
      size($0, lines[$0].errors.sums.relativeL1, unless: "the truth is 0 everywhere")
    }
    table.add(A.cosine) { size($0, lines[$0].errors.sums.cosine, unless: "one side is 0 everywhere") }
    table.add(A.baseline) { .number(lines[$0].baseline) }
    table.add(A.ofBaseline) {
      size(
        $0, lines[$0].errors.sums.maxAbsoluteError / lines[$0].baseline, unless: "the baseline has no error")
    }
    table.add(A.totalRMSE) { size($0, lines[$0].errors.totalSums.rmse, unless: "nothing is finite") }
    table.add(A.totalL1) {
      size($0, lines[$0].errors.totalSums.relativeL1, unless: "the truth is 0 everywhere")
    }
    table.add(A.totalCosine) {
      size($0, lines[$0].errors.totalSums.cosine, unless: "one side is 0 everywhere")
    }
    table.add(A.totalOneMinusCosine) {
      size($0, 1 - lines[$0].errors.totalSums.cosine, unless: "one side is 0 everywhere")
    }
    table.add(C.witness) { i in
      .data(.witness(lines[i].errors.kernel.witness, .float(lines[i].runner.outputFormat)))
    }
    return table
  }

  private var witnessLines: [String] {
    guard let (entry, gradient) = result.worst, let w = result.entries[entry][gradient].kernel.witness
    else { return [] }
    let runner = result.entries[entry].runner
    let tokens = gradient == .dq ? shape.queries : shape.keys
    let token = gradient == .dq ? "query" : "key"
    return [
      "worst result of \(runner.algorithm.rawValue) \(gradient.rawValue): head \(w.row / tokens), "
        + "\(token) \(w.row % tokens), index \(w.index): \(w.size)"
    ] + w.lines(.float(runner.outputFormat))
  }

  /// What each algorithm's gradients are worth.
  private var conclusion: String {
    result.entries.map { e in
      let all = AttentionGradient.allCases
      let bad = all.filter { e[$0].verdict == .bug }
      let name = e.runner.algorithm.rawValue
      if !bad.isEmpty {
        let names = bad.map(\.rawValue).joined(separator: ", ")
        let above = bad.reduce(0) { $0 + e[$1].kernel.aboveBound }
        return "\(name) is wrong here: \(names) "
          + (above > 0
            ? "have \(Figures.count(above)) results above their bound"
            : "have NaN or infinities that the truth has not")
      }
      let measured = all.filter { e[$0].kernel.finiteCount > 0 }
      if measured.isEmpty { return "\(name) has no finite gradient to measure" }
      let parts = measured.map { gradient in
        let share = e[gradient].sums.relativeL1
        // A truth of 0 everywhere is met or missed, not by a share of it.
        return "\(gradient.rawValue) "
          + (share.isNaN
            ? (e[gradient].sums.maxAbsoluteError == 0 ? "0 %" : "all") : "\(Figures.short(100 * share)) %")
      }
      let missing = all.filter { e[$0].kernel.finiteTruths == 0 }.map(\.rawValue)
      let verb = missing.count == 1 ? "has" : "have"
      return "\(name) is off by \(parts.joined(separator: ", ")) (relative L1)"
        + (missing.isEmpty ? "" : ", \(Figures.list(missing)) \(verb) no finite truth")
    }.joined(separator: "; ")
  }
}
