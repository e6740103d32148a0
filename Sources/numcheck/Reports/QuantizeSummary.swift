import NumKit
import Quant
import Reports

/// What schemes cost a whole model: by scheme, kind and layer, the worst first, then tensor by tensor.
struct QuantizeSummary {
  private let tensors: [QuantizeReport.Tensor]
  private let limits: SchemeLimits?
  /// The prices that tables are about: what is recommended of each tensor, or the schemes that were asked for, or of all schemes
  /// those that are best for their size.
  private let rows: [Row]
  private let totals: [Group]
  /// How many schemes the other tables are about, where those are not all.
  private var chosen: Int?

  private struct Row {
    let tensor: QuantizeReport.Tensor
    let place: ModelPlace
    let entry: SchemeStudy.Entry

    /// ‖error‖²/‖tensor‖²; NaN where that is none.
    var noise: Double {
      let s = entry.statistics
      return s.isAllLost || s.energy == 0 ? .nan : s.squaredError / s.energy
    }
    var count: Int { tensor.rows * tensor.columns }
  }

  private struct Group {
    let name: String
    let scheme: String
    let rows: [Row]

    private var measured: [Row] { rows.filter { !$0.noise.isNaN } }
    /// Of the mean relative error, each tensor counting once.
    var sqnr: Double {
      measured.isEmpty
        ? .nan : SampledCost.decibels(measured.reduce(0) { $0 + $1.noise } / Double(measured.count))
    }
    var bits: Double {
      rows.reduce(0) { $0 + $1.entry.bitsPerWeight * Double($1.count) }
        / Double(max(1, rows.reduce(0) { $0 + $1.count }))
    }
    var lost: Int { rows.reduce(0) { $0 + $1.entry.statistics.lostCount } }
    var worst: Row? { measured.max { $0.noise < $1.noise } }
  }

  private static let mostSchemes = 4

  init(_ tensors: [QuantizeReport.Tensor], limits: SchemeLimits?, schemeCount: Int?) {
    self.tensors = tensors
    self.limits = limits
    let places = tensors.map { ModelPlace(TensorList.bareName($0.name)) }
    func all(_ isWanted: (QuantizeReport.Tensor, SchemeStudy.Entry) -> Bool) -> [Row] {
      zip(tensors, places).flatMap { tensor, place in
        tensor.study.entries.filter { isWanted(tensor, $0) }.map {
          Row(tensor: tensor, place: place, entry: $0)
        }
      }
    }
    let totals = Self.groups(all { _, _ in true }) { _ in "" }
    self.totals = totals
    if let limits {
      rows = zip(tensors, places).compactMap { tensor, place in
        tensor.study.recommended(limits).map { Row(tensor: tensor, place: place, entry: $0) }
      }
      return
    }
    if let schemeCount, schemeCount <= Self.mostSchemes {
      rows = all { _, _ in true }
      return
    }
    // Best over all tensors, of those that fit all.
    let whole = totals.filter { $0.rows.count == tensors.count }
    let named = zip(whole, Self.best(whole)).filter(\.1).map(\.0).sorted { $0.bits < $1.bits }.map(\.scheme)
    let step = max(1, (named.count + Self.mostSchemes - 1) / Self.mostSchemes)
    let shown = Set(named.enumerated().filter { $0.offset % step == 0 }.map(\.element))
    rows = all { _, entry in shown.contains(entry.name) }
    if shown.count < totals.count { chosen = shown.count }
  }

  /// By what `name` says and scheme, in the order in which they first come.
  private static func groups(_ rows: [Row], schemes: Bool = true, _ name: (Row) -> String) -> [Group] {
    struct Key: Hashable {
      let name: String
      let scheme: String
    }
    var order: [Key] = []
    var members: [Key: [Row]] = [:]
    for row in rows {
      let key = Key(name: name(row), scheme: schemes ? row.entry.name : "")
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(row)
    }
    return order.map { Group(name: $0.name, scheme: $0.scheme, rows: members[$0] ?? []) }
  }

  /// Which groups no other beats that loses no number.
  private static func best(_ groups: [Group]) -> [Bool] {
    SchemeStudy.paretoBest(groups.map { ($0.bits, $0.sqnr, $0.lost == 0 && !$0.sqnr.isNaN) })
  }

