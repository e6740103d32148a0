import NumKit
import Reports

/// What is said of results that somebody else computed.
struct VerifyReport {
  let command: String
  var title = ""
  var facts: [Fact] = []
  var findings: [Finding] = []
  /// Where the results come from.
  let candidate: String
  /// The format of each part.
  let formats: [NumberFormat]
  let policy: SpecialValues
  /// What the parts are called.
  let partNames: [String]
  /// What an item is called: plans are tried on some.
  var itemNoun = "row"
  /// How many parts have a bound, of the first on: of log-sum-exps beside outputs none is derived.
  var boundedParts = 1
  /// Each part's rows, to say where wrong results stand.
  var places: [WrongPlaces] = []
  private let parts: [JudgedPart]
  private let certificate: Certificate
  private let overflowedInputs: Int
  private let fits: [PlanFit]
  private let hypotheses: [HypothesisFit]
  private let promised: [String]
  private let claims: Claims

  /// A part of the results as it was judged.
  struct JudgedPart {
    let kernel: ErrorStatistics
    let bound: RowBound
    let boundUlp: Double
    let verdict: Verdict
    let fault: Fault?
    let wrong: WrongResults
  }

  init<Q: NumKit.Question>(
    command: String, candidate: String, formats: [NumberFormat], policy: SpecialValues, parts: [String],
    _ found: GuestFindings<Q>, promised: [String], claims: Claims
  ) {
    self.command = command
    self.candidate = candidate
    self.formats = formats
    self.policy = policy
    partNames = parts
    self.parts = found.parts.indices.map { p in
      let part = found.parts[p]
      return JudgedPart(
        kernel: part.kernel, bound: part.bound, boundUlp: part.boundUlp, verdict: found.verdict(ofPart: p),
        fault: found.fault(ofPart: p), wrong: found.wrong[p])
    }
    certificate = found.measurement.certificate
    overflowedInputs = found.measurement.overflowedInputs
    fits = found.fits
    hypotheses = found.hypotheses
    self.promised = promised
    self.claims = claims
  }

  /// Says what was asked of which rows: the title, which ends with `more` and says the `form` of results where that is no format; facts,
  /// `asked` of the question among them; and places.
  mutating func describe(
    _ name: String, _ source: RowInput, _ count: InputCount, more: String, overflow: Overflow,
    resultsPerRow: Int, asked: [Fact], form: String? = nil
  ) {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    title =
      "\(name) \(form ?? "in \(formats[0].name)"): \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of "
      + "\(Figures.count(length))\(source.origin.phrase)\(more.isEmpty ? "" : ", \(more)")"
    facts =
      [
        Fact("dtype", .text(formats[0].name), inRows: true), Fact("overflowMode", .text(overflow.rawValue)),
      ] + source.origin.facts + asked
    facts += [
      Fact("rows", .integer(rows), inRows: true), Fact("length", .integer(length), inRows: true),
      Fact("certificate", .certificate(certificate)),
    ]
    facts += count.facts
    findings = count.findings
    places = [WrongPlaces(rows: rows, rowShape: source.otherShape, length: resultsPerRow)]
  }

  /// What the command itself asks for: nothing wrong.
  static var limits: [Limit] {
    var limit = Limit(ErrorColumns.verdict.path, .unequal, Verdict.bug.rawValue)
    limit.isImplied = true
    return [limit]
  }

  var report: Report {
    var report = Report(command, title: title)
    report.facts = facts
    report.notes = [certificate.line] + planNotes
    report.findings = findings
    var section = Section()
    section.blocks = [.table(table), .lines(whereLines + hypothesisLines)]
    if parts.contains(where: { $0.wrong.count > 0 }) { section.blocks.append(.table(elements)) }
    if !fits.isEmpty { section.blocks.append(.table(planTable)) }
    report.sections = [section]
    report.conclusion = conclusion
    report.gaps = gaps
    return report
  }

  /// Why an absence of faults is no pass.
  private var gaps: [String] {
    if parts.allSatisfy({ $0.kernel.finiteTruths == 0 && $0.wrong.count == 0 }) {
      return ["nothing was checked: no row has a finite truth"]
    }
    return parts.indices.prefix(boundedParts).compactMap { p in
      guard parts[p].verdict != .bug else { return nil }
      let name = partNames[p].isEmpty ? "" : "\(partNames[p]): "
      switch parts[p].bound {
      case .sound: return nil
      case .vacuous:
        return "\(name)the bound of this plan says nothing here: that nothing exceeds it is no pass"
      case .none: return "\(name)some rows have no bound: of those only special values were checked"
      }
    }
  }

