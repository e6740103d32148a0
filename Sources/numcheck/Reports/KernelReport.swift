import NumKit
import Reports

/// What one experiment on rows has to say.
struct KernelReport {
  let operation: RowOperation
  let configuration: KernelConfiguration
  let parameters: OperationParameters
  let origin: RowOrigin
  let input: InputCount
  let result: ExperimentResult
  /// What the kernels were given for the row and index of an algorithm's witness: the input as rounded, and its row's
  /// largest.
  let witnessInputs: [WitnessInput?]

  var report: Report {
    var report = Report(operation.rawValue, title: title)
    report.facts = facts
    report.notes =
      [result.certificate.line]
      + BoundBasis.statements(result.entries.map { (basis($0), $0.bound) })
    report.findings = findings
    var section = Section()
    let table = table
    section.blocks = [.table(table), .lines(witnessLines)]
    section.charts = [
      .errors(table), .spread(result.entries.map { ($0.algorithm.description, $0.kernel) }),
    ]
    report.sections = [section]
    report.conclusion = conclusion
    if result.isEmpty { report.gaps = ["nothing was checked: no row has a finite truth"] }
    return report
  }

  private var facts: [Fact] {
    var list = [
      Fact("dtype", .text(configuration.storage.name), inRows: true),
      Fact("compute", .text(configuration.compute.name), inRows: true),
      Fact("accumulate", .text(configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(configuration.overflow.rawValue)),
    ]
    list += origin.facts + input.facts
    list += [
      Fact("input.rowsWithoutAnswer", .integer(result.unanswered.count)),
      Fact("input.overflowed", .integer(result.overflowedInputs)),
      Fact("input.overflowedRows", .integer(result.overflowedRows)),
      Fact("temperature", .number(parameters.temperature)),
      Fact("policy", .text(parameters.specialValues.rawValue)),
      Fact("rows", .integer(result.rows), inRows: true),
      Fact("length", .integer(result.length), inRows: true),
      Fact("conditioning", result.conditioning.isNaN ? .none : .number(result.conditioning)),
      Fact("inputRounding.changed", .flag(result.inputsRounded)),
      Fact("inputRounding.maxUlp", .number(result.inherentUlp)),
      Fact("inputRounding.maxNormwise", .number(result.inherent)),
      Fact("inputRounding.maxShare", .number(result.inherentShare)),
      Fact("certificate", .certificate(result.certificate)),
    ]
    return list
  }

  private var findings: [Finding] {
    var list = input.findings
    if result.overflowedInputs > 0 {
      list.append(
        Finding(
          "input", "", "\(overflow); the truth of those rows is that of the inputs as stored", warns: true))
    }
    if let blind = result.unanswered.message(rows: result.rows, operation, parameters.specialValues) {
      list.append(Finding("rows-without-answer", "", blind, warns: true))
    }
    return list
  }

  /// `1,024 of 262,144 overflow f16, in 250 of 256 rows`.
  private var overflow: String {
    "\(Figures.count(result.overflowedInputs)) of \(Figures.count(result.rows * result.length)) overflow "
      + "\(configuration.storage), in \(Figures.count(result.overflowedRows)) of \(Figures.count(result.rows)) rows"
  }

  /// What an algorithm's bound rests on.
  private func basis(_ e: ExperimentResult.Entry) -> BoundBasis { BoundBasis(e.algorithm, configuration) }

  private func standing(_ statistics: ErrorStatistics) -> Standing {
    Standing(statistics, overflowedInputs: result.overflowedInputs, dtype: configuration.storage)
  }

  /// One row an algorithm.
  private var table: Table {
    typealias C = ErrorColumns
    let entries = result.entries
    var table = Table(rows: entries.count)
    table.readingOrder = result.readingOrder
    table.setWitnesses { entries[$0].kernel.witness?.line }
    table.add(C.algorithm) { .text(entries[$0].algorithm.description) }
    table.add(C.verdict) { .verdict(entries[$0].verdict) }
    table.addErrors { (entries[$0].kernel, standing(entries[$0].kernel)) }
    table.addBounds { i in
      let e = entries[i]
      return BoundFigures(
        bound: e.bound, kind: basis(e).kind(e.bound), ulp: e.boundUlp, statistics: e.kernel,
        standing: standing(e.kernel))
    }
    // What the format has cost stands where the kernel's own errors have a size.
    table.addErrors({ (entries[$0].total, standing(entries[$0].kernel)) }) {
      C.total($0, $0.path == C.maxUlp.path ? .decides : .machine)
    }
    if operation == .softmax { addDistribution(to: &table) }
    table.add(C.headroom) { .headroom(entries[$0].trace, overflowedInputs: result.overflowedInputs) }
    table.add(C.firstNaN) { .data(.birth(entries[$0].trace.firstNaN)) }
    table.add(C.firstOverflow) { .data(.birth(entries[$0].trace.firstOverflow)) }
    table.add(C.certificate) { _ in .data(.certificate(result.certificate)) }
    table.add(C.witness) { .data(witness($0)) }
    return table
  }

  private func addDistribution(to table: inout Table) {
    typealias C = ErrorColumns
    func figure(_ i: Int, _ cell: (DistributionStatistics) -> Cell) -> Cell {
      let e = result.entries[i]
      guard let d = e.distribution, d.rows > 0 else {
        return e.kernel.nanRows > 0 ? .spoiled("no row is finite") : .none("no row is finite")
      }
      return cell(d)
    }
    table.add(C.sumError) { figure($0) { .number($0.maxSumError) } }
    table.add(C.maxDivergence) { figure($0) { .number($0.maxDivergence) } }
    table.add(C.meanDivergence) { figure($0) { .number($0.meanDivergence) } }
    table.add(C.topFlips) { figure($0) { .count($0.topFlips) } }
  }

  private func witness(_ index: Int) -> JSONValue {
    var more: [JSONValue.Member] = []
    if let input = witnessInputs[index] {
      if let x = input.input { more.append(.init("input", .spelled(x, configuration.storage))) }
      more.append(.init("rowMaximum", .spelled(input.rowMaximum, configuration.storage)))
    }
    return .witness(result.entries[index].kernel.witness, configuration.storage, and: more)
  }

  /// What was asked, in one line.
  private var title: String {
    var s = configuration.described(operation.rawValue)
    s +=
      ": \(Figures.count(result.rows)) \(result.rows == 1 ? "row" : "rows") of \(Figures.count(result.length))"
      + origin.phrase
    if parameters.temperature != 1 { s += ", temperature \(Figures.number(parameters.temperature))" }
    return s
  }

  /// The worst of all results, if any is worth showing.
  private var witnessLines: [String] {
    guard let i = result.readingOrder.first(where: { result.entries[$0].kernel.witness != nil }),
      let w = result.entries[i].kernel.witness
    else { return [] }
    let dtype = configuration.storage
    var lines = ["worst result: \(result.entries[i].algorithm), row \(w.row), index \(w.index): \(w.size)"]
    if let input = witnessInputs[i] {
      var line = "  row maximum \(input.rowMaximum.spelled(dtype))"
      if let x = input.input { line = "  input \(x.spelled(dtype))," + line.dropFirst() }
      lines.append(line)
    }
    lines += w.lines(dtype)
    return lines + result.entries[i].trace.lines { "row \($0)" }
  }
}

extension KernelReport {
  /// One line that a person can act on.
  private var conclusion: String {
    // Where inputs overflow, that comes first.
    let warning = result.overflowedInputs == 0 ? "" : "of the inputs \(overflow); "
    let bugs = result.readingOrder.map { result.entries[$0] }.filter { $0.verdict == .bug }
    if bugs.isEmpty && result.isEmpty { return warning + "no row has a finite truth: nothing to measure" }
    var parts: [String] = []
    if let first = bugs.first, let fault = first.fault {
      let names = bugs.map(\.algorithm.description)
      let reason = fault.sentence(rows: first.kernel.rows, policy: parameters.specialValues)
      parts.append("\(Figures.list(names)) \(names.count == 1 ? "is" : "are") wrong here: \(reason)")
    }
    if let best = result.best {
      parts.append(advice(best))
    } else if result.isEmpty {
      parts.append("no row has a finite truth: nothing else to measure")
    } else if !bugs.isEmpty {
      parts.append("no algorithm that was tried holds in \(configuration.storage) on these rows")
    }
    return warning + parts.joined(separator: "; ")
  }

