import NumKit

extension AttentionReport {
  /// One row an algorithm, in reading order.
  var table: Table {
    let columns: [(String, Table.Alignment)] = [
      ("algorithm", .left), ("verdict", .left), ("NaN rows", .right), ("overflow", .right),
      ("underflow", .right), ("max ulp", .right), ("p99", .right), ("at peak", .right), ("bound", .right),
      ("lse ulp", .right), ("RMSE", .right), ("max error", .right), ("of limit", .right),
      ("total RMSE", .right), ("rel L1", .right), ("1-cosine", .right), ("headroom", .right),
    ]
    var table = Table(columns: columns.map { (title: $0.0, alignment: $0.1) })
    for i in readingOrder {
      let e = result.entries[i]
      let k = e.kernel
      let measured = k.finiteCount > 0
      func figure(_ x: Double) -> String { measured ? Figures.short(x) : "-" }
      let t = e.sights.trace
      table.rows.append([
        e.runner.algorithm.rawValue, e.verdict.rawValue, Figures.count(k.nanRows), Figures.count(k.overflow),
        Figures.count(k.underflow), figure(k.maxUlp), figure(k.quantileUlp(0.99)), figure(k.maxUlpAtPeak),
        e.bound == .none ? "none" : e.bound == .vacuous ? "vacuous" : Figures.short(e.boundUlp),
        figure(e.logSumExp.maxUlp), figure(e.sums.rmse), figure(e.sums.maxAbsoluteError),
        figure(e.sums.maxAbsoluteError / result.baselineLimit), figure(e.totalSums.rmse),
        figure(e.totalSums.relativeL1), figure(1 - e.totalSums.cosine),
        t.firstOverflow != nil || result.overflowedInputs > 0
          ? "none" : t.headroom == .infinity ? "-" : "\(Figures.short(t.headroom)) bits",
      ])
    }
    return table
  }

  /// The stages that attention has, in order.
  static let stages: [Stage] = [
    .input, .scores, .scale, .exponential, .sum, .probabilities, .weighted, .output,
  ]

  /// Bits of headroom in each stage, and rows whose first NaN or overflow was born there.
  var stageTable: Table {
    var table = Table(
      columns: [(title: "headroom, bits", alignment: Table.Alignment.left)]
        + Self.stages.map { (title: $0.rawValue, alignment: Table.Alignment.right) })
    for i in readingOrder {
      let e = result.entries[i]
      table.rows.append(
        [e.runner.algorithm.rawValue]
          + Self.stages.map { stage in
            var cell = e.sights.trace.headroom(stage).map { Figures.short($0) } ?? "-"
            if e.sights.overflowRows(stage) > 0 {
              cell += " inf:\(Figures.count(e.sights.overflowRows(stage)))"
            }
            if e.sights.nanRows(stage) > 0 { cell += " NaN:\(Figures.count(e.sights.nanRows(stage)))" }
            return cell
          })
    }
    return table
  }

  /// What the softmax looks like.
  var softmaxLines: [String] {
    guard result.regularRows > 0 else { return [] }
    let e = experiment
    let tokens = e.sinkTokens == 1 ? "the first token" : "the first \(e.sinkTokens) tokens"
    let peak = result.heads.indices.max { result.heads[$0].sinkMass < result.heads[$1].sinkMass } ?? 0
    let computed = "\(configuration.storage)"
    let entropies = result.heads.map(\.entropy).filter { !$0.isNaN }
    let entropyShift = result.heads.reduce(0.0) {
      let d = ($1.entropy - $1.computedEntropy).magnitude
      return d.isNaN ? $0 : Swift.max($0, d)
    }
    return [
      "sinks: \(sinkHeads.exact) of \(result.heads.count) heads put more than 0.3 on \(tokens)"
        + " (head \(peak): \(Figures.short(result.heads[peak].sinkMass))); in \(computed) \(sinkHeads.computed),"
        + " a head's mass moves by at most \(Figures.short(sinkShift))",
      "entropy a head: \(Figures.short(entropies.min() ?? .nan)) to \(Figures.short(entropies.max() ?? .nan)) nats;"
        + " in \(computed) it moves by at most \(Figures.short(entropyShift))",
      "saturated: \(Figures.count(result.saturatedRows)) of \(Figures.count(result.regularRows)) rows have a softmax"
        + " Jacobian of norm below \(Figures.number(e.gradientThreshold)), through which no gradient passes",
    ]
  }

