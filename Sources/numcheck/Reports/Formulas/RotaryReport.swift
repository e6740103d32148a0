import NumKit
import Reports

/// What positions come to over a context, kernel by kernel.
struct RotaryReport {
  let study: RotaryStudy
  let outcomes: [(name: String, outcome: RotaryStudy.Outcome)]

  private typealias C = PositionColumns

  func add(to report: inout Report) {
    var section = Section()
    section.blocks = [.table(summary)]
    section.charts = [
      Chart.lines(
        "sines and cosines over the context", of: octaves, x: C.from, y: C.error, by: ErrorColumns.algorithm),
      Chart.lines(
        "scores over the context", of: octaves, x: C.from, y: C.score, by: ErrorColumns.algorithm),
    ]
    report.sections.append(section)
    report.add(octaves)
    if !report.conclusion.isEmpty { report.conclusion += "; " }
    report.conclusion += sentence
  }

  private var summary: Table {
    var table = Table("positions", rows: outcomes.count)
    table.title = "of positions 0 to \(Figures.count(study.count - 1)), limit \(Figures.number(study.limit))"
    func o(_ i: Int) -> RotaryStudy.Outcome { outcomes[i].outcome }
    func position(_ m: Int?, _ reason: String) -> Cell { m.map { .count($0) } ?? .none(reason) }
    table.add(ErrorColumns.algorithm) { .text(outcomes[$0].name) }
    table.add(C.alike) { position(o($0).firstAlike, "all neighbours differ") }
    table.add(C.off) { position(o($0).firstOff?.position, "all are within the limit") }
    table.add(C.offPair) { position(o($0).firstOff?.pair, "all are within the limit") }
    table.add(C.notFinite) { position(o($0).firstNotFinite, "all are finite") }
    table.add(C.error) { .number(o($0).largestError) }
    table.add(C.score) { .number(o($0).largestScore) }
    table.add(C.scoresOff) { position(o($0).scoresOff(beyond: study.limit), "all are within the limit") }
    return table
  }

  private var octaves: Table {
    let rows = outcomes.flatMap { o in o.outcome.octaves.map { (name: o.name, octave: $0) } }
    var table = Table("octaves", rows: rows.count, for: .machines)
    table.add(ErrorColumns.algorithm) { .text(rows[$0].name) }
    table.add(C.from) { .count(rows[$0].octave.from) }
    table.add(C.error) { .number(rows[$0].octave.error) }
    table.add(C.score) { .number(rows[$0].octave.score) }
    return table
  }

  /// How far the best of them gets.
  private var sentence: String {
    func reach(_ o: RotaryStudy.Outcome) -> Int {
      [o.firstOff?.position, o.firstAlike, o.firstNotFinite].compactMap { $0 }.min() ?? study.count
    }
    guard let best = outcomes.max(by: { reach($0.outcome) < reach($1.outcome) }) else { return "" }
    let o = best.outcome
    if reach(o) >= study.count {
      return "\(best.name) keeps every sine and cosine of \(Figures.count(study.count)) positions to "
        + Figures.short(o.largestError)
    }
    var parts: [String] = []
    if let off = o.firstOff {
      parts.append("off by more than \(Figures.number(study.limit)) from \(off.position)")
    }
    if let m = o.firstAlike { parts.append("\(m) and \(m + 1) are one position") }
    if let m = o.firstNotFinite { parts.append("not finite from \(m)") }
    return "\(best.name) gets farthest: " + parts.joined(separator: ", ")
  }
}
