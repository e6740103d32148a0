import NumKit
import Reports

/// What an experiment on a question of one part says beside what it is about: a row a candidate, the worst result, what to take.
struct MeasurementReport<Q: Question> {
  typealias Entry = Measurement<Q>.Entry

  let result: Measurement<Q>
  /// What inputs are stored in.
  let storage: DType
  /// What results are numbers of.
  let results: DType
  /// All numbers that were given, of which `result.overflowedInputs` overflow.
  let inputCount: Int
  /// What a place in a row is called.
  let place: String
  /// Why headroom is not known; nil where it is.
  var blindness: String?

  /// Fills in `report`: table, worst result and conclusion.
  func complete(_ report: inout Report, advice: (Entry) -> String?) {
    var section = Section()
    section.blocks = [.table(table), .lines(witnessLines)]
    report.sections = [section]
    report.conclusion = conclusion(advice)
    if result.isEmpty { report.gaps = ["nothing was checked: no row has a finite truth"] }
  }

  /// Whether inputs were changed on the way to the candidates, by how much that moves results, and who proved the truth.
  var facts: [Fact] {
    [
      Fact("input.overflowed", .integer(result.overflowedInputs)),
      Fact("inputRounding.changed", .flag(result.inputsRounded)),
      Fact("inputRounding.maxUlp", .number(result.inherentUlp[0])),
      Fact("inputRounding.maxNormwise", .number(result.inherent[0])),
      Fact("inputRounding.maxShare", .number(result.inherentShare[0])),
      Fact("certificate", .certificate(result.certificate)),
    ]
  }

  /// That inputs overflow, where they do.
  var findings: [Finding] {
    result.overflowedInputs == 0
      ? [] : [Finding("input", "", "\(overflow); the truth is that of the inputs as stored", warns: true)]
  }

  /// `1,024 of 262,144 overflow f16`.
  private var overflow: String {
    "\(Figures.count(result.overflowedInputs)) of \(Figures.count(inputCount)) overflow \(storage)"
  }

  private func standing(_ i: Int) -> Standing {
    Standing(result.entries[i].parts[0].kernel, overflowedInputs: result.overflowedInputs, dtype: storage)
  }

  /// One row an algorithm.
  private var table: Table {
    typealias C = ErrorColumns
    typealias A = AttentionColumns
    let entries = result.entries
    func part(_ i: Int) -> PartErrors { entries[i].parts[0] }
    var table = Table(rows: entries.count)
    table.readingOrder = result.readingOrder
    table.setWitnesses { part($0).kernel.witness?.line }
    table.add(C.algorithm) { .text(entries[$0].candidate.name) }
    table.add(C.verdict) { .verdict(part($0).verdict) }
    // Results that cancel have as many ulps as they have lost: the row's peak says more.
    table.addErrors({ (part($0).kernel, standing($0)) }) {
      $0.path == C.atPeak.path ? $0.shown(.decides) : $0
    }
    table.addBounds {
      BoundFigures(
        bound: part($0).bound, kind: "\(part($0).bound)", ulp: part($0).boundUlp, statistics: part($0).kernel,
        standing: standing($0))
    }
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
      if let blindness { return .none(blindness) }
      return .headroom(entries[i].trace, overflowedInputs: result.overflowedInputs)
    }
    table.add(C.firstNaN) { .data(.birth(entries[$0].trace.firstNaN)) }
    table.add(C.firstOverflow) { .data(.birth(entries[$0].trace.firstOverflow)) }
    table.add(C.certificate) { _ in .data(.certificate(result.certificate)) }
    table.add(C.witness) { .data(.witness(part($0).kernel.witness, results)) }
    return table
  }

  /// The worst of all results.
  private var witnessLines: [String] {
    guard let i = result.readingOrder.first(where: { result.entries[$0].parts[0].kernel.witness != nil }),
      let w = result.entries[i].parts[0].kernel.witness
    else { return [] }
    let entry = result.entries[i]
    var lines = ["worst result: \(entry.candidate.name), row \(w.row), \(place) \(w.index): \(w.size)"]
    lines += w.lines(results)
    return lines + entry.trace.lines(place: place) { "row \($0)" }
  }

  /// One line that a person can act on; `advice` is what to say of an entry that is worth a sentence of its own.
  private func conclusion(_ advice: (Entry) -> String?) -> String {
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
    if let best = result.best.map({ result.entries[$0] }) { parts.append(advice(best) ?? plain(best)) }
    return warning + parts.joined(separator: "; ")
  }

  /// `3.2 ulp of a row's largest`.
  func error(_ entry: Entry) -> String {
    "\(Figures.short(entry.parts[0].kernel.maxUlpAtPeak)) ulp of a row's largest"
  }

  private func plain(_ entry: Entry) -> String {
    let part = entry.parts[0]
    let name = entry.candidate.name
    let (own, inherent) = (
      Swift.max(part.kernel.maxNormwise, part.kernel.maxShare),
      Swift.max(result.inherent[0], result.inherentShare[0])
    )
    switch part.verdict {
    case .vacuous:
      return "\(name) errs by \(error(entry)), but no bound can promise it"
    case .illConditioned where inherent > own:
      return
        "\(name) errs by \(error(entry)) for the numbers it got, but storing them in \(storage) alone moves "
        + "results by \(percentOrFactor(inherent))"
    case .illConditioned:
      return "\(name) keeps its bound, yet results may be off by \(percentOrFactor(own))"
    case .ok, .bug:
      switch part.bound {
      case .sound: return "\(name) holds: \(error(entry)) at most, every result within its bound"
      case .vacuous, .none: return "\(name) shows no fault: \(error(entry)) at most, without a bound"
      }
    }
  }
}

extension Column {
  /// The same, of another importance.
  func shown(_ importance: Importance) -> Column {
    Column(name, path, importance, meaning, unit: unit, hex: hasHex)
  }
}
