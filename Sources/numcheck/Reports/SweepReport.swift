import NumKit

/// What an exhaustive sweep over all pairs of logits found.
struct SweepReport: WrittenReport {
  let configuration: KernelConfiguration
  let results: [(algorithm: Algorithm, result: PairSweep.Result)]

  private var dtype: DType { configuration.storage }

  private var table: FlatReport {
    var report = FlatReport(
      command: "softmax",
      columns: [
        ("algorithm", "algorithm", .left), ("NaN pairs", "nanPairs", .right),
        ("overflow", "overflow", .right),
        ("underflow", "underflow", .right), ("max ulp", "maxUlp", .right), ("at logits", "logits", .left),
      ])
    for (algorithm, r) in results {
      report.rows.append([
        .text(algorithm.description), .count(r.nanPairs), .count(r.overflow), .count(r.underflow),
        .exact(r.maxUlp),
        .init(
          text: r.witness.map { Figures.number($0) }.joined(separator: ", "),
          value: .array(r.witness.map { .number($0) })),
      ])
    }
    return report
  }

  var csv: String { table.text(as: .csv) }

  private var heading: String {
    let pairs = results.first?.result.pairs ?? 0
    return "softmax in \(dtype): all \(Figures.count(pairs)) unordered pairs of finite logits"
  }

  /// One claim an algorithm.
  private var claims: [String] {
    results.map { algorithm, r in
      r.nanPairs + r.overflow == 0
        ? "proved: no pair of \(dtype) logits makes '\(algorithm)' err by more than \(Figures.number(r.maxUlp)) ulp"
        : "'\(algorithm)' has no bound: NaN for \(Figures.count(r.nanPairs)) pairs"
    }
  }

  var text: String {
    heading + "\n\n" + table.text(as: .text) + "\n" + claims.map { $0 + "\n" }.joined()
  }

  var markdown: String {
    "### \(heading)\n\n" + table.text(as: .markdown) + "\n" + claims.map { "- \($0)\n" }.joined()
  }

  var json: JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("softmax")), ("dtype", .string(dtype.name)),
      ("exhaustive", .bool(true)), ("seed", .null), ("length", .int(2)),
      ("rows", .int(results.first?.result.pairs ?? 0)),
      (
        "results",
        .array(
          results.map { algorithm, r in
            .object([
              ("algorithm", .string(algorithm.description)), ("nanRows", .int(r.nanPairs)),
              ("overflow", .int(r.overflow)), ("underflow", .int(r.underflow)),
              (
                "ulp",
                .object([("max", .number(r.provenMaxUlp)), ("maxHex", .string(Figures.hex(r.provenMaxUlp)))])
              ),
              (
                "witness",
                .array(
                  r.witness.map {
                    .object([
                      ("decimal", .number($0)), ("hex", .string(Figures.hex($0))),
                      ("bits", Figures.bits($0, dtype).map(JSONValue.string) ?? .null),
                    ])
                  })
              ),
            ])
          })
      ),
    ])
  }
}

extension DType {
  /// How many finite numbers it has, one zero.
  var finiteCount: Int { numberFormat?.finiteValues.count ?? 0 }
}
