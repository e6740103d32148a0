import Guests
import NumKit
import Quant
import Reports

/// What is said of two dumps.
struct CompareReport {
  /// A tensor of both.
  struct Entry {
    let pair: DumpPair
    /// What is held against the first.
    let file: String
    let difference: DumpDifference

    var place: ModelPlace { ModelPlace(pair.name) }
    /// ‖difference‖²/‖first‖²; NaN where that is none.
    var noise: Double {
      let sums = difference.sums
      return sums.isAllLost || sums.energy == 0 ? .nan : sums.squaredError / sums.energy
    }
  }

  let first: String
  let seconds: [String]
  let entries: [Entry]
  let leftOut: [(tensor: String, reason: String)]
  /// What lacks of the files' checkpoints.
  let lacks: [LeftOut]

  /// Throws `UsageError` where limits or the figure to sort by are none of this report's.
  func report(limits: [Limit], sort: String?, top: Int?) throws -> Report {
    let second = seconds.joined(separator: ", ")
    var report = Report(
      "compare",
      title:
        "\(second) beside \(first): \(Figures.count(entries.count)) \(entries.count == 1 ? "tensor" : "tensors")"
    )
    report.facts = [Fact("first", .text(first)), Fact("second", .text(second))]
    report.findings = LeftOut.lacks(lacks)
    report.findings += LeftOut.findings(tensorsLeftOut.map { LeftOut($0.tensor, $0.reason) })
    report.findings += quantized
    var table = table
    if let sort {
      table.readingOrder = try sorted(table, by: sort)
    } else if isModel {
      table.readingOrder = entries.indices.sorted { (-worse(entries[$0]), $0) < (-worse(entries[$1]), $1) }
    }
    if let count = top ?? (isModel ? 24 : nil) {
      table.readingOrder = Array(table.readingOrder.prefix(count))
    }
    let hidden = entries.count - table.readingOrder.count
    if hidden > 0 {
      report.notes = [
        "\(Figures.count(hidden)) more tensors are not shown" + (top == nil ? " (--top N)" : "")
      ]
    }
    if isModel {
      var section = Section()
      section.blocks = groupTables.map { .table($0) }
      section.charts = charts
      report.sections.append(section)
    }
    // Beside those of kinds and layers it has a name.
    if isModel { table.title = "by tensor" }
    report.add(table, isModel ? [] : pictures(of: table))
    if entries.isEmpty {
      throw UsageError(
        "\(first) and \(seconds.joined(separator: ", ")) have no tensor in common that can be compared"
          + reason)
    }
    report.conclusion = try conclusion(report, limits)
    // A budget is asked of all tensors: what could not be compared did not keep it.
    let missed = tensorsLeftOut.isEmpty ? leftOut : tensorsLeftOut
    if !limits.isEmpty, let one = missed.first {
      report.gaps.append(
        "\(missed.count == 1 ? "1 tensor was" : "\(Figures.count(missed.count)) tensors were") not compared: \(one.tensor), \(one.reason)"
      )
    }
    return report
  }

  /// What was left out, but for the files that lack.
  private var tensorsLeftOut: [(tensor: String, reason: String)] {
    let files = Set(lacks.map(\.tensor))
    return leftOut.filter { !files.contains($0.tensor) }
  }

  private var reason: String { leftOut.first.map { "; \($0.tensor): \($0.reason)" } ?? "" }

