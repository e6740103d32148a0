/// What cures restore, for all tensors of a run.
struct CureReports: WrittenReport {
  let reports: [CureReport]
  let leftOut: [LeftOut]

  var text: String { reports.map(\.text).joined(separator: "\n") + leftOut.text }
  var markdown: String { reports.map(\.markdown).joined(separator: "\n") + leftOut.markdown }

  var csv: String {
    var table = Table(
      columns: [
        "tensor", "treatment", "bits_per_weight", "sqnr_db", "rest_sqnr_db", "restored_db", "flushed", "lost",
        "max_absolute_error", "output_sqnr_db",
      ].map { (title: $0, alignment: .left) })
    for report in reports {
      for group in report.groups {
        for r in group.results {
          table.rows.append(
            [Figures.line(report.tensor), r.name]
              + [r.bitsPerWeight, r.statistics.sqnr, r.rest.sqnr, group.restored(r)].map(Figures.number)
              + ["\(r.flushed)", "\(r.statistics.lostCount)", Figures.number(r.statistics.maxAbsoluteError)]
              + [r.outputSqnr.map(Figures.number) ?? ""])
        }
      }
    }
    return table.csv
  }

  var json: JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("quantize --cure")),
      ("tensors", .array(reports.map(\.members))), ("leftOut", leftOut.json),
    ])
  }
}
