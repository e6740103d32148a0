import NumKit
import Reports

/// What one experiment on a product has to say.
struct MatmulReport {
  let configuration: MatmulConfiguration
  let source: MatmulSource
  let result: Measurement<MatmulQuestion>

  var report: Report {
    var report = Report("matmul", title: title)
    report.facts = facts
    report.notes = [result.certificate.line]
    report.findings = findings
    var section = Section()
    section.blocks = [.table(table), .lines(witnessLines)]
    report.sections = [section]
    report.conclusion = conclusion
    if result.isEmpty { report.gaps = ["nothing was checked: no row has a finite truth"] }
    return report
  }

  /// What was asked, in one line.
  private var title: String {
    var s = "matmul in \(configuration.storage)"
    switch configuration.scaling {
    case .none: break
    case .tensor: s += ", a scale a matrix"
    case .row: s += ", a scale a row and column"
    case .block(let n): s += ", a scale for \(n)"
    }
    s += ", summed in \(configuration.accumulator)"
    if configuration.storage != .float(configuration.result) { s += ", C in \(configuration.result.name)" }
    return s + ": \(source.size)\(source.phrase)"
  }

  private var facts: [Fact] {
    let (a, b) = (InputCount(source.inputs.a), InputCount(source.inputs.b))
    var list = [
      Fact("dtype", .text(configuration.storage.name), inRows: true),
      Fact("accumulate", .text("\(configuration.accumulator)"), inRows: true),
      Fact("scales", .text(configuration.scaling.name), inRows: true),
      Fact("resultDtype", .text(configuration.result.name), inRows: true),
    ]
    list += source.facts
    list += [
      Fact("input.nan", .integer(a.nan + b.nan)), Fact("input.inf", .integer(a.infinite + b.infinite)),
      Fact("input.overflowed", .integer(result.overflowedInputs)),
      Fact("inputRounding.changed", .flag(result.inputsRounded)),
      Fact("inputRounding.maxUlp", .number(result.inherentUlp[0])),
      Fact("inputRounding.maxNormwise", .number(result.inherent[0])),
      Fact("certificate", .certificate(result.certificate)),
    ]
    return list
  }

  private var findings: [Finding] {
    var list: [Finding] = []
    for (name, operand) in [("A", source.inputs.a), ("B, columns first", source.inputs.b)] {
      list += InputCount(operand).findings.map { Finding($0.kind, name, $0.message, warns: $0.isWarning) }
    }
    if result.overflowedInputs > 0 {
      list.append(
        Finding("input", "", "\(overflow); the truth is that of the matrices as stored", warns: true))
    }
    for entry in result.entries {
      guard let candidate = entry.candidate as? MatmulCandidate, let gap = candidate.gap else { continue }
      list.append(Finding("no-bound", candidate.name, gap.rawValue, leads: false))
    }
    return list
  }

  /// `1,024 of 262,144 overflow f16`.
  private var overflow: String {
    let count = source.inputs.a.values.count + source.inputs.b.values.count
    return
      "\(Figures.count(result.overflowedInputs)) of \(Figures.count(count)) overflow \(configuration.storage)"
  }

  private func standing(_ i: Int) -> Standing {
    Standing(
      result.entries[i].parts[0].kernel, overflowedInputs: result.overflowedInputs,
      dtype: configuration.storage)
  }

