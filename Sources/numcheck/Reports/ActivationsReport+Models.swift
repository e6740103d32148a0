import Foundation
import NumKit
import Quant
import Reports

/// Of many tensors: by kind first, the widest ranges first, and pictures of all.
extension ActivationsReport {
  /// From so many tensors on a summary comes first.
  var isModel: Bool { entries.count > 8 }

  private func place(_ e: Entry) -> ModelPlace { ModelPlace(e.tensor.tensorName) }

  /// Entries of one kind, those with the widest range first.
  private var kinds: [(name: String, entries: [Entry])] {
    var order: [String] = []
    var members: [String: [Entry]] = [:]
    for e in entries {
      let kind = place(e).kind
      if members[kind] == nil { order.append(kind) }
      members[kind, default: []].append(e)
    }
    func widest(_ name: String) -> Double {
      (members[name] ?? []).map(\.profile.peakToMedian).filter { !$0.isNaN }.max() ?? -1
    }
    return order.enumerated().sorted { (widest($1.element), $0.offset) < (widest($0.element), $1.offset) }
      .map { ($0.element, members[$0.element] ?? []) }
  }

  /// By kind and by layer, the widest ranges first.
  var kindTables: [Table] {
    let kinds = kinds
    var layers: [Int: [Entry]] = [:]
    for e in entries { if let layer = place(e).layer { layers[layer, default: []].append(e) } }
    func widest(_ list: [Entry]) -> Entry? {
      list.filter { !$0.profile.peakToMedian.isNaN }.max { $0.profile.peakToMedian < $1.profile.peakToMedian }
    }
    func table(_ key: String, _ title: String, _ groups: [(Cell, [Entry])], _ name: Column) -> Table {
      typealias A = ActivationColumns
      var table = Table(key, rows: groups.count)
      table.title = title
      table.add(name) { groups[$0].0 }
      table.add(PlanColumns.tensors.named("tensors", "how many tensors")) { .count(groups[$0].1.count) }
      table.add(PlanColumns.count) { i in .count(groups[i].1.reduce(0) { $0 + $1.profile.count }) }
      table.add(A.maxMagnitude.shown) { i in
        .number(
          groups[i].1.map { Double($0.profile.largestMagnitude) }.filter { !$0.isNaN }.max() ?? .nan,
          unless: "no element is finite")
      }
      table.add(A.peakToMedian) { i in
        .number(
          widest(groups[i].1)?.profile.peakToMedian ?? .nan, unless: "all elements are 0, or none is finite")
      }
      table.add(A.kurtosis) { i in
        .number(
          groups[i].1.map(\.profile.kurtosis).filter { !$0.isNaN }.max() ?? .nan,
          unless: "all elements are equal")
      }
      table.add(A.massive) { i in .count(groups[i].1.reduce(0) { $0 + $1.profile.massive.count }) }
      table.add(PlanColumns.worst.named("widest", "the tensor with the widest range")) { i in
        let worst = widest(groups[i].1)
        return Cell(text: worst.map { place($0).shown } ?? "", value: .text(worst?.tensor.name ?? ""))
      }
      return table
    }
    var list = [
      table(
        "byKind", "by kind, the widest range first", kinds.map { (.text($0.name), $0.entries) },
        PlanColumns.kindKey)
    ]
    if layers.count > 1 {
      let order = layers.keys.sorted {
        (-(widest(layers[$0] ?? [])?.profile.peakToMedian ?? -1), $0)
          < (-(widest(layers[$1] ?? [])?.profile.peakToMedian ?? -1), $1)
      }
      list.append(
        table(
          "byLayer", "by layer, the widest range first", order.map { (.count($0), layers[$0] ?? []) },
          PlanColumns.layerKey))
    }
    for k in list.indices { list[k].readingOrder = Array(list[k].readingOrder.prefix(24)) }
    return list
  }

  /// Magnitudes of all, ranges over layers, and by layer and kind.
  var modelCharts: [Chart] {
    guard isModel else { return [] }
    var counts: [Int: Int] = [:]
    for e in entries {
      for (k, count) in e.profile.octaves.counts.enumerated() {
        counts[e.profile.octaves.first + k, default: 0] += count
      }
    }
    var list: [Chart] = []
    if let low = counts.keys.min(), let high = counts.keys.max() {
      var points = (low...high).map {
        Chart.Point(x: Double.powerOfTwo($0), y: Double(counts[$0] ?? 0), label: "|a| from 2^\($0)")
      }
      points.append(.init(x: Double.powerOfTwo(high + 1), y: 0, label: ""))
      list.append(
        Chart(
          .histogram, "elements of all tensors by magnitude", x: .init("|a|, by octave"),
          y: .init("elements"),
          [.init("", points)]))
    }
    func cells(_ list: [Entry], _ value: (TensorProfile) -> Double) -> [(
      place: ModelPlace, value: Double, label: String
    )] {
      list.map { (place($0), value($0.profile), $0.shownName) }
    }
    list.append(
      .heat(
        "range of each tensor: log2 of the largest over the median magnitude",
        value: .init("range", unit: "bits"),
        cells(entries) { $0.peakToMedian > 0 ? log2($0.peakToMedian) : .nan }))
    list.append(
      .lines(
        "the largest |a| over the layers, kinds of the widest range", value: .init("largest |a|"),
        kinds.map { ($0.name, cells($0.entries) { Double($0.largestMagnitude) }) }))
    return list
  }
}

extension Column {
  /// The same under another title.
  func named(_ title: String, _ meaning: String) -> Column {
    Column(title, path, importance, meaning, unit: unit, align: alignment, key: isKey, hex: hasHex)
  }

  /// The same for people too.
  var shown: Column { Column(name, path, .decides, meaning, unit: unit, align: alignment) }
}
