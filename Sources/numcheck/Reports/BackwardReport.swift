import NumKit

/// All that a report says of attention's backward pass: a line for each gradient of each algorithm.
struct BackwardReport: CheckedReport {
  let configuration: KernelConfiguration
  let experiment: BackwardExperiment
  let origin: AttentionInput.Origin
  /// Where dO came from.
  let gradient: String
  let result: BackwardMeasurement
  let checks: [Check]

  struct Line {
    let runner: AttentionRunner
    let gradient: AttentionGradient
    let errors: BackwardMeasurement.Errors
    /// The baseline's largest error of the same gradient.
    let baseline: Double
    var name: String { "\(runner.algorithm.rawValue) \(gradient.rawValue)" }
    var verdict: Verdict { errors.verdict(runner.outputFormat) }
  }

  var shape: AttentionShape { experiment.tensors.shape }

  /// Algorithms in the order given, dq, dk, dv of each.
  var lines: [Line] {
    result.entries.flatMap { e in
      AttentionGradient.allCases.map {
        Line(
          runner: e.runner, gradient: $0, errors: e[$0], baseline: result.baseline[$0].sums.maxAbsoluteError)
      }
    }
  }

  var heading: String {
    AttentionReport.heading("attention backward", configuration, experiment.runners.first, shape)
      + AttentionReport.source(origin) + ", " + gradient
  }

  var table: Table {
    let columns: [(String, Table.Alignment)] = [
      ("gradient", .left), ("verdict", .left), ("NaN rows", .right), ("overflow", .right),
      ("underflow", .right), ("max ulp", .right), ("p99", .right), ("at peak", .right), ("RMSE", .right),
      ("max error", .right), ("of baseline", .right), ("total RMSE", .right), ("rel L1", .right),
      ("1-cosine", .right),
    ]
    var table = Table(columns: columns.map { (title: $0.0, alignment: $0.1) })
    for line in lines {
      let (k, s, t) = (line.errors.kernel, line.errors.sums, line.errors.totalSums)
      func figure(_ x: Double) -> String { k.finiteCount > 0 && !x.isNaN ? Figures.short(x) : "-" }
      table.rows.append([
        line.name, line.verdict.rawValue, Figures.count(k.nanRows), Figures.count(k.overflow),
        Figures.count(k.underflow), figure(k.maxUlp), figure(k.quantileUlp(0.99)), figure(k.maxUlpAtPeak),
        figure(s.rmse), figure(s.maxAbsoluteError), figure(s.maxAbsoluteError / line.baseline),
        figure(t.rmse),
        figure(t.relativeL1), figure(1 - t.cosine),
      ])
    }
    return table
  }

  /// The line with the largest error of a gradient's own size.
  private var worst: Line? {
    let bad = lines.first { $0.verdict == .bug }
    return bad
      ?? lines.filter { $0.errors.kernel.finiteCount > 0 }.max {
        $0.errors.sums.relativeL1 < $1.errors.sums.relativeL1
      }
  }

  var witnessLines: [String] {
    guard let line = worst, let w = line.errors.kernel.witness else { return [] }
    let size = w.ulp.isNaN ? "a wrong special value" : "\(Figures.short(w.ulp)) ulp"
    let tokens = line.gradient == .dq ? shape.queries : shape.keys
    let token = line.gradient == .dq ? "query" : "key"
    let bits = Figures.bits(w.computed, .float(line.runner.outputFormat)).map { ", bits \($0)" } ?? ""
    return [
      "worst result of \(line.name): head \(w.row / tokens), \(token) \(w.row % tokens), index \(w.index): \(size)",
      "  computed \(Figures.number(w.computed)) (\(Figures.hex(w.computed))\(bits))",
      "  exact    \(Figures.number(w.exact)) (\(Figures.hex(w.exact)))",
    ]
  }

  /// What each algorithm's gradients are worth.
  var conclusion: String {
    result.entries.map { e in
      let all = AttentionGradient.allCases
      let bad = all.filter { e[$0].verdict(e.runner.outputFormat) == .bug }
      if !bad.isEmpty {
        let names = bad.map(\.rawValue).joined(separator: ", ")
        return
          "\(e.runner.algorithm.rawValue) is wrong here: \(names) have NaN or infinities that the truth has not"
      }
      let parts = all.map { "\($0.rawValue) \(Figures.short(100 * e[$0].sums.relativeL1)) %" }
      return "\(e.runner.algorithm.rawValue) is off by \(parts.joined(separator: ", ")) (relative L1)"
    }.joined(separator: "; ")
  }

  private var question: String { AttentionReport.question(experiment.parameters, shape) }