  /// One row an algorithm.
  private var table: Table {
    typealias C = ErrorColumns
    typealias A = AttentionColumns
    let entries = result.entries
    func part(_ i: Int) -> Measurement<MatmulQuestion>.Part { entries[i].parts[0] }
    func shown(_ column: Column, _ importance: Column.Importance) -> Column {
      Column(column.name, column.path, importance, column.meaning, unit: column.unit, hex: column.hasHex)
    }
    var table = Table(rows: entries.count)
    table.readingOrder = result.readingOrder
    table.setWitnesses { part($0).kernel.witness?.line }
    table.add(C.algorithm) { .text(entries[$0].candidate.name) }
    table.add(C.verdict) { .verdict(part($0).verdict) }
    // Results that cancel have as many ulps as they have lost: the row's peak says more.
    table.addErrors({ (part($0).kernel, standing($0)) }) {
      $0.path == C.atPeak.path ? shown($0, .decides) : $0
    }
    table.addBounds { (part($0).bound, part($0).boundUlp, part($0).kernel, standing($0)) }
    table.add(A.rmse) { standing($0).size(part($0).sums.rmse) }
    table.add(A.relativeL1) {
      standing($0).size(part($0).sums.relativeL1, unless: "the truth is 0 everywhere")
    }
    table.add(A.cosine) { standing($0).size(part($0).sums.cosine, unless: "one side is 0 everywhere") }
    table.addErrors({ (part($0).total, standing($0)) }) { C.total($0) }
    table.add(A.totalRMSE) { standing($0).size(part($0).totalSums.rmse) }
    table.add(A.totalL1) {
      standing($0).size(part($0).totalSums.relativeL1, unless: "the truth is 0 everywhere")
    }
    table.add(C.headroom) { i in
      configuration.accumulator == .int32
        ? .none("int32 sums are not watched")
        : .headroom(entries[i].trace, overflowedInputs: result.overflowedInputs)
    }
    table.add(C.firstNaN) { .data(.birth(entries[$0].trace.firstNaN)) }
    table.add(C.firstOverflow) { .data(.birth(entries[$0].trace.firstOverflow)) }
    table.add(C.certificate) { _ in .data(.certificate(result.certificate)) }
    table.add(C.witness) { .data(.witness(part($0).kernel.witness, .float(configuration.result))) }
    return table
  }

  /// The worst of all results.
  private var witnessLines: [String] {
    guard let i = result.readingOrder.first(where: { result.entries[$0].parts[0].kernel.witness != nil }),
      let w = result.entries[i].parts[0].kernel.witness
    else { return [] }
    let entry = result.entries[i]
    var lines = ["worst result: \(entry.candidate.name), row \(w.row), column \(w.index): \(w.size)"]
    lines += w.lines(.float(configuration.result))
    if let birth = entry.trace.firstNaN ?? entry.trace.firstOverflow {
      let what = entry.trace.firstNaN != nil ? "NaN" : "overflow"
      lines.append(
        "  first \(what) born in stage '\(birth.stage.rawValue)' of row \(birth.row), column \(birth.index)")
    }
    return lines
  }

  /// One line that a person can act on.
  private var conclusion: String {
    let warning = result.overflowedInputs == 0 ? "" : "of the inputs \(overflow); "
    let order = result.readingOrder.map { result.entries[$0] }
    let bugs = order.filter { $0.parts[0].verdict == .bug }
    if bugs.isEmpty && result.isEmpty { return warning + "no row has a finite truth: nothing to measure" }
    var parts: [String] = []
    if let first = bugs.first, let fault = first.fault {
      let names = Figures.list(bugs.map { $0.candidate.name })
      let reason = fault.sentence(rows: first.parts[0].kernel.rows, policy: .ieee)
      parts.append("\(names) \(bugs.count == 1 ? "is" : "are") wrong here: \(reason)")
    }
    if let best = result.best { parts.append(advice(result.entries[best])) }
    return warning + parts.joined(separator: "; ")
  }

  private func advice(_ best: Measurement<MatmulQuestion>.Entry) -> String {
    let part = best.parts[0]
    let name = best.candidate.name
    let error = "\(Figures.short(part.kernel.maxUlpAtPeak)) ulp of a row's largest"
    switch part.verdict {
    case .vacuous:
      return
        "\(name) errs by \(error), but no bound can promise it: sums of \(Figures.count(source.inputs.a.inner)) in "
        + "\(configuration.accumulator) may lose all; try --accumulate f32 or a shorter run"
    case .illConditioned where result.inherent[0] > part.kernel.maxNormwise:
      return
        "\(name) errs by \(error) for the matrices it got, but storing them in \(configuration.storage) alone moves "
        + "results by \(percentOrFactor(result.inherent[0]))"
    case .illConditioned:
      return "\(name) keeps its bound, yet results may be off by \(percentOrFactor(part.kernel.maxNormwise))"
    case .ok, .bug:
      switch part.bound {
      case .sound: return "\(name) holds: \(error) at most, every result within its bound"
      case .vacuous, .none: return "\(name) shows no fault: \(error) at most, without a bound"
      }
    }
  }
}

extension InputCount {
  /// Of one side of a product, vector by vector.
  fileprivate init(_ operand: MatmulOperand) {
    self.init()
    operand.values.withUnsafeBufferPointer { values in
      for row in 0..<operand.count {
        add(row: row, UnsafeBufferPointer(rebasing: values[row * operand.inner..<(row + 1) * operand.inner]))
      }
    }
  }
}