  private var isWeight: Bool { tensors.allSatisfy(\.isWeight) }
  private func spelled(_ scheme: String) -> String { isWeight ? scheme.ofWeights : scheme }

  var notes: [String] {
    if limits != nil { return ["by kind and layer, the worst first, each tensor with the scheme to take"] }
    var notes = [
      "by kind and layer, the worst first; SQNR of several tensors is that of their mean relative error"
    ]
    if let chosen {
      notes.append("of \(totals.count) schemes \(chosen), best for their size (--scheme for others)")
    }
    return notes
  }

  /// The tables, of which `view` says how much is shown.
  func sections(_ view: ViewOptions) throws -> [Section] {
    var section = Section()
    let isGrouped = limits != nil
    let kinds = Self.groups(rows, schemes: !isGrouped) { $0.place.kind }
    let layers = Self.groups(rows.filter { $0.place.layer != nil }, schemes: !isGrouped) {
      $0.place.layer.map(String.init) ?? ""
    }
    var blocks: [Table] = []
    if !isGrouped { blocks.append(table("byScheme", "all tensors, by scheme", totals, nil)) }
    blocks.append(table("byKind", "by kind", kinds, PlanColumns.kindKey) { .text($0.name) })
    if !layers.isEmpty {
      blocks.append(table("byLayer", "by layer", layers, PlanColumns.layerKey) { .count(Int($0.name) ?? 0) })
    }
    for k in blocks.indices {
      let count = blocks[k].readingOrder.count
      if count <= Self.mostRows { continue }
      blocks[k].readingOrder = Array(blocks[k].readingOrder.prefix(Self.mostRows))
      blocks[k].title += " (\(Self.mostRows) of \(count))"
    }
    var results = tensorTable
    let arrangement = TableView(sort: view.sort, top: view.top, usual: SchemeColumns.sqnr, usualCount: 20)
    try arrangement.arrange(&results)
    blocks.append(results)
    section.blocks = blocks.map { .table($0) }
    if let hidden = arrangement.hiddenNote(results) { section.blocks.append(.lines([hidden])) }
    section.charts = charts(kinds)
    return [section]
  }

  private static let mostRows = 24

  private func table(
    _ key: String, _ title: String, _ groups: [Group], _ name: Column?,
    _ cell: (Group) -> Cell = { _ in .text("") }
  ) -> Table {
    typealias P = PlanColumns
    typealias S = SchemeColumns
    var table = Table(key, rows: groups.count)
    table.title = title
    if let name { table.add(name) { cell(groups[$0]) } }
    let isGrouped = limits != nil
    if isGrouped {
      table.add(P.schemes) { i in
        var counts: [String: Int] = [:]
        for row in groups[i].rows { counts[spelled(row.entry.name), default: 0] += 1 }
        return .text(
          counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
            .joined(separator: ", "))
      }
    } else {
      table.add(S.scheme) { Cell(text: spelled(groups[$0].scheme), value: .text(groups[$0].scheme)) }
    }
    table.add(P.tensors) { .count(groups[$0].rows.count) }
    table.add(S.bits) { .number(groups[$0].bits) }
    table.add(S.sqnr) { .number(groups[$0].sqnr, unless: "nothing is left of it, or it is all 0") }
    table.add(S.lost) { .count(groups[$0].lost) }
    table.add(P.worst) { i in
      let worst = groups[i].worst
      return Cell(text: worst?.place.shown ?? "", value: .text(worst?.tensor.name ?? ""))
    }
    table.add(P.worstSqnr) {
      .number(groups[$0].worst?.entry.statistics.sqnr ?? .nan, unless: "there is none")
    }
    if name != nil {
      func value(_ i: Int) -> Double { groups[i].sqnr.isNaN ? -.infinity : groups[i].sqnr }
      table.readingOrder.sort { (value($0), $0) < (value($1), $1) }
    } else {
      table.readingOrder.sort { (groups[$0].bits, $0) < (groups[$1].bits, $1) }
    }
    return table
  }

