import Decoding
import NumKit
import Reports

/// What a format does to the experts that tokens are sent to.
struct RoutingReport {
  /// One way of scoring.
  struct Gate {
    let study: RoutingStudy
    let result: RoutingStudy.Result
  }

  let gates: [Gate]
  let configuration: KernelConfiguration
  let source: RowInput
  let topK: Int
  let bias: String

  private typealias C = RoutingColumns
  private var rows: [(gate: Gate, algorithm: Algorithm, outcome: RoutingStudy.Outcome)] {
    gates.flatMap { gate in
      zip(gate.study.algorithms, gate.result.outcomes).map { (gate: gate, algorithm: $0, outcome: $1) }
    }
  }
  private var answered: Int { gates.first?.result.rows ?? 0 }

  var report: Report {
    let count = source.rows.rowCount
    var report = Report(
      "routing",
      title: configuration.described("routing")
        + ": \(Figures.count(count)) \(count == 1 ? "row" : "rows") of "
        + "\(Figures.count(source.rows.length)) experts\(source.origin.phrase), top \(topK)"
        + (bias == "none" ? "" : ", with a bias"))
    let without = gates.first?.result.rowsWithoutAnswer ?? 0
    let undecided = gates.reduce(0) { $0 + $1.result.undecided }
    report.facts = [
      Fact("dtype", .text(configuration.storage.name), inRows: true),
      Fact("compute", .text(configuration.compute.name), inRows: true),
      Fact("accumulate", .text(configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(configuration.overflow.rawValue)),
    ]
    report.facts += source.origin.facts
    report.facts += [
      Fact("input.rowsWithoutAnswer", .integer(without)), Fact("topK", .integer(topK)),
      Fact("routingBias", .text(bias)), Fact("undecided", .integer(undecided)),
      Fact("rows", .integer(count), inRows: true), Fact("length", .integer(source.rows.length), inRows: true),
    ]
    for gate in gates {
      if let gap = gate.result.smallestGap {
        report.notes.append(
          "\(gate.study.rule.scoring.rawValue): the nearest cut has a gap of \(Figures.short(gap.size)) (row \(gap.row))"
        )
      }
    }
    if without > 0 {
      report.findings.append(
        Finding(
          "rows-without-answer", "",
          "\(Figures.count(without)) rows have NaN or infinities: no choice is right",
          warns: true))
    }
    if undecided > 0 {
      report.findings.append(
        Finding(
          "undecided", "", "\(Figures.count(undecided)) rows have scores that could not be told apart",
          warns: true))
    }
    report.add(table)
    report.conclusion = conclusion
    if answered == 0 { report.gaps = ["nothing was checked: no row has an answer"] }
    return report
  }

  private var table: Table {
    let rows = rows
    var table = Table(rows: rows.count)
    table.add(C.scoring) { .text(rows[$0].gate.study.rule.scoring.rawValue) }
    table.add(ErrorColumns.algorithm) { .text(rows[$0].algorithm.description) }
    table.add(C.flippedRows) { .count(rows[$0].outcome.flippedRows) }
    table.add(C.flippedExperts) { .count(rows[$0].outcome.flippedExperts) }
    table.add(C.movedWithin) { .number(rows[$0].outcome.movedWithin) }
    table.add(C.moved) { .number(rows[$0].outcome.moved) }
    table.add(C.worstRow) { i in rows[i].outcome.worstRow.map { .count($0) } ?? .none("no row has an answer")
    }
    table.add(C.flippedGap) { .number(rows[$0].outcome.flippedGap) }
    table.add(C.margin) { .number(rows[$0].outcome.margin, unless: "no bound was derived") }
    table.add(C.safe) { .count(rows[$0].outcome.safeRows) }
    return table
  }

  private var conclusion: String {
    if answered == 0 { return "no row has an answer: nothing to compare" }
    if let broken = rows.first(where: { $0.outcome.brokenRows > 0 }) {
      return "\(broken.algorithm) flipped experts beyond its margin: its bound is wrong"
    }
    guard
      let best = rows.min(by: {
        ($0.outcome.flippedRows, $0.outcome.moved) < ($1.outcome.flippedRows, $1.outcome.moved)
      })
    else { return "" }
    let name = "\(best.gate.study.rule.scoring.rawValue) \(best.algorithm)"
    let o = best.outcome
    if o.flippedRows == 0 {
      return "\(name) keeps the right experts in all \(Figures.count(answered)) rows and moves "
        + "\(Figures.short(100 * o.moved)) % of a row's weight at most"
    }
    return
      "\(name) keeps other experts in \(Figures.count(o.flippedRows)) of \(Figures.count(answered)) rows, over gaps of "
      + "\(Figures.short(o.flippedGap)) at most, and moves up to \(Figures.short(100 * o.moved)) % of a row's weight"
  }
}
