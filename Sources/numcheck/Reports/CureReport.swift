import NumKit
import Quant
import Reports

/// What cures restore of the tensors of a run.
struct CureReport {
  /// A tensor and what was tried on it.
  struct Tensor {
    let name: String
    let rows: Int
    let columns: Int
    let study: CureStudy

    /// Its name, its size, and what is massive in it.
    var heading: String {
      var out = "\(name): \(Figures.count(rows)) x \(Figures.count(columns))"
      if let first = study.profile.massive.places.first {
        let n = study.profile.massive.count
        out += ", \(n == 1 ? "1 massive activation" : "\(Figures.count(n)) massive activations"), "
        out +=
          "the largest \(Figures.short(Double(first.value))) at token \(first.row), channel \(first.column)"
      }
      return out
    }
  }

  let tensors: [Tensor]
  let leftOut: [LeftOut]
  let facts: [Fact]
  /// Whether many cures are tried, to see which one to take.
  let isList: Bool
  /// The tokens that cures saw and those that products are judged by: how many, and max |a|.
  let tokens: (seen: (Int, Float), judging: (Int, Float))?

  private var isSingle: Bool { tensors.count == 1 && leftOut.isEmpty }

  var report: Report {
    var report = Report("quantize --cure")
    report.facts = facts
    var input = InputCount()
    for tensor in tensors {
      let own = InputCount(tensor.study.profile)
      input.merge(own)
      report.findings += own.findings(isSingle ? "" : tensor.name)
    }
    report.facts += input.facts
    report.title =
      isSingle
      ? tensors[0].heading
      : "\(Figures.count(tensors.count)) \(tensors.count == 1 ? "tensor" : "tensors")"
    if let tokens {
      report.notes = [
        "cures saw \(Figures.count(tokens.seen.0)) tokens of the activations, |a| up to "
          + "\(Figures.short(Double(tokens.seen.1))); output dB is that of the other "
          + "\(Figures.count(tokens.judging.0)), |a| up to \(Figures.short(Double(tokens.judging.1)))"
      ]
    }
    for tensor in tensors {
      report.sections += tensor.study.groups.map { section($0, tensor) }
      report.findings += tensor.study.skipped.map { notTried($0, tensor) }
    }
    report.add(tensorTable)
    report.findings =
      LeftOut.lacks(leftOut) + report.findings + leftOut.filter { $0.lack == nil }.map(\.finding)
    return report
  }

  private func place(_ name: String, _ tensor: Tensor) -> String {
    isSingle ? name : "\(tensor.name) \(name)"
  }

  private func notTried(_ one: SkippedTreatment, _ tensor: Tensor) -> Finding {
    Finding("not-tried", place(one.name, tensor), one.reason, leads: false)
  }

  private func section(_ group: CureGroup, _ tensor: Tensor) -> Section {
    let isOne = tensor.study.groups.count == 1
    var section = Section(
      title: [isSingle ? "" : tensor.heading, isOne ? "" : group.plain.name].filter { !$0.isEmpty }
        .joined(separator: ", "))
    if let finding = finding(group, tensor) { section.findings.append(finding) }
    let table = table(group, tensor)
    section.blocks = [.table(table)]
    section.charts = [.bars("what each treatment makes of the tensor", of: table, [SchemeColumns.sqnr])]
    section.findings += group.skipped.map { notTried($0, tensor) }
    guard isList else { return section }
    section.findings += group.sacrificing.map {
      Finding(
        "sacrifice", place($0.name, tensor),
        "not to be taken, the whole is worse for it: the massive ones are clipped or lost", leads: false)
    }
    section.conclusion = recommendation(group)
    return section
  }

