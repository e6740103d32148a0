import Guests
import NumKit
import Quant
import Reports

/// Of models: what each file, kind and layer lost, the worst first.
extension CompareReport {
  /// Whether it is models that are compared: weights by their names, several of them.
  var isModel: Bool {
    entries.count > 8 && 2 * entries.count { TensorRole.isWeight($0.pair.name) } > entries.count
  }

  /// What sorts a tensor: its relative error; what has none last, what lost everything first.
  func worse(_ entry: Entry) -> Double {
    entry.difference.sums.isAllLost ? .infinity : entry.noise.isNaN ? -1 : entry.noise
  }

  /// What is quantized already.
  var quantized: [Finding] {
    var list: [Finding] = []
    for (which, name) in [(true, first)] + seconds.map({ (false, $0) }) {
      var counts: [String: Int] = [:]
      for entry in entries where which || entry.file == name {
        let isCoded = which ? entry.pair.isQuantized.first : entry.pair.isQuantized.second
        let view = which ? entry.pair.first : entry.pair.second
        // The first is the same beside each of the others.
        if isCoded, !which || entry.file == seconds.first { counts[view.elementType.name, default: 0] += 1 }
      }
      if counts.isEmpty { continue }
      let types = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
      list.append(
        Finding(
          "already-quantized", name,
          "tensors in blocks, compared as what they decode to: \(types.joined(separator: ", "))"
            + (which ? "; what they lost before is in neither" : ""), leads: which, warns: which))
    }
    return list
  }

  private struct Group {
    let name: String
    let file: String
    let entries: [Entry]
    var measured: [Entry] { entries.filter { !$0.noise.isNaN } }
    var sqnr: Double {
      measured.isEmpty
        ? .nan : SampledCost.decibels(measured.reduce(0) { $0 + $1.noise } / Double(measured.count))
    }
    var worst: Entry? { measured.max { $0.noise < $1.noise } }
  }

  private func groups(_ name: (Entry) -> String?) -> [Group] {
    struct Key: Hashable {
      let name: String
      let file: String
    }
    var order: [Key] = []
    var members: [Key: [Entry]] = [:]
    for entry in entries {
      guard let name = name(entry) else { continue }
      let key = Key(name: name, file: entry.file)
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(entry)
    }
    let groups = order.map { Group(name: $0.name, file: $0.file, entries: members[$0] ?? []) }
    return groups.enumerated().sorted {
      let (a, b) = ($0.element.sqnr, $1.element.sqnr)
      return (a.isNaN ? .infinity : a, $0.offset) < (b.isNaN ? .infinity : b, $1.offset)
    }.map(\.element)
  }

  var groupTables: [Table] {
    var list: [Table] = []
    if seconds.count > 1 { list.append(table("byFile", "by file, the worst first", groups { _ in "" }, nil)) }
    list.append(table("byKind", "by kind, the worst first", groups { $0.place.kind }, PlanColumns.kindKey))
    let layers = groups { $0.place.layer.map(String.init) }
    if layers.count > 1 {
      list.append(table("byLayer", "by layer, the worst first", layers, PlanColumns.layerKey))
    }
    return list
  }

  private func table(_ key: String, _ title: String, _ groups: [Group], _ name: Column?) -> Table {
    typealias P = PlanColumns
    var table = Table(key, rows: groups.count)
    table.title = title
    if let name {
      table.add(name) { i in
        name.path == P.layerKey.path ? .count(Int(groups[i].name) ?? 0) : .text(groups[i].name)
      }
    }
    if seconds.count > 1 { table.add(CompareColumns.file) { .text(groups[$0].file) } }
    table.add(P.tensors.named("tensors", "how many tensors")) { .count(groups[$0].entries.count) }
    table.add(P.count) { i in .count(groups[i].entries.reduce(0) { $0 + $1.difference.count }) }
    table.add(CompareColumns.different) { i in
      .count(groups[i].entries.reduce(0) { $0 + $1.difference.different })
    }
    table.add(SchemeColumns.sqnr) { .number(groups[$0].sqnr, unless: "all is 0, or nothing is left") }
    table.add(P.worst) { i in
      let worst = groups[i].worst
      return Cell(text: worst?.place.shown ?? "", value: .text(worst?.pair.name ?? ""))
    }
    table.add(P.worstSqnr) {
      .number(groups[$0].worst?.difference.sums.sqnr ?? .nan, unless: "there is none")
    }
    table.readingOrder = Array(table.readingOrder.prefix(24))
    return table
  }

  /// Of a few tensors: what each lost, in the order of the table.
  func pictures(of table: Table) -> [Chart] {
    var drawn = table
    drawn.readingOrder = Array(table.readingOrder.prefix(Self.mostDrawn))
    let rest = table.readingOrder.count - drawn.readingOrder.count
    var chart = Chart.bars("relative L2 error of each tensor", of: drawn, [CompareColumns.relativeL2])
    if rest > 0 { chart.missing.append("\(Figures.count(rest)) more tensors: see the table") }
    return [chart]
  }

  private static let mostDrawn = 32

  /// The SQNR of each tensor, by layer and kind, and over the layers.
  var charts: [Chart] {
    func cells(_ list: [Entry]) -> [(place: ModelPlace, value: Double, label: String)] {
      list.map { ($0.place, $0.difference.sums.sqnr, $0.pair.name) }
    }
    return seconds.flatMap { name -> [Chart] in
      let mine = entries.filter { $0.file == name }
      let of = seconds.count > 1 ? " of \(name)" : ""
      return [
        .heat("SQNR of each tensor\(of), by layer and kind", value: .init("SQNR", unit: "dB"), cells(mine)),
        .lines(
          "SQNR over the layers\(of)", value: .init("SQNR", unit: "dB"),
          groups { $0.place.kind }.filter { $0.file == name }.map { ($0.name, cells($0.entries)) }),
      ]
    }
  }
}