  func text(colour: Bool) -> String {
    let all = lines
    let body = table.text { row, column, cell in
      guard colour, column == 1 else { return cell }
      return all[row].verdict.coloured(cell)
    }
    var out = "\(heading)\n\(question)\n\(KernelReport.proof(result.certificate))\n\n\(body)\n"
    for line in witnessLines { out += line + "\n" }
    out += "\n\(conclusion).\n"
    return out + checkLines
  }

  var markdown: String {
    var out =
      "### \(heading)\n\n\(question)\n\n\(KernelReport.proof(result.certificate))\n\n\(table.markdown)"
    for line in witnessLines { out += line.hasPrefix("  ") ? "- \(line.dropFirst(2))\n" : "\n\(line)\n\n" }
    out += "\n**\(conclusion).**\n"
    for check in checks {
      out += "\n- \(check.passed ? "passed: \(check.algorithm) --\(check.flag)" : "FAILED: \(check.message)")"
    }
    return checks.isEmpty ? out : out + "\n"
  }

  /// One line a gradient, exact numbers.
  var csv: String {
    let names = [
      "command", "dtype", "compute", "accumulate", "heads", "key_heads", "queries", "keys", "head_size",
      "algorithm", "gradient", "verdict", "nan_rows", "overflow", "underflow", "max_ulp", "p99_ulp",
      "mean_ulp",
      "rmse", "max_absolute_error", "baseline_max_absolute_error", "total_rmse", "relative_l1", "cosine",
    ]
    var table = Table(columns: names.map { (title: $0, alignment: .left) })
    for line in lines {
      let (k, s, t) = (line.errors.kernel, line.errors.sums, line.errors.totalSums)
      let c = configuration
      var cells = ["attention backward", c.storage.name, c.compute.name, c.accumulator.name]
      cells += [shape.heads, shape.keyHeads, shape.queries, shape.keys, shape.headSize].map { "\($0)" }
      cells += [line.runner.algorithm.rawValue, line.gradient.rawValue, line.verdict.rawValue]
      cells += [k.nanRows, k.overflow, k.underflow].map { "\($0)" }
      cells += [
        k.maxUlp, k.quantileUlp(0.99), k.meanUlp, s.rmse, s.maxAbsoluteError, line.baseline, t.rmse,
        t.relativeL1,
        t.cosine,
      ].map(Figures.number)
      table.rows.append(cells)
    }
    return table.csv
  }

  /// Schema `numcheck/1`, command `attention backward`; see Documentation/numcheck-1-backward.schema.json.
  var json: JSONValue {
    let c = configuration
    var members: [(String, JSONValue)] = [
      ("schema", .string("numcheck/1")), ("command", .string("attention backward")),
      ("dtype", .string(c.storage.name)), ("compute", .string(c.compute.name)),
      ("accumulate", .string(c.accumulator.name)),
      ("probabilities", .string((experiment.runners.first?.probabilities ?? c.compute).name)),
      ("overflowMode", .string(c.overflow.rawValue)), ("gradient", .string(gradient)),
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
      ("question", .string(question)), ("policy", .string(experiment.parameters.specialValues.rawValue)),
      ("inputsRounded", .bool(result.inputsRounded)),
      ("certificate", KernelReport.certificate(result.certificate)),
      ("results", .array(lines.map(Self.entry))),
    ]
    if !checks.isEmpty { members.append(("checks", .array(checks.map(KernelReport.check)))) }
    return .object(members)
  }

  private static func entry(_ line: Line) -> JSONValue {
    func sums(_ s: ErrorSums) -> [(String, JSONValue)] {
      [
        ("rmse", .number(s.rmse)), ("rmseHex", .string(Figures.hex(s.rmse))),
        ("relativeL1", .number(s.relativeL1)), ("cosine", .number(s.cosine)),
      ]
    }
    var members: [(String, JSONValue)] = [
      ("algorithm", .string(line.runner.algorithm.rawValue)), ("gradient", .string(line.gradient.rawValue)),
      ("verdict", .string(line.verdict.rawValue)),
    ]
    members += KernelReport.statistics(line.errors.kernel)
    members += sums(line.errors.sums)
    members += [
      ("baselineMaxAbsoluteError", .number(line.baseline)), ("total", .object(sums(line.errors.totalSums))),
    ]
    if let w = line.errors.kernel.witness {
      members.append(
        (
          "witness",
          .object([
            ("row", .int(w.row)), ("index", .int(w.index)), ("ulp", .number(w.ulp)),
            ("computed", .string(Figures.hex(w.computed))), ("exact", .string(Figures.hex(w.exact))),
          ])
        ))
    }
    return .object(members)
  }
}