  private var table: Table {
    typealias C = VerifyColumns
    var table = Table(rows: parts.count)
    table.setWitnesses { parts[$0].kernel.witness?.line }
    table.add(C.candidate) { _ in .text(candidate) }
    if parts.count > 1 { table.add(C.part) { .text(partNames[$0]) } }
    table.add(ErrorColumns.verdict) { .verdict(parts[$0].verdict) }
    table.add(C.aboveBound) { .count(parts[$0].wrong.count) }
    table.addErrors { (parts[$0].kernel, standing($0)) }
    for (column, q) in [(C.median, 0.5), (C.p90, 0.9), (C.p999, 0.999)] {
      table.add(column) { standing($0).size(parts[$0].kernel.quantileUlp(q)) }
    }
    table.addBound {
      BoundFigures(
        bound: parts[$0].bound, kind: "\(parts[$0].bound)", ulp: parts[$0].boundUlp,
        statistics: parts[$0].kernel, standing: standing($0))
    }
    table.add(C.count) { .count(parts[$0].kernel.count) }
    table.add(C.pattern) { p in
      guard let pattern = pattern(p) else { return .data(.none) }
      return Cell(text: pattern.text, value: .text(pattern.text))
    }
    table.add(C.hypotheses) { _ in .data(.list(hypotheses.map(Self.value))) }
    table.add(C.plan) { _ in .data(.text(promised.joined(separator: "; "))) }
    table.add(ErrorColumns.certificate) { _ in .data(.certificate(certificate)) }
    table.add(ErrorColumns.witness) { .data(.witness(parts[$0].kernel.witness, .float(formats[$0]))) }
    return table
  }

  private func standing(_ p: Int) -> Standing {
    Standing(parts[p].kernel, overflowedInputs: overflowedInputs, dtype: .float(formats[p]))
  }

  private func pattern(_ p: Int) -> WrongPattern? {
    places.indices.contains(p) ? places[p].pattern(of: parts[p].wrong) : nil
  }
}

extension VerifyReport {
  /// Which plan counts, and which the figures fit.
  private var planNotes: [String] {
    var notes: [String] = []
    for p in parts.indices.dropFirst() where parts[p].bound == .none {
      notes.append("of \(partNames[p]) no bound is derived: special values alone are checked")
    }
    if let first = promised.first {
      let more = promised.count > 1 ? " and \(promised.count - 1) more, whichever allows most" : ""
      notes.append("held to\(claims.isEmpty ? "" : " what is claimed"): \(first)\(more)")
    }
    let fitting = fits.filter(\.fits).sorted { $0.boundUlp < $1.boundUlp }
    if let best = fitting.first {
      notes.append(
        "fits: \(best.name) (bound \(Figures.short(best.boundUlp)) ulp)"
          + (fitting.count > 1 ? " and \(fitting.count - 1) of \(fits.count - 1) other plans" : "")
          + ", on \(Figures.count(best.items)) \(itemNoun)\(best.items == 1 ? "" : "s")")
    } else if !fits.isEmpty {
      notes.append("fits: none of \(fits.count) plans that kernels have")
    }
    return notes
  }

  /// The plans that figures were tried on.
  private var planTable: Table {
    typealias C = VerifyColumns
    var table = Table("plans", rows: fits.count, for: .machines)
    table.add(C.planName) { .text(fits[$0].name) }
    table.add(C.planFits) { .flag(fits[$0].fits) }
    table.add(C.planWrong) { .count(fits[$0].wrong) }
    table.add(C.planBound) { .number(fits[$0].boundUlp) }
    return table
  }

  /// The worst of what is wrong.
  private var elements: Table {
    typealias C = VerifyColumns
    let all = parts.indices.flatMap { p in parts[p].wrong.worst.map { (p, $0) } }
    var table = Table("wrong", rows: all.count)
    table.title = "the worst of what is wrong"
    if parts.count > 1 { table.add(C.part) { .text(partNames[all[$0].0]) } }
    table.add(C.row) { .count(all[$0].1.row) }
    table.add(C.index) { .count(all[$0].1.index) }
    func spelled(_ x: Double, _ dtype: DType) -> Cell {
      let bits = Figures.bits(x, dtype).map { " (\($0))" } ?? ""
      return Cell(text: Figures.short(x) + bits, value: .spelled(x, dtype))
    }
    table.add(C.computed) { spelled(all[$0].1.computed, .float(formats[all[$0].0])) }
    table.add(C.exact) { Cell(text: Figures.number(all[$0].1.exact), value: .number(all[$0].1.exact)) }
    table.add(C.error) { .number(all[$0].1.ulp, unless: "a wrong special value") }
    table.add(C.allowed) { .number(all[$0].1.bound, unless: "there is no bound") }
    return table
  }