  private var table: Table {
    typealias C = CompareColumns
    var table = Table(rows: entries.count)
    table.setWitnesses { k in
      entries[k].difference.worst.map { "element \($0)" }
    }
    func size(_ k: Int, _ x: Double) -> Cell {
      let d = entries[k].difference
      var cell = Cell.number(x, unless: d.sums.isAllLost ? "no number is left" : "there are no numbers")
      // Of the numbers that both have it may be said, but it is no measure of what has become of the tensor.
      if d.unlike > 0 && cell.caveat == nil {
        cell.caveat =
          "\(Figures.count(d.unlike)) \(d.unlike == 1 ? "element is" : "elements are") a number in one alone"
        cell.isSpoiled = true
      }
      return cell
    }
    table.add(C.tensor) { k in
      Cell(text: isModel ? entries[k].place.shown : entries[k].pair.name, value: .text(entries[k].pair.name))
    }
    if seconds.count > 1 { table.add(C.file) { .text(entries[$0].file) } }
    table.add(C.other) {
      let pair = entries[$0].pair
      return pair.name == pair.otherName ? .data(.text(pair.otherName)) : .text(pair.otherName)
    }
    table.add(C.types) {
      let pair = entries[$0].pair
      let (a, b) = (pair.first.elementType.name, pair.second.elementType.name)
      return .text(a == b ? a : "\(a), \(b)")
    }
    table.add(C.count) { .count(entries[$0].difference.count) }
    table.add(C.different) { .count(entries[$0].difference.different) }
    table.add(C.maxUlp) { size($0, entries[$0].difference.maxUlp) }
    table.add(C.meanUlp) { size($0, entries[$0].difference.meanUlp) }
    table.add(C.relativeL2) { size($0, entries[$0].difference.sums.relativeL2) }
    table.add(C.cosine) { size($0, entries[$0].difference.sums.cosine) }
    table.add(SchemeColumns.sqnr) { size($0, entries[$0].difference.sums.sqnr) }
    table.add(C.maxAbsolute) { size($0, entries[$0].difference.sums.maxAbsoluteError) }
    table.add(C.firstNaN) { .count(entries[$0].difference.nan.first) }
    table.add(C.secondNaN) { .count(entries[$0].difference.nan.second) }
    table.add(C.overflow) { .count(entries[$0].difference.overflow) }
    table.add(SchemeColumns.lost) { .count(entries[$0].difference.sums.lostCount) }
    return table
  }

  /// Rows from the largest figure down.
  private func sorted(_ table: Table, by figure: String) throws -> [Int] {
    guard let c = table.columns.firstIndex(where: { $0.path == figure || $0.name == figure }) else {
      let names = table.columns.filter { $0.alignment == .right }.map(\.path)
      throw TableView.unknown(figure, names)
    }
    // The worst first: where more is better, the smallest.
    let sign = table.columns[c].sense == .higherIsBetter || figure == CompareColumns.cosine.path ? -1.0 : 1
    func value(_ k: Int) -> Double { table.rows[k].cells[c].value.double.map { sign * $0 } ?? -.infinity }
    return entries.indices.sorted { (value($0), $1) > (value($1), $0) }
  }

  /// The first, in order, that a limit does not hold for.
  private func conclusion(_ report: Report, _ limits: [Limit]) throws -> String {
    let same = entries.count { $0.difference.different == 0 }
    let missed = tensorsLeftOut.count
    let tail = missed == 0 ? "" : "; \(Figures.count(missed)) left out"
    guard !limits.isEmpty else {
      if isModel, let worst = entries.max(by: { worse($0) < worse($1) }), worst.difference.different > 0 {
        let dB = worst.difference.sums.sqnr
        return
          "\(Figures.count(same)) of \(Figures.count(entries.count)) tensors are equal, the worst is \(worst.pair.name): "
          + (dB.isNaN ? "nothing is left of it" : "\(Figures.short(dB)) dB") + tail
      }
      let part = entries.first { $0.difference.different > 0 }.map {
        ", the first that differs is \($0.pair.name)"
      }
      return "\(Figures.count(same)) of \(Figures.count(entries.count)) tensors are equal\(part ?? "")\(tail)"
    }
    var held = report
    do { try held.check(limits) } catch { throw UsageError("\(error)") }
    let failed = Dictionary(
      held.checks.filter { !$0.passed }.map { ($0.place, $0) }, uniquingKeysWith: { a, _ in a })
    let broken = entries.filter { failed[label($0)] != nil }
    guard let one = broken.first, let check = failed[label(one)] else {
      return leftOut.isEmpty
        ? "every tensor keeps its budget" : "every tensor that could be compared keeps its budget\(tail)"
    }
    return "\(one.pair.name) is the first to leave its budget, \(Figures.count(broken.count)) of "
      + "\(Figures.count(entries.count)) do: \(check.message)\(tail)"
  }

  private func label(_ entry: Entry) -> String {
    let name = isModel ? entry.place.shown : entry.pair.name
    return seconds.count > 1 ? "\(name) \(entry.file)" : name
  }
}
