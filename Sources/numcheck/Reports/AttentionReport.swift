import NumKit
import Reports

/// What one experiment on attention has to say.
struct AttentionReport {
  let configuration: KernelConfiguration
  let experiment: AttentionExperiment
  let origin: AttentionInput.Origin
  let result: AttentionMeasurement

  private var shape: AttentionShape { experiment.tensors.shape }

  var report: Report {
    var report = Report(
      "attention",
      title: AttentionWords.heading("attention", configuration, experiment.runners.first, shape)
        + origin.phrase)
    report.facts = facts
    report.notes =
      [AttentionWords.question(experiment.parameters, shape), result.certificate.line]
      + BoundBasis.statements(result.entries.map { (basis($0), $0.bound) })
    report.findings = AttentionCount(experiment.tensors).findings
    if result.overflowedInputs > 0 {
      report.findings.append(
        Finding("input", "", "\(overflow); the truth is that of the inputs as stored", warns: true))
    }
    if let blind = BlindQueries.finding(experiment.parameters, shape) { report.findings.append(blind) }
    report.findings += softmaxFindings
    var section = Section()
    let table = table
    section.blocks = [.table(table), .table(stageTable), .lines(witnessLines)]
    section.charts = [
      .errors(table), .spread(result.entries.map { ($0.runner.algorithm.rawValue, $0.kernel) }),
      .sinks(result.heads),
    ]
    section.charts += Chart.weights(result.heads, sinkTokens: experiment.sinkTokens, configuration.storage)
    report.sections = [section]
    report.conclusion = conclusion
    if result.isEmpty { report.gaps = ["nothing was checked: no query has a finite truth"] }
    return report
  }

  private var facts: [Fact] {
    let p = experiment.parameters
    let sinks = result.sinkHeads
    var list = configuration.facts
    list += [
      Fact(
        "probabilities",
        .text((experiment.runners.first?.probabilities ?? configuration.compute).name)),
      Fact("overflowMode", .text(configuration.overflow.rawValue)),
    ]
    list += origin.facts + AttentionCount(experiment.tensors).facts
    list += [
      Fact("input.rowsWithoutAnswer", .integer(experiment.parameters.blindQueries(shape))),
      Fact("input.overflowed", .integer(result.overflowedInputs)),
    ]
    list += shape.facts
    list += [
      Fact("rows", .integer(result.rows)), Fact("length", .integer(shape.keys)),
      Fact("question", .text(AttentionWords.question(p, shape))),
      Fact("policy", .text(p.specialValues.rawValue)),
      Fact("inputRounding.changed", .flag(result.inputsRounded)),
      Fact("inputRounding.maxNormwise", .number(result.inherent)),
      Fact("inputRounding.maxShare", .number(result.inherentShare)),
      Fact("certificate", .certificate(result.certificate)),
      Fact("baseline.maxAbsoluteError", .number(result.baselineError)),
      Fact("baseline.limit", .number(result.baselineLimit)),
      Fact("saturation.threshold", .number(experiment.gradientThreshold)),
      Fact("saturation.rows", .integer(result.regularRows)),
      Fact("saturation.saturated", .integer(result.saturatedRows)),
      Fact("sinks.tokens", .integer(experiment.sinkTokens)),
      Fact("sinks.threshold", .number(AttentionMeasurement.sinkThreshold)),
      Fact("sinks.heads", .integer(sinks.exact)), Fact("sinks.computedHeads", .integer(sinks.computed)),
      Fact("sinks.share", .number(Double(sinks.exact) / Double(Swift.max(result.heads.count, 1)))),
      Fact("softmax", .list(result.heads.map(Self.head))),
    ]
    return list
  }

  private static func head(_ h: AttentionMeasurement.Head) -> JSONValue {
    func number(_ x: Double) -> JSONValue { x.isNaN ? .none : .number(x) }
    return .object([
      "sinkMass": number(h.sinkMass), "computedSinkMass": number(h.computedSinkMass),
      "entropy": number(h.entropy), "computedEntropy": number(h.computedEntropy),
    ])
  }

  /// `1,024 of 262,144 overflow f16`.
  var overflow: String {
    let s = shape
    let count = s.heads * s.queries * s.headSize + s.keyHeads * s.keys * (s.headSize + s.valueSize)
    return
      "\(Figures.count(result.overflowedInputs)) of \(Figures.count(count)) overflow \(configuration.storage)"
  }

  /// What an algorithm's bound rests on.
  private func basis(_ e: AttentionMeasurement.Entry) -> BoundBasis {
    BoundBasis(e.runner, hasSoftcap: experiment.parameters.softcap != nil)
  }

  private func standing(_ statistics: ErrorStatistics) -> Standing {
    Standing(statistics, overflowedInputs: result.overflowedInputs, dtype: configuration.storage)
  }