  /// Where wrong results stand, part by part.
  private var whereLines: [String] {
    parts.indices.compactMap { p in
      guard parts[p].wrong.count > 0 else { return nil }
      let name = partNames[p].isEmpty ? "" : "\(partNames[p]): "
      let wrong = parts[p].wrong
      let share = "\(Figures.count(wrong.count)) of \(Figures.count(parts[p].kernel.count)) results"
      return
        "wrong: \(name)\(share), \(pattern(p)?.text ?? "here and there in \(Figures.count(wrong.rowCount)) rows")"
    }
  }

  /// What the kernel got wrong, a line each.
  private var hypothesisLines: [String] {
    hypotheses.map { fit in
      if fit.isSign { return "shows \"\(fit.name)\": \(fit.evidence)" }
      let rest = fit.items == 1 ? "row" : "rows"
      return
        "fits \"\(fit.name)\" within \(Figures.short(fit.maxUlp)) ulp (0 of \(Figures.count(fit.results)) results "
        + "in \(Figures.count(fit.items)) \(rest) above the bound); as asked: "
        + (fit.asked.aboveBound > 0
          ? "\(Figures.count(fit.asked.aboveBound)) above it"
          : "none above it, but off by \(Figures.short(fit.asked.meanUlp)) ulp in the mean, not "
            + Figures.short(fit.meanUlp))
    }
  }

  private static func value(_ fit: HypothesisFit) -> JSONValue {
    .object([
      "name": .text(fit.name), "aboveBound": fit.isSign ? .none : .integer(fit.aboveBound),
      "results": fit.isSign ? .none : .integer(fit.results),
      "ulp": .object([
        "max": fit.maxUlp.isNaN ? .none : .number(fit.maxUlp),
        "mean": fit.meanUlp.isNaN ? .none : .number(fit.meanUlp),
      ]), "evidence": fit.isSign ? .text(fit.evidence) : .none,
    ])
  }

  /// What to claim where results are those of a right kernel that computes in another way than it is held to.
  private func otherPlan(_ part: JudgedPart) -> String {
    let fitting = fits.filter { $0.fits && !$0.claims.isEmpty }.min { $0.boundUlp < $1.boundUlp }
    guard part.kernel.wrongSpecials == 0, let fitting else { return "" }
    let found = "; they are within what \(fitting.name) may give"
    if claims.isEmpty { return "\(found): if yours is that, say --claims \(fitting.claims)" }
    return hypotheses.isEmpty ? "\(found), which is not what is claimed" : ""
  }

  /// What the likeliest hypotheses are called.
  private var names: String? {
    var list: [String] = []
    for fit in hypotheses where !list.contains(fit.name) { list.append(fit.name) }
    return list.isEmpty ? nil : list.prefix(2).joined(separator: ", or ")
  }

  /// One line that a person can act on.
  private var conclusion: String {
    var said: [String] = []
    for p in parts.indices {
      let part = parts[p]
      let name = partNames[p].isEmpty ? candidate : "\(candidate), \(partNames[p])"
      if let fault = part.fault {
        let reason = fault.sentence(rows: part.kernel.rows, policy: policy)
        said.append(
          "\(name) is wrong: \(reason)" + (pattern(p).map { ": \($0.text)" } ?? "")
            + (names.map { "; it looks like: \($0)" } ?? "") + (p == 0 ? otherPlan(part) : ""))
      } else if part.verdict == .bug, let names {
        said.append("\(name) is wrong, though no result is above its bound: \(names)")
      } else if part.kernel.finiteTruths == 0 {
        said.append("\(name): no row has a finite truth, nothing to measure")
      } else {
        let ulp = Figures.short(part.kernel.maxUlp)
        switch part.verdict {
        case .vacuous:
          said.append("\(name) errs by \(ulp) ulp at most, but the bound of this plan says nothing here")
        case .illConditioned:
          said.append(
            "\(name) is within its bound, \(ulp) ulp at most, yet the question is ill-conditioned here")
        default:
          let bound = part.bound == .sound ? ", bound \(Figures.short(part.boundUlp))" : ", no bound derived"
          said.append("\(name) holds: \(ulp) ulp at most\(bound)")
        }
      }
    }
    return said.joined(separator: "; ")
  }
}