  /// A row a tensor and scheme, for people: machines find it in the results.
  private var tensorTable: Table {
    typealias S = SchemeColumns
    var table = Table("results", rows: rows.count, for: .people)
    table.title = limits != nil ? "the scheme to take, tensor by tensor" : "tensor by tensor"
    let shown = Column("tensor", "tensor", .decides, "the tensor", align: .left, key: true)
    table.add(shown) { Cell(text: rows[$0].place.shown, value: .text(rows[$0].tensor.name)) }
    table.add(S.scheme) { Cell(text: spelled(rows[$0].entry.name), value: .text(rows[$0].entry.name)) }
    table.add(S.bits) { .number(rows[$0].entry.bitsPerWeight) }
    table.add(S.lost) { .count(rows[$0].entry.statistics.lostCount) }
    table.add(S.sqnr) { .error(rows[$0].entry.statistics, rows[$0].entry.statistics.sqnr) }
    table.add(S.maxAbsolute) { .error(rows[$0].entry.statistics, rows[$0].entry.statistics.maxAbsoluteError) }
    table.add(S.relativeL2) { .error(rows[$0].entry.statistics, rows[$0].entry.statistics.relativeL2) }
    table.add(S.cosine) { i in
      var cell = Cell.error(rows[i].entry.statistics, rows[i].entry.statistics.cosine)
      cell.shortenCosine()
      return cell
    }
    return table
  }

  private func charts(_ kinds: [Group]) -> [Chart] {
    var list: [Chart] = []
    let whole = totals.filter { $0.rows.count == tensors.count && $0.sqnr.isFinite }
    if limits == nil, whole.count > 1 {
      let best = Self.best(whole)
      var chart = Chart(
        .points, "what bits buy, over all tensors", x: .init("bits", unit: "bits"),
        y: .init("SQNR", unit: "dB"),
        [
          .init(
            "",
            zip(whole, best).map {
              .init(x: $0.bits, y: $0.sqnr, label: spelled($0.scheme), marked: $1)
            })
        ])
      chart.markName = "best for their size"
      list.append(chart)
    }
    var schemes: [String] = []
    for row in rows where !schemes.contains(row.entry.name) { schemes.append(row.entry.name) }
    func cells(_ rows: [Row]) -> [(place: ModelPlace, value: Double, label: String)] {
      rows.map { ($0.place, $0.entry.statistics.sqnr, "\($0.tensor.name) as \(spelled($0.entry.name))") }
    }
    if limits != nil {
      list.append(
        .heat("SQNR of each tensor with the scheme to take", value: .init("SQNR", unit: "dB"), cells(rows)))
    } else {
      for scheme in schemes.prefix(Self.mostSchemes) {
        list.append(
          .heat(
            "SQNR of each tensor as \(spelled(scheme))", value: .init("SQNR", unit: "dB"),
            cells(rows.filter { $0.entry.name == scheme })))
      }
    }
    list.append(
      .lines(
        "SQNR over the layers", value: .init("SQNR", unit: "dB"),
        kinds.sorted { ($0.sqnr, $0.name) < ($1.sqnr, $1.name) }.map { group in
          (group.scheme.isEmpty ? group.name : "\(group.name) \(spelled(group.scheme))", cells(group.rows))
        }))
    return list
  }

  /// What to make of it; `spelled` are the limits.
  func conclusion(_ limits: String?) -> String {
    guard let limits else {
      guard let worst = rows.filter({ !$0.noise.isNaN }).max(by: { $0.noise < $1.noise }) else { return "" }
      return "the worst is \(worst.tensor.name) as \(spelled(worst.entry.name)): "
        + "\(Figures.short(worst.entry.statistics.sqnr)) dB; 'numcheck plan' chooses within a budget"
    }
    let missing = tensors.count - rows.count
    var counts: [String: Int] = [:]
    for row in rows { counts[spelled(row.entry.name), default: 0] += 1 }
    let taken = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
      "\($0.key) for \(Figures.count($0.value))"
    }
    return "take " + (taken.isEmpty ? "nothing" : taken.joined(separator: ", ")) + " (\(limits))"
      + (missing == 0 ? "" : "; no scheme keeps that for \(Figures.count(missing)) tensors")
  }
}
