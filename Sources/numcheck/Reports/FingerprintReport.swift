import Fingerprints
import NumKit
import Reports

/// How a kernel computes, trait by trait.
struct FingerprintReport {
  let fingerprint: KernelFingerprint
  /// What it is called.
  let kernel: String
  let claims: PlanClaims?
  let comparison: FingerprintComparison?
  /// The file compared with.
  let against: String

  private typealias C = FingerprintColumns

  var report: Report {
    let f = fingerprint
    var report = Report(
      "fingerprint", title: "\(f.operation) in \(f.dtype): \(kernel), \(Figures.count(f.length)) terms a sum")
    let undecided = f.traits.filter { $0.value == nil }
    report.facts = [
      Fact("operation", .text(f.operation)), Fact("dtype", .text(f.dtype), inRows: true),
      Fact("length", .integer(f.length), inRows: true), Fact("kernel", .text(kernel)),
      Fact("undecided", .integer(undecided.count)), Fact("tree", f.tree.map { .text($0.text) } ?? .none),
      Fact("sample.ulp", .number(f.sampleUlp)),
      Fact("sample.wrong", f.sampleWrong.map { .integer($0) } ?? .none),
    ]
    report.add(table)
    if let comparison { compare(comparison, &report) }
    if let claims { hold(claims, &report) }
    report.answers = Answers(
      bitWidth: DType(f.dtype)?.numberFormat?.bitWidth ?? 64, codes: f.sample, beyondBound: f.sampleWrong)
    if let wrong = f.sampleWrong, wrong > 0 {
      let words =
        "\(wrong) of \(f.sample.count) results of fixed inputs err by more than a right kernel may that computes so"
      if comparison?.keepsBound == false {
        report.checks.append(
          Check(
            "sample.wrong==0", "", .failed, value: .integer(wrong), limit: .number(0), message: words,
            implied: true))
      } else {
        report.findings.append(Finding("wrong", "", words, warns: true))
      }
    }
    if report.checks.isEmpty, let first = report.gaps.first {
      // A claim that cannot be decided has nothing to be held against.
      report.checks.append(
        Check("claims", "", .withoutValue, value: .none, limit: .text("confirmed"), message: first))
    }
    report.conclusion = conclusion
    return report
  }

  private var table: Table {
    let traits = fingerprint.traits
    var table = Table(rows: traits.count)
    table.add(C.trait) { .text(traits[$0].name) }
    table.add(C.value) { i in
      traits[i].value.map { .text($0.text) } ?? .none(traits[i].evidence, text: "not decidable")
    }
    table.add(C.probe) { .text(traits[$0].evidence) }
    return table
  }

  private func hold(_ claims: PlanClaims, _ report: inout Report) {
    var lines: [String] = []
    var open: [String] = []
    for claim in claims.list {
      let verdict = PlanClaims.verdict(claim, fingerprint)
      let trait = fingerprint[claim.name.replacing("-", with: " ")]
      let name = "\(claim.name)=\(claim.value)"
      let found = trait?.value?.text ?? "not decidable"
      lines.append("\(name): \(verdict.rawValue)" + (verdict == .confirmed ? "" : ", \(found)"))
      switch verdict {
      case .undecided:
        open.append(
          "\(name) is not decidable: \(trait?.evidence ?? "no such trait of \(fingerprint.operation)")")
      case .confirmed, .refuted:
        report.checks.append(
          Check(
            "claim:\(name)", "", verdict == .confirmed ? .passed : .failed, value: .text(found),
            limit: .text(claim.value),
            message: verdict == .confirmed ? "" : "claimed \(name), found \(found): \(trait?.evidence ?? "")")
        )
      }
    }
    report.notes += lines
    report.gaps += open
  }

  private func compare(_ c: FingerprintComparison, _ report: inout Report) {
    report.facts += [
      Fact("against.file", .text(against)), Fact("against.changed", .integer(c.changes.count)),
      Fact("against.bitsMoved", .integer(c.bitsMoved)), Fact("against.resultsMoved", .integer(c.movedCount)),
      Fact("against.boundKept", c.keepsBound.map { .flag($0) } ?? .none),
    ]
    report.notes.append("against \(against): \(c.line)")
    var table = Table("changes", rows: c.changes.count, for: .machines)
    table.add(C.trait) { .text(c.changes[$0].name) }
    table.add(C.before) { .text(c.changes[$0].before) }
    table.add(C.after) { .text(c.changes[$0].after) }
    report.add(table)
  }

  private var conclusion: String {
    var parts: [String] = []
    if let comparison { parts.append(comparison.line) }
    if let claims {
      let verdicts = claims.list.map { ($0, PlanClaims.verdict($0, fingerprint)) }
      func names(_ verdict: PlanClaims.Verdict) -> [String] {
        verdicts.filter { $0.1 == verdict }.map { "\($0.0.name)=\($0.0.value)" }
      }
      for verdict in [PlanClaims.Verdict.refuted, .undecided, .confirmed] where !names(verdict).isEmpty {
        parts.append("\(Figures.list(names(verdict))) \(verdict.rawValue)")
      }
    }
    if parts.isEmpty {
      let decided = fingerprint.traits.filter { $0.value != nil }.count
      parts.append("\(decided) of \(fingerprint.traits.count) traits decided")
      if let order = fingerprint["order"]?.value?.text { parts.append("summed \(order)") }
      if let bits = fingerprint["accumulate"]?.value?.text { parts.append("in \(bits)") }
      return parts.joined(separator: ", ")
    }
    return parts.joined(separator: "; ")
  }
}
