import NumKit
import Quant
import Reports

/// What schemes cost the tensors of a run.
struct QuantizeReport {
  /// A tensor and the schemes that were tried on it.
  struct Tensor {
    let name: String
    let rows: Int
    let columns: Int
    let study: SchemeStudy
    /// Whether its rows are outputs: then scales of a row are called so.
    var isWeight = false

    /// A scheme's name as the tensor has it.
    func spelled(_ scheme: String) -> String { isWeight ? scheme.ofWeights : scheme }

    var size: String { "\(Figures.count(rows)) x \(Figures.count(columns))" }

    /// What no scheme can be blamed for.
    var input: InputCount { InputCount(study.nonFinite) }
    var nonFinite: Int { study.nonFinite.nan + study.nonFinite.infinite }
  }

  let tensors: [Tensor]
  /// Tensors that could not be read, and why.
  let leftOut: [LeftOut]
  /// What a recommendation must keep to; nil where none is asked for.
  let limits: SchemeLimits?
  /// How tensors were generated, or the file they are of.
  let facts: [Fact]
  /// How many schemes were asked for; nil for all there are.
  let schemeCount: Int?
  /// Whether a whole model shows each tensor's table.
  let showsAll: Bool
  let view: ViewOptions

  private var isSingle: Bool { tensors.count == 1 && leftOut.isEmpty }
  /// From so many tensors on it is a model, and a summary comes first.
  private static let fewest = 7
  private var isModel: Bool {
    // Who sorts tensors wants them in one table.
    tensors.count >= Self.fewest || tensors.count > 1 && (view.sort != nil || view.top != nil)
  }

  /// Throws `UsageError` for a figure to sort by that there is none of.
  func report() throws -> Report {
    var report = Report("quantize")
    report.facts = facts
    // Of all tensors together.
    var input = InputCount()
    for tensor in tensors { input.merge(tensor.input) }
    report.facts += input.facts
    if isSingle, let only = tensors.first {
      report.title = "\(only.name): \(only.size)"
      report.facts += [Fact("rows", .integer(only.rows)), Fact("length", .integer(only.columns))]
    } else {
      report.title = "\(Figures.count(tensors.count)) \(tensors.count == 1 ? "tensor" : "tensors")"
    }
    if isModel {
      let summary = QuantizeSummary(tensors, limits: limits, schemeCount: schemeCount)
      report.sections = try summary.sections(view)
      report.notes = summary.notes
      report.sections += showsAll ? tensors.map(section) : [machineSection]
      report.conclusion = summary.conclusion(limits.map(Self.spelled))
    } else {
      report.sections = try tensors.map { try arranged(section($0)) }
    }
    report.add(tensorTable)
    report.findings += LeftOut.lacks(leftOut)
    report.findings += isModel && !showsAll ? groupedFindings : []
    report.findings += LeftOut.findings(leftOut)
    guard let limits else { return report }
    report.checks = tensors.map { tensor in
      let found = tensor.study.recommended(limits)
      return Check(
        "recommended", isSingle ? "" : tensor.name, found == nil ? .failed : .passed,
        value: .optional(found.map { .text($0.name) }), limit: .text(Self.spelled(limits)),
        message: found == nil
          ? (isSingle ? "" : tensor.name + ": ") + "no scheme keeps the limits (\(Self.spelled(limits)))"
          : "",
        implied: true)
    }
    report.gaps = leftOut.filter { !$0.isExpected }.map { "no scheme is recommended for \($0)" }
    return report
  }

  /// A section whose table shows what --sort and --top say.
  private func arranged(_ section: Section) throws -> Section {
    guard view.sort != nil || view.top != nil else { return section }
    var section = section
    let view = TableView(sort: view.sort, top: view.top)
    section.blocks = try section.blocks.map { block in
      guard case .table(var table) = block else { return block }
      try view.arrange(&table)
      if let note = view.hiddenNote(table) { section.notes.append(note) }
      return .table(table)
    }
    return section
  }

  /// What machines find of each tensor, which people see in the summary.
  private var machineSection: Section {
    var section = Section()
    section.blocks = tensors.map { tensor in
      var table = Self.table(tensor, isSingle: false)
      table.audience = .machines
      return .table(table)
    }
    return section
  }

  /// What is to be known of the tensors, alike things together.
  private var groupedFindings: [Finding] {
    var list: [Finding] = []
    for tensor in tensors { list += tensor.input.findings(tensor.name, "; no figure is of them") }
    let all = tensors.map(section).flatMap(\.findings)
    for kind in ["scales", "disagreement", "not-tried"] {
      let found = all.filter { $0.kind == kind }
      // By their words without numbers.
      var order: [String] = []
      var groups: [String: [Finding]] = [:]
      for one in found {
        let key = one.message.replacing(/[0-9][0-9.,e-]*/, with: "N")
        if groups[key] == nil { order.append(key) }
        groups[key, default: []].append(one)
      }
      for key in order.prefix(kind == "not-tried" ? 3 : 6) {
        guard let group = groups[key], let first = group.first else { continue }
        let more = group.count > 1 ? "; so \(Figures.count(group.count)) in all" : ""
        list.append(
          Finding(kind, first.place, first.message + more, leads: kind == "scales", warns: kind == "scales"))
      }
      if order.count > (kind == "not-tried" ? 3 : 6) {
        list.append(Finding(kind, "", "and others: --details", leads: false))
      }
    }
    return list
  }

