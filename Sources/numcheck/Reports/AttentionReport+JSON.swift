import NumKit

extension AttentionReport {
  /// Schema `numcheck/1`, command `attention`; see Documentation/numcheck-1-attention.schema.json.
  var json: JSONValue {
    let p = experiment.parameters
    var members: [(String, JSONValue)] = [
      ("schema", .string("numcheck/1")), ("command", .string("attention")),
      ("dtype", .string(configuration.storage.name)), ("compute", .string(configuration.compute.name)),
      ("accumulate", .string(configuration.accumulator.name)),
      ("probabilities", .string((experiment.runners.first?.probabilities ?? configuration.compute).name)),
      ("overflowMode", .string(configuration.overflow.rawValue)),
    ]
    switch origin {
    case .generated(let d, let range, let seed):
      members += [("distribution", .string(d.rawValue)), ("range", .number(range)), ("seed", .uint(seed))]
    case .files(let q, let k, let v):
      members += [("q", .string(q)), ("k", .string(k)), ("v", .string(v)), ("seed", .null)]
    }
    members += [
      ("heads", .int(shape.heads)), ("keyHeads", .int(shape.keyHeads)), ("queries", .int(shape.queries)),
      ("keys", .int(shape.keys)), ("headSize", .int(shape.headSize)), ("valueSize", .int(shape.valueSize)),
      ("rows", .int(result.rows)), ("length", .int(shape.keys)), ("question", .string(question)),
      ("policy", .string(p.specialValues.rawValue)),
      (
        "inputRounding",
        .object([
          ("changed", .bool(result.inputsRounded)), ("maxNormwise", .number(result.inherent)),
          ("overflowed", .int(result.overflowedInputs)),
        ])
      ),
      ("certificate", KernelReport.certificate(result.certificate)),
      (
        "baseline",
        .object([
          ("maxAbsoluteError", .number(result.baselineError)), ("limit", .number(result.baselineLimit)),
        ])
      ),
      (
        "saturation",
        .object([
          ("threshold", .number(experiment.gradientThreshold)), ("rows", .int(result.regularRows)),
          ("saturated", .int(result.saturatedRows)),
        ])
      ),
      (
        "sinks",
        .object([
          ("tokens", .int(experiment.sinkTokens)), ("threshold", .number(0.3)),
          ("heads", .int(sinkHeads.exact)), ("computedHeads", .int(sinkHeads.computed)),
          ("share", .number(Double(sinkHeads.exact) / Double(Swift.max(result.heads.count, 1)))),
        ])
      ),
      ("softmax", .array(result.heads.map(Self.head))),
      ("results", .array(result.entries.map(entry))),
    ]
    if !checks.isEmpty { members.append(("checks", .array(checks.map(KernelReport.check)))) }
    return .object(members)
  }

  private static func head(_ h: AttentionMeasurement.Head) -> JSONValue {
    .object([
      ("sinkMass", .number(h.sinkMass)), ("computedSinkMass", .number(h.computedSinkMass)),
      ("entropy", .number(h.entropy)), ("computedEntropy", .number(h.computedEntropy)),
    ])
  }

  private static func sums(_ s: ErrorSums) -> [(String, JSONValue)] {
    [
      ("rmse", .number(s.rmse)), ("rmseHex", .string(Figures.hex(s.rmse))),
      ("relativeL1", .number(s.relativeL1)),
      ("cosine", .number(s.cosine)),
    ]
  }

  private func entry(_ e: AttentionMeasurement.Entry) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("algorithm", .string(e.runner.algorithm.rawValue)), ("verdict", .string(e.verdict.rawValue)),
    ]
    members += KernelReport.statistics(e.kernel)
    members += Self.sums(e.sums)
    members += [
      (
        "bound",
        .object([
          ("kind", .string(basis(e).kind(e.bound))), ("ulp", e.bound == .none ? .null : .number(e.boundUlp)),
          ("exceeded", .int(e.kernel.aboveBound)),
        ])
      ),
      ("withinBaseline", .bool(e.sums.maxAbsoluteError <= result.baselineLimit && e.kernel.nanRows == 0)),
      (
        "logSumExp",
        .object([("format", .string(e.runner.lseFormat.name))] + KernelReport.statistics(e.logSumExp))
      ),
      ("total", .object(KernelReport.statistics(e.total) + Self.sums(e.totalSums))),
      ("headroomBits", .number(e.sights.trace.headroom)),
      (
        "stages",
        .array(
          Self.stages.map { stage in
            .object([
              ("stage", .string(stage.rawValue)),
              ("headroomBits", e.sights.trace.headroom(stage).map { .number($0) } ?? .null),
              ("overflowRows", .int(e.sights.overflowRows(stage))),
              ("nanRows", .int(e.sights.nanRows(stage))),
            ])
          })
      ),
      ("firstNaN", KernelReport.birth(e.sights.trace.firstNaN)),
      ("firstOverflow", KernelReport.birth(e.sights.trace.firstOverflow)),
      ("certificate", KernelReport.certificate(result.certificate)),
      ("witness", witness(e)),
    ]
    return .object(members)
  }

  private func witness(_ e: AttentionMeasurement.Entry) -> JSONValue {
    guard let w = e.kernel.witness else { return .null }
    var computed: [(String, JSONValue)] = [
      ("decimal", .number(w.computed)), ("hex", .string(Figures.hex(w.computed))),
    ]
    if let bits = Figures.bits(w.computed, .float(e.runner.outputFormat)) {
      computed.append(("bits", .string(bits)))
    }
    return .object([
      ("row", .int(w.row)), ("index", .int(w.index)), ("ulp", .number(w.ulp)),
      ("computed", .object(computed)),
      ("exact", .object([("decimal", .number(w.exact)), ("hex", .string(Figures.hex(w.exact)))])),
    ])
  }
}
