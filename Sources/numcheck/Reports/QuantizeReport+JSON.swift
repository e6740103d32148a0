import Quant

extension QuantizeReport {
  var members: [(String, JSONValue)] {
    [
      ("tensor", .string(tensor)), ("rows", .int(rows)), ("length", .int(columns)),
      ("recommended", recommended.map { .string($0.name) } ?? .null),
      ("results", .array(entries.map(Self.result))),
      (
        "skipped",
        .array(skipped.map { .object([("scheme", .string($0.name)), ("reason", .string($0.why))]) })
      ),
    ]
  }

  private static func result(_ e: Entry) -> JSONValue {
    let s = e.statistics
    func place(_ p: ErrorPlace?) -> JSONValue {
      guard let p else { return .null }
      return .object([
        ("row", .int(p.row)), ("column", .int(p.column)), ("width", .int(p.width)),
        ("squaredError", .number(p.squaredError)), ("relativeL2", .number(p.relativeL2)),
      ])
    }
    return .object([
      ("scheme", .string(e.name)), ("bitsPerWeight", .number(e.measurement.bitsPerWeight)),
      ("sqnr", .number(s.sqnr)), ("mse", .number(s.mse)), ("maxAbsoluteError", .number(s.maxAbsoluteError)),
      ("maxAbsoluteErrorHex", .string(Figures.hex(s.maxAbsoluteError))),
      ("relativeL1", .number(s.relativeL1)),
      ("relativeL2", .number(s.relativeL2)), ("cosine", .number(s.cosine)),
      ("softmaxDivergence", .number(e.measurement.divergence.mean)), ("lost", .int(s.lostCount)),
      ("paretoBest", .bool(e.isParetoBest)),
      (
        "floor",
        e.floor.map {
          .object([("lloydMax", .number($0.lloydMax)), ("gaussianBound", .number($0.gaussianBound))])
        }
          ?? .null
      ),
      (
        "split",
        e.measurement.split.map {
          .object([
            ("elementRounding", .number($0.elementRounding)), ("clipping", .number($0.clipping)),
            ("flushToZero", .number($0.flushToZero)),
            ("scaleRounding", e.measurement.splitsScale ? .number($0.scaleRounding) : .null),
            ("total", .number($0.total)),
          ])
        } ?? .null
      ),
      ("worstChannel", place(e.measurement.places.channel)),
      ("worstBlock", place(e.measurement.places.block)),
      ("warnings", .array(e.measurement.disagreements().map { .string($0.description) })),
    ])
  }
}