  private func section(_ tensor: Tensor) -> Section {
    var section = Section(title: isSingle ? "" : "\(tensor.name): \(tensor.size)")
    func place(_ scheme: String) -> String {
      let scheme = tensor.spelled(scheme)
      return isSingle ? scheme : "\(tensor.name) \(scheme)"
    }
    section.findings = tensor.input.findings(isSingle ? "" : tensor.name, "; no figure is of them")
    section.findings += tensor.study.entries.compactMap {
      scaleFinding($0, place($0.name))
    }
    let table = Self.table(tensor, isSingle: isSingle)
    section.blocks = [.table(table)]
    section.charts = [.tradeOff(table)]
    for e in tensor.study.entries {
      section.findings += e.measurement.disagreements().map {
        Finding("disagreement", place(e.name), "\($0)", leads: false)
      }
    }
    section.findings += tensor.study.skipped.map {
      Finding("not-tried", place($0.name), $0.reason, leads: false)
    }
    section.conclusion = conclusion(tensor)
    return section
  }

  /// What is wrong with what a scheme stores beside its codes.
  private func scaleFinding(_ entry: SchemeStudy.Entry, _ place: String) -> Finding? {
    let faults = entry.measurement.scaleFaults
    var parts: [String] = []
    func say(_ n: Int, _ what: String) {
      if n > 0 { parts.append("\(Figures.count(n)) \(n == 1 ? "block" : "blocks") \(what)") }
    }
    say(faults.overflowed, "with a scale or sum that is infinite as stored")
    say(faults.underflowed, "whose scale is too small: nothing is left of them")
    say(faults.nan, "with a scale or sum that is NaN as stored")
    return parts.isEmpty ? nil : Finding("scales", place, parts.joined(separator: ", "), warns: true)
  }

  /// A row a scheme.
  static func table(_ tensor: Tensor, isSingle: Bool) -> Table {
    typealias S = SchemeColumns
    let entries = tensor.study.entries
    var table = Table(rows: entries.count)
    func figure(_ i: Int, _ x: (ErrorSums) -> Double) -> Cell {
      .error(entries[i].statistics, x(entries[i].statistics))
    }
    table.add(isSingle ? S.tensor : S.tensorKey) { _ in .text(tensor.name) }
    table.add(S.scheme) { Cell(text: tensor.spelled(entries[$0].name), value: .text(entries[$0].name)) }
    table.add(S.pareto) { .flag(entries[$0].isParetoBest, yes: "*", no: "") }
    table.add(S.bits) { .number(entries[$0].bitsPerWeight) }
    table.add(S.lost) { .count(entries[$0].statistics.lostCount) }
    table.add(S.scaleOverflow) { .count(entries[$0].measurement.scaleFaults.overflowed) }
    table.add(S.scaleUnderflow) { .count(entries[$0].measurement.scaleFaults.underflowed) }
    table.add(S.scaleNaN) { .count(entries[$0].measurement.scaleFaults.nan) }
    table.add(S.sqnr) { figure($0) { $0.sqnr } }
    table.add(S.mse) { figure($0) { $0.mse } }
    table.add(S.maxAbsolute) { figure($0) { $0.maxAbsoluteError } }
    table.add(S.relativeL1) { figure($0) { $0.relativeL1 } }
    table.add(S.relativeL2) { figure($0) { $0.relativeL2 } }
    table.add(S.cosine) { i in
      var cell = figure(i) { $0.cosine }
      cell.shortenCosine()
      return cell
    }
    table.add(S.divergence) { i in
      let d = entries[i].measurement.divergence
      return d.rows == 0 ? .none("no row of the sample is finite") : .number(d.mean)
    }
    addFloors(to: &table, entries)
    addSplit(to: &table, entries)
    table.add(S.worstChannel) { .place(entries[$0].measurement.places.channel) { "\($0.column)" } }
    table.add(S.worstBlock) { .place(entries[$0].measurement.places.block) { "\($0.row),\($0.column)" } }
    table.add(S.warnings) { i in
      .data(.list(entries[i].measurement.disagreements().map { .text($0.description) }))
    }
    return table
  }

  private static func addFloors(to table: inout Table, _ entries: [SchemeStudy.Entry]) {
    typealias S = SchemeColumns
    func number(_ x: Double?) -> Cell {
      x.map { .number($0, unless: "no element is finite") } ?? .none("the tensor has no distribution")
    }
    table.add(S.overFloor) { i in
      let e = entries[i]
      if e.statistics.isAllLost { return .spoiled("every number became NaN or infinite") }
      return e.floor?.decibelsAboveLloydMax(e.statistics.mse).map { .number($0) }
        ?? .none("the error, or that of Lloyd-Max, is 0")
    }
    table.add(S.lloydMax) { number(entries[$0].floor?.lloydMax) }
    table.add(S.gaussianBound) { number(entries[$0].floor?.gaussianBound) }
  }