  /// One row an algorithm.
  private var table: Table {
    typealias C = ErrorColumns
    typealias A = AttentionColumns
    let entries = result.entries
    func size(_ i: Int, _ x: Double, unless reason: String = "it is not defined here") -> Cell {
      standing(entries[i].kernel).size(x, unless: reason)
    }
    var table = Table(rows: entries.count)
    table.readingOrder = result.readingOrder
    table.setWitnesses { entries[$0].kernel.witness?.line }
    table.add(C.algorithm) { .text(entries[$0].runner.algorithm.rawValue) }
    table.add(C.verdict) { .verdict(entries[$0].verdict) }
    table.addErrors { (entries[$0].kernel, standing(entries[$0].kernel)) }
    table.addBounds { i in
      let e = entries[i]
      return BoundFigures(
        bound: e.bound, kind: basis(e).kind(e.bound), ulp: e.boundUlp, statistics: e.kernel,
        standing: standing(e.kernel))
    }
    table.add(A.lseFormat) { .text(entries[$0].runner.lseFormat.name) }
    table.addErrors({ (entries[$0].logSumExp, standing(entries[$0].logSumExp)) }) {
      C.logSumExp($0, $0.path == C.maxUlp.path ? .detail : .machine)
    }
    table.add(A.rmse) { size($0, entries[$0].sums.rmse) }
    table.add(A.relativeL1) { size($0, entries[$0].sums.relativeL1, unless: "the truth is 0 everywhere") }
    table.add(A.cosine) { size($0, entries[$0].sums.cosine, unless: "one side is 0 everywhere") }
    table.add(A.ofLimit) { i in
      let share = entries[i].sums.maxAbsoluteError / result.baselineLimit
      return size(i, share, unless: "the baseline has no error")
    }
    table.add(A.withinBaseline) { i in
      .flag(entries[i].sums.maxAbsoluteError <= result.baselineLimit && entries[i].kernel.nanRows == 0)
    }
    table.add(A.totalRMSE) { size($0, entries[$0].totalSums.rmse) }
    table.add(A.totalL1) { size($0, entries[$0].totalSums.relativeL1, unless: "the truth is 0 everywhere") }
    table.add(A.totalCosine) { size($0, entries[$0].totalSums.cosine, unless: "one side is 0 everywhere") }
    table.add(A.totalOneMinusCosine) {
      size($0, 1 - entries[$0].totalSums.cosine, unless: "one side is 0 everywhere")
    }
    table.addErrors({ (entries[$0].total, standing(entries[$0].kernel)) }) { C.total($0) }
    table.add(C.headroom) {
      .headroom(entries[$0].sights.trace, overflowedInputs: result.overflowedInputs)
    }
    table.add(A.stages) { i in .data(.list(stages.map { stage in Self.stage(entries[i], stage) })) }
    table.add(C.firstNaN) { .data(.birth(entries[$0].sights.trace.firstNaN)) }
    table.add(C.firstOverflow) { .data(.birth(entries[$0].sights.trace.firstOverflow)) }
    table.add(C.certificate) { _ in .data(.certificate(result.certificate)) }
    table.add(C.witness) { i in
      .data(.witness(entries[i].kernel.witness, .float(entries[i].runner.outputFormat)))
    }
    return table
  }

  /// The stages that attention has, in order.
  private static let stages: [Stage] = [
    .input, .scores, .scale, .exponential, .sum, .probabilities, .weighted, .output,
  ]
  /// Those of some attention only, behind what they follow.
  private static let rareStages: [(Stage, after: Stage)] = [
    (.root, .input), (.mask, .scale), (.logarithm, .output),
  ]

  /// The stages of this run: the rare ones where something was seen in them, of the logarithm only births.
  private var stages: [Stage] {
    var list = Self.stages
    for (stage, place) in Self.rareStages {
      let isSeen = result.entries.contains {
        $0.sights.overflowRows(stage) + $0.sights.nanRows(stage) > 0
          || stage != .logarithm && $0.sights.trace.headroom(stage) != nil
      }
      if isSeen, let i = list.firstIndex(of: place) { list.insert(stage, at: i + 1) }
    }
    return list
  }

  private static func stage(_ e: AttentionMeasurement.Entry, _ stage: Stage) -> JSONValue {
    .object([
      "stage": .text(stage.rawValue),
      "headroomBits": .optional(e.sights.trace.headroom(stage).map { .number($0) }),
      "overflowRows": .integer(e.sights.overflowRows(stage)),
      "nanRows": .integer(e.sights.nanRows(stage)),
    ])
  }

  /// Bits of headroom in each stage, and rows whose first NaN or overflow was born there.
  private var stageTable: Table {
    let entries = result.entries
    var table = Table("stages", rows: entries.count, for: .people)
    table.title = "headroom in bits, stage by stage"
    table.readingOrder = result.readingOrder
    table.add(ErrorColumns.algorithm) { .text(entries[$0].runner.algorithm.rawValue) }
    for stage in stages {
      let column = Column(
        stage.rawValue, "stages.\(stage.rawValue)", .useful,
        "bits of headroom; rows whose first overflow or NaN was born there", unit: "bits")
      table.add(column) { i in
        let sights = entries[i].sights
        var text = sights.trace.headroom(stage).map { Figures.short($0) } ?? Cell.dash
        if sights.overflowRows(stage) > 0 { text += " inf:\(Figures.count(sights.overflowRows(stage)))" }
        if sights.nanRows(stage) > 0 { text += " NaN:\(Figures.count(sights.nanRows(stage)))" }
        return text == Cell.dash
          ? .none("the algorithm has no such stage, or all was 0 there") : .text(text)
      }
    }
    return table
  }
}
