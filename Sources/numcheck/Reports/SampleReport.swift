import Decoding
import NumKit
import Reports

/// What a format does to the tokens that may be drawn.
struct SampleReport {
  let study: SamplingStudy
  let source: RowInput
  let result: SamplingStudy.Result

  private typealias C = SampleColumns

  var report: Report {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    var report = Report(
      "sample",
      title: study.configuration.described("sample")
        + ": \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of "
        + "\(Figures.count(length))\(source.origin.phrase), \(study.rule.described)")
    report.facts = [
      Fact("dtype", .text(study.configuration.storage.name), inRows: true),
      Fact("compute", .text(study.configuration.compute.name), inRows: true),
      Fact("accumulate", .text(study.configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(study.configuration.overflow.rawValue)),
    ]
    report.facts += source.origin.facts
    report.facts += [Fact("input.rowsWithoutAnswer", .integer(result.rowsWithoutAnswer))]
    report.facts += study.rule.facts(below: "")
    report.facts += [
      Fact("rows", .integer(rows), inRows: true), Fact("length", .integer(length), inRows: true),
      Fact("kept", .integer(result.kept)),
      Fact("margin", result.margin.map { .number($0.size) } ?? .none),
    ]
    if result.rows > 0 {
      var line =
        "the truth keeps \(Figures.count(result.fewest))"
        + (result.fewest == result.most ? "" : " to \(Figures.count(result.most))") + " tokens a row"
      if let m = result.margin {
        line += "; the nearest cut is \(Figures.short(m.size)) from p (row \(m.row))"
      }
      report.notes = [line]
    }
    if result.rowsWithoutAnswer > 0 {
      report.findings = [
        Finding(
          "rows-without-answer", "",
          "\(Figures.count(result.rowsWithoutAnswer)) rows have NaN, +inf or nothing but -inf: no set is right",
          warns: true)
      ]
    }
    let table = table
    report.add(
      table,
      [
        .bars("rows with other tokens", of: table, [C.otherSets, C.greedyFlips]),
        .bars("the largest mass of a row that is kept or lost wrongly", of: table, [C.mass]),
      ])
    report.conclusion = conclusion
    if result.rows == 0 { report.gaps = ["nothing was checked: no row has an answer"] }
    return report
  }

  private var table: Table {
    var table = Table(rows: study.algorithms.count)
    func o(_ i: Int) -> SamplingStudy.Outcome { result.outcomes[i] }
    table.add(ErrorColumns.algorithm) { .text(study.algorithms[$0].description) }
    table.add(C.otherSets) { .count(o($0).otherSets) }
    table.add(C.greedyFlips) { .count(o($0).greedyFlips) }
    table.add(C.added) { .count(o($0).added) }
    table.add(C.lost) { .count(o($0).lost) }
    table.add(C.mass) { .number(o($0).largestMass) }
    table.add(C.worstRow) { i in o(i).worstRow.map { .count($0) } ?? .none("no row keeps other tokens") }
    table.add(C.flippedGap) { .number(o($0).flippedGap) }
    return table
  }

  private var conclusion: String {
    if result.rows == 0 { return "no row has an answer: nothing to compare" }
    let rows = Figures.count(result.rows)
    let best =
      result.outcomes.indices.min { result.outcomes[$0].largestMass < result.outcomes[$1].largestMass } ?? 0
    let o = result.outcomes[best]
    let name = study.algorithms[best].description
    if o.otherSets == 0 { return "\(name) keeps exactly the right tokens in all \(rows) rows" }
    var s =
      "\(name) keeps other tokens in \(Figures.count(o.otherSets)) of \(rows) rows, at most "
      + "\(Figures.short(100 * o.largestMass)) % of a set's probability"
    if o.greedyFlips > 0 { s += "; the most probable token changes in \(Figures.count(o.greedyFlips))" }
    return s
  }
}