  /// Where the squared error comes from: shares for people, the parts themselves for machines.
  private static func addSplit(to table: inout Table, _ entries: [SchemeStudy.Entry]) {
    typealias S = SchemeColumns
    let parts: [(Column, KeyPath<ErrorSplit, Double>)] = [
      (S.rounding, \.elementRounding), (S.clipping, \.clipping), (S.flushed, \.flushToZero),
      (S.scales, \.scaleRounding),
    ]
    // Where the scales have a share the others do not sum to 100 without it: all four must be seen.
    let scalesCount = entries.contains {
      guard let split = $0.measurement.split, $0.measurement.splitsScale else { return false }
      return split.scaleRounding.magnitude > 5e-4 * split.total
    }
    for (column, part) in parts {
      let column = scalesCount ? column.deciding : column
      table.add(column) { i in
        let m = entries[i].measurement
        guard let split = m.split else { return .none("the scheme does not tell what its blocks can say") }
        if part == \ErrorSplit.scaleRounding, !m.splitsScale {
          return .none("scales and codes are searched together: theirs counts as rounding")
        }
        return .part(split[keyPath: part], of: split.total)
      }
    }
    table.add(S.splitTotal) { i in
      entries[i].measurement.split.map { .data(.number($0.total)) }
        ?? .none("the scheme does not tell what its blocks can say")
    }
  }

  /// What machines find of each tensor.
  private var tensorTable: Table {
    typealias S = SchemeColumns
    var table = Table("tensors", rows: tensors.count, for: .machines)
    table.add(S.tensor) { .text(tensors[$0].name) }
    table.add(S.rows) { .count(tensors[$0].rows) }
    table.add(S.length) { .count(tensors[$0].columns) }
    table.add(S.nonFinite) { .count(tensors[$0].nonFinite) }
    table.add(S.recommended) { i in
      limits.flatMap { tensors[i].study.recommended($0) }.map { .text($0.name) }
        ?? .none(limits == nil ? "none was asked for" : "no scheme keeps the limits")
    }
    table.add(S.conclusion) { .text(conclusion(tensors[$0])) }
    return table
  }

  private static func spelled(_ limits: SchemeLimits) -> String {
    [
      limits.maxBits.map { "at most \(Figures.number($0)) \($0 == 1 ? "bit" : "bits")" },
      limits.minSqnr.map { "at least \(Figures.number($0)) dB" },
    ].compactMap { $0 }.joined(separator: ", ")
  }

  private func conclusion(_ tensor: Tensor) -> String {
    if tensor.study.entries.isEmpty { return "no scheme fits \(tensor.size)" }
    guard let limits else {
      let best = tensor.study.entries.filter(\.isParetoBest).map(\.name)
      if best.isEmpty { return "none keeps every number finite and every scale" }
      return "best for their size (*): " + best.map(tensor.spelled).joined(separator: ", ")
    }
    guard let found = tensor.study.recommended(limits) else {
      return "no scheme has \(Self.spelled(limits))"
    }
    let what = isSingle ? "" : " for \(tensor.name)"
    return "take \(tensor.spelled(found.name))\(what): \(Figures.short(found.bitsPerWeight)) bits, "
      + "\(Figures.short(found.statistics.sqnr)) dB (\(Self.spelled(limits)))"
  }
}

extension Cell {
  /// A cosine near 1 says more by what it lacks.
  mutating func shortenCosine() {
    if let x = value.double, x >= 0.9995, x < 1 { text = "1 - \(Figures.short(1 - x))" }
  }

  /// A figure of an error: none where every number was lost, and no pass where some were.
  static func error(_ statistics: ErrorSums, _ x: Double) -> Cell {
    let lost = statistics.lostCount
    if statistics.isAllLost { return .spoiled("every number became NaN or infinite") }
    return .number(
      x, unless: "no element is finite",
      caveat: lost == 0
        ? nil : "\(Figures.count(lost)) finite \(lost == 1 ? "number" : "numbers") became NaN or infinite")
  }

  /// A part of a sum as percent, for machines itself. What is only the rounding of the measures themselves shows as 0.
  static func part(_ part: Double, of total: Double) -> Cell {
    guard total > 0 else { return Cell(text: "0 %", value: .number(part)) }
    let share = 100 * part / total
    return Cell(
      text: share.magnitude < 1e-6 ? "0 %" : "\(Figures.short(share)) %", value: .number(part))
  }

  /// A part of a tensor and its relative error.
  static func place(_ place: ErrorPlace?, _ name: (ErrorPlace) -> String) -> Cell {
    guard let p = place else { return .none("there is no error") }
    return Cell(
      text: "\(name(p)): \(Figures.short(p.relativeL2))",
      value: .object([
        "row": .integer(p.row), "column": .integer(p.column), "width": .integer(p.width),
        "squaredError": .number(p.squaredError), "relativeL2": .number(p.relativeL2),
      ]))
  }
}
