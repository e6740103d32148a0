import Quant

/// The reports on all tensors of a run.
struct QuantizeReports: WrittenReport {
  let reports: [QuantizeReport]
  /// Tensors that could not be read, and why.
  let leftOut: [LeftOut]

  var text: String { reports.map(\.text).joined(separator: "\n") + leftOut.text }
  var markdown: String { reports.map(\.markdown).joined(separator: "\n") + leftOut.markdown }

  var csv: String {
    var table = Table(
      columns: [
        "tensor", "scheme", "bits_per_weight", "sqnr_db", "mse", "max_absolute_error", "relative_l1",
        "cosine", "pareto", "lost", "softmax_kl", "lloyd_max_mse", "gaussian_mse", "element_rounding",
        "clipping", "flush_to_zero", "scale_rounding",
      ].map { (title: $0, alignment: .left) })
    for report in reports {
      for e in report.entries {
        let (s, split) = (e.statistics, e.measurement.split)
        table.rows.append(
          [report.tensor, e.name]
            + [e.measurement.bitsPerWeight, s.sqnr, s.mse, s.maxAbsoluteError, s.relativeL1, s.cosine].map(
              Figures.number)
            + [e.isParetoBest ? "1" : "0", "\(s.lostCount)"]
            + [
              e.measurement.divergence.mean, e.floor?.lloydMax, e.floor?.gaussianBound,
              split?.elementRounding, split?.clipping, split?.flushToZero,
              e.measurement.splitsScale ? split?.scaleRounding : nil,
            ].map { $0.map(Figures.number) ?? "" })
      }
    }
    return table.csv
  }

  var json: JSONValue {
    let head: [(String, JSONValue)] = [("schema", .string("numcheck/1")), ("command", .string("quantize"))]
    if reports.count == 1, leftOut.isEmpty { return .object(head + reports[0].members) }
    return .object(
      head + [("tensors", .array(reports.map { .object($0.members) })), ("leftOut", leftOut.json)])
  }
}