  private func hasPairwise(_ algorithm: Algorithm) -> Bool {
    Algorithm.all(for: operation, dtype: configuration.storage).contains {
      $0.kernel == algorithm.kernel && $0.summation == .pairwise
    }
  }

  private func advice(_ best: ExperimentResult.Entry) -> String {
    let name = best.algorithm.description
    let ulp = Figures.short(best.kernel.maxUlp)
    switch result.caution(best, configuration) {
    case .tooLong:
      return "\(name) errs by \(ulp) ulp at most, but no bound can promise it: rows of "
        + "\(Figures.count(result.length)) are too long for sums in \(configuration.accumulator.name)"
        + Advice.more(
          [best.algorithm.summation == .sequential && hasPairwise(best.algorithm) ? "a pairwise sum" : nil]
            + [Advice.finer(than: configuration.accumulator).map { "--accumulate \($0)" }])
    case .tooLarge:
      return
        "\(name) errs by \(ulp) ulp at most, but no bound can promise it: logits of this size are too large for "
        + configuration.compute.name
        + Advice.more([Advice.finer(than: configuration.compute).map { "--compute \($0)" }])
    case .cancelling:
      return
        "\(name) errs by \(ulp) ulp at most, but no bound can promise it: 1 - p cancels where one logit leads; "
        + "\(ComplementSoftmaxJacobian.name) adds up the others instead"
    case .inputs(let share):
      return "\(name) is right to \(ulp) ulp for the inputs it got, but rounding the inputs to "
        + "\(configuration.storage) alone moves results by \(percentOrFactor(share)): no kernel can mend that, "
        + "a finer input format or smaller logits can"
    case .borderline(let count):
      return "\(name) is within its bound, and \(Figures.count(count)) results are as near to the "
        + "largest number of \(configuration.storage) as that bound is wide: rounding decides whether they overflow"
    case .conditioning(let share):
      return "\(name) is within its bound, yet the rows are ill-conditioned (condition number "
        + "\(Figures.short(result.conditioning))): results may be off by \(percentOrFactor(share))"
    case nil:
      let bound = best.bound == .sound ? ", bound \(Figures.short(best.boundUlp))" : ", no bound derived"
      return "\(name) holds: \(ulp) ulp at most\(bound)"
    }
  }
}

extension RowOrigin {
  /// Where rows come from, behind their size.
  var phrase: String {
    switch self {
    case .generated(.uniform, let range, let seed):
      return ", uniform in [\(Figures.number(-range)), \(Figures.number(range))], seed \(seed)"
    case .generated(let distribution, let range, let seed):
      return ", \(distribution.rawValue), R = \(Figures.number(range)), seed \(seed)"
    case .file(let name, _): return " from \(ArgumentText.shown(name))"
    case .exhaustive: return ", all there are"
    }
  }

  var facts: [Fact] {
    switch self {
    case .generated(let distribution, let range, let seed):
      return [
        Fact("seed", .unsigned(seed)), Fact("input.origin", .text("generated")),
        Fact("input.distribution", .text(distribution.rawValue)), Fact("input.range", .number(range)),
      ]
    case .file(let name, let shape):
      return [
        Fact("seed", .none), Fact("input.origin", .text("file")),
        Fact("input.name", .text(ArgumentText.shown(name))),
        Fact("input.shape", .list(shape.map { .integer($0) })),
      ]
    case .exhaustive: return [Fact("seed", .none), Fact("input.origin", .text("exhaustive"))]
    }
  }
}

extension KernelConfiguration {
  /// `softmax in bf16, computed in f32`.
  func described(_ operation: String) -> String {
    var s = "\(operation) in \(storage)"
    if let storage = storage.numberFormat {
      if compute != storage { s += ", computed in \(compute.name)" }
    } else {
      s += ", stages in \(compute.name) stored on the \(storage) grid"
    }
    if accumulator != compute { s += ", summed in \(accumulator.name)" }
    return s
  }
}