  /// The worst of all results.
  var witnessLines: [String] {
    guard let i = readingOrder.first(where: { result.entries[$0].kernel.witness != nil }),
      let w = result.entries[i].kernel.witness
    else { return [] }
    let e = result.entries[i]
    let dtype = DType.float(e.runner.outputFormat)
    let size = w.ulp.isNaN ? "a wrong special value" : "\(Figures.short(w.ulp)) ulp"
    let bits = Figures.bits(w.computed, dtype).map { ", bits \($0)" } ?? ""
    var lines = [
      "worst result: \(e.runner.algorithm.rawValue), head \(w.row / shape.queries), query \(w.row % shape.queries), "
        + "index \(w.index): \(size)",
      "  computed \(Figures.number(w.computed)) (\(Figures.hex(w.computed))\(bits))",
      "  exact    \(Figures.number(w.exact)) (\(Figures.hex(w.exact)))",
    ]
    for (what, birth) in [("NaN", e.sights.trace.firstNaN), ("overflow", e.sights.trace.firstOverflow)] {
      guard let birth else { continue }
      lines.append(
        "  first \(what) born in stage '\(birth.stage.rawValue)' of head \(birth.row / shape.queries), query "
          + "\(birth.row % shape.queries), index \(birth.index)")
    }
    return lines
  }

  /// What an algorithm's bound rests on.
  func basis(_ e: AttentionMeasurement.Entry) -> BoundBasis {
    BoundBasis(e.runner, hasSoftcap: experiment.parameters.softcap != nil)
  }

  /// How the truth was proven, and what inputs the format cannot hold.
  private var preface: [String] {
    [KernelReport.proof(result.certificate)]
      + BoundBasis.statements(result.entries.map { (basis($0), $0.bound) })
      + (result.overflowedInputs == 0
        ? [] : ["inputs: \(overflow): the truth is that of the inputs as stored"])
  }

  /// For people at a terminal.
  func text(colour: Bool) -> String {
    let order = readingOrder
    let body = table.text { row, column, cell in
      guard colour, column == 1 else { return cell }
      return result.entries[order[row]].verdict.coloured(cell)
    }
    var out =
      "\(heading)\n\(question)\n\(preface.joined(separator: "\n"))\n\n\(body)\n\(stageTable.text())\n"
    for line in softmaxLines { out += line + "\n" }
    if !softmaxLines.isEmpty { out += "\n" }
    for line in witnessLines { out += line + "\n" }
    out += (witnessLines.isEmpty ? "" : "\n") + "\(conclusion).\n"
    return out + checkLines
  }

  /// For a page.
  var markdown: String {
    var out = "### \(heading)\n\n\(question)\n\n\(preface.joined(separator: "\n\n"))\n\n"
    out += table.markdown + "\n" + stageTable.markdown + "\n"
    for line in softmaxLines { out += "- \(line)\n" }
    for line in witnessLines { out += line.hasPrefix("  ") ? "- \(line.dropFirst(2))\n" : "\n\(line)\n\n" }
    out += "\n**\(conclusion).**\n"
    for check in checks {
      let passed = "passed: \(check.algorithm) --\(check.flag)"
      out += "\n- \(check.passed ? passed : "FAILED: \(check.message)")"
    }
    return checks.isEmpty ? out : out + "\n"
  }

  /// One line an algorithm, exact numbers.
  var csv: String {
    let names = [
      "command", "dtype", "compute", "accumulate", "heads", "queries", "keys", "head_size", "algorithm",
      "verdict",
      "nan_rows", "overflow", "underflow", "max_ulp", "p99_ulp", "mean_ulp", "bound_kind", "bound_ulp",
      "lse_max_ulp", "rmse", "max_absolute_error", "baseline_limit", "total_rmse", "relative_l1", "cosine",
      "headroom_bits",
    ]
    var table = Table(columns: names.map { (title: $0, alignment: .left) })
    for e in result.entries {
      let k = e.kernel
      let c = configuration
      var cells = ["attention", c.storage.name, c.compute.name, c.accumulator.name]
      cells += [shape.heads, shape.queries, shape.keys, shape.headSize].map { "\($0)" }
      cells += [e.runner.algorithm.rawValue, e.verdict.rawValue]
      cells += [k.nanRows, k.overflow, k.underflow].map { "\($0)" }
      cells += [k.maxUlp, k.quantileUlp(0.99), k.meanUlp].map(Figures.number)
      cells += [basis(e).kind(e.bound), e.bound == .none ? "" : Figures.number(e.boundUlp)]
      cells += [
        e.logSumExp.maxUlp, e.sums.rmse, e.sums.maxAbsoluteError, result.baselineLimit, e.totalSums.rmse,
        e.totalSums.relativeL1, e.totalSums.cosine, e.sights.trace.headroom,
      ].map(Figures.number)
      table.rows.append(cells)
    }
    return table.csv
  }
}