  private func table(_ group: CureGroup, _ tensor: Tensor) -> Table {
    typealias S = SchemeColumns
    let profile = tensor.study.profile
    let results = isList ? group.ranking : [group.plain] + group.treated
    let best = isList ? group.best?.name : nil
    var table = Table(rows: results.count)
    table.add(isSingle ? S.tensor : S.tensorKey) { _ in .text(tensor.name) }
    table.add(S.plainScheme) { _ in .text(group.plain.name) }
    table.add(S.treatment) { .text(results[$0].name) }
    table.add(S.bits) { .number(results[$0].bitsPerWeight) }
    table.add(S.lost) { .count(results[$0].statistics.lostCount) }
    table.add(S.sqnr) { .error(results[$0].statistics, results[$0].statistics.sqnr) }
    table.add(S.rest) { i in
      var cell = Cell.error(results[i].rest, results[i].rest.sqnr)
      if profile.massive.count == 0 { cell.text = Cell.dash }
      return cell
    }
    table.add(S.restored) { i in
      let restored = group.restored(results[i])
      var cell = Cell.number(restored, unless: "there is nothing to compare")
      if i == 0 { cell.text = "" } else if restored > 0 { cell.text = "+" + cell.text }
      return cell
    }
    table.add(S.restFlushed) { i in
      .share(
        results[i].flushed, of: results[i].rest.count - profile.massive.count,
        unless: "all of it is massive")
    }
    table.add(S.maxAbsolute) {
      .error(results[$0].statistics, results[$0].statistics.maxAbsoluteError)
    }
    if tensor.study.groups.contains(where: { $0.plain.outputSqnr != nil }) {
      table.add(S.output) { i in
        results[i].outputSqnr.map { .number($0, unless: "the product is not finite") }
          ?? .none("there are no activations")
      }
    }
    table.add(S.take) { .flag(results[$0].name == best) }
    table.add(S.sacrifices) { .flag($0 > 0 && group.sacrifices(results[$0])) }
    return table
  }

  /// What machines find of each tensor.
  private var tensorTable: Table {
    typealias S = SchemeColumns
    var table = Table("tensors", rows: tensors.count, for: .machines)
    table.add(S.tensor) { .text(tensors[$0].name) }
    table.add(S.rows) { .count(tensors[$0].rows) }
    table.add(S.length) { .count(tensors[$0].columns) }
    table.add(S.nonFinite) { i in
      let p = tensors[i].study.profile
      return .count(p.nanCount + p.infiniteCount)
    }
    table.add(S.massive) { .count(tensors[$0].study.profile.massive.count) }
    return table
  }

  private func finding(_ group: CureGroup, _ tensor: Tensor) -> Finding? {
    let (plain, profile) = (group.plain, tensor.study.profile)
    let lost = plain.statistics.lostCount
    if lost > 0 {
      return Finding(
        "lost", place(plain.name, tensor),
        "makes \(Figures.count(lost)) finite \(lost == 1 ? "number" : "numbers") NaN or infinite")
    }
    guard profile.massive.count > 0 else { return nil }
    return Finding(
      "flushed", place(plain.name, tensor),
      "leaves \(Figures.percent(plain.flushed, of: plain.rest.count - profile.massive.count)) of the rest at zero: "
        + "SQNR \(Figures.short(plain.rest.sqnr)) dB without the massive ones, who alone carry the "
        + "\(Figures.short(plain.statistics.sqnr)) dB of the whole")
  }

  private func recommendation(_ group: CureGroup) -> String {
    guard let best = group.best else {
      return
        "nothing tried helps \(group.plain.name) by more than \(Figures.number(CureGroup.leastRestored)) dB and "
        + "\(Figures.number(CureGroup.decibelsPerBit)) dB a bit"
    }
    let more = best.bitsPerWeight - group.plain.bitsPerWeight
    let cost =
      more < -0.0005
      ? "for \(Figures.short(-more)) bits an element less"
      : more < 0.0005 ? "for no bits more" : "for \(Figures.short(more)) bits an element more"
    let before = group.plain.statistics.lostCount
    let saved = before - best.statistics.lostCount
    let merit =
      saved > 0
      ? "it saves \(Figures.count(saved)) of the \(Figures.count(before)) lost"
      : "it restores \(Figures.short(group.restored(best))) dB"
    return "take \(best.name): \(merit) \(cost)"
  }
}
