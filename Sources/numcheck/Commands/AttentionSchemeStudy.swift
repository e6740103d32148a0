import ArgumentParser
import NumKit
import Quant

/// Which low-precision schemes are compared.
struct AttentionSchemeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Compare this way of low-precision attention with the f16 standard; repeat it, or 'all'. 'list kernels' names them.",
      valueName: "name"))
  var scheme: [String] = []

  func schemes() throws -> [AttentionScheme] {
    var list: [AttentionScheme] = []
    for name in scheme {
      if name.lowercased() == "all" {
        list += AttentionSchemes.all
      } else if let one = AttentionSchemes.named(name) {
        list.append(one)
      } else {
        throw UsageError(
          "--scheme \(name): must be all or one of \(AttentionSchemes.all.map(\.name).joined(separator: ", "))"
        )
      }
    }
    var seen: Set<String> = []
    return list.filter { seen.insert($0.name).inserted }
  }
}

extension AttentionCommand {
  /// Errors, bits and underflow of each scheme asked for.
  func compareSchemes() throws {
    let schemes = try lowPrecision.schemes()
    let source = try AttentionInput(input)
    let shape = source.tensors.shape
    let parameters = try question.parameters(source)
    let progress = Progress(total: shape.heads * shape.queries)
    let (entries, certificate, overflowed): ([SchemeComparison.Entry], Certificate, Int)
    do {
      (entries, certificate, overflowed) = try SchemeComparison.run(
        schemes, source.tensors, parameters, seed: input.seed, threads: threads.count,
        progress: progress.callback)
    } catch let error as AttentionSchemeError {
      throw UsageError("--scheme: \(error)")
    }
    progress.finish()
    if format == .json {
      return try emit(Self.json(entries, certificate, shape, overflowed, seed: input.seed).text)
    }
    var report = FlatReport(
      command: "attention --scheme",
      heading: "attention, \(AttentionReport.size(shape))\n" + KernelReport.proof(certificate)
        + (overflowed == 0
          ? "" : "\ninputs: \(Figures.count(overflowed)) overflow f16, in which f16 and its like take them"),
      columns: [
        ("scheme", "scheme", .left), ("q", "qBits", .right), ("k", "kBits", .right),
        ("v bits", "vBits", .right), ("lost", "lost", .right), ("RMSE", "rmse", .right),
        ("of f16", "ofF16", .right),
        ("rel L1", "relativeL1", .right), ("max error", "maxAbsoluteError", .right),
        ("1-cosine", "oneMinusCosine", .right), ("P to 0", "flushed", .right),
        ("predicted", "flushedPredicted", .right),
      ])
    for e in entries {
      let s = e.sums
      func share(_ x: Double?) -> FlatReport.Cell {
        x.map { .init(text: "\(Figures.short(100 * $0)) %", value: .number($0)) } ?? .none()
      }
      report.rows.append(
        [.text(e.scheme?.name ?? "standard f16")]
          + [e.bits.q, e.bits.k, e.bits.v].map { .number($0) } + [.count(s.lostCount)]
          + [
            s.rmse, s.rmse / entries[0].sums.rmse, s.relativeL1,
            s.finiteCount == 0 ? .nan : s.maxAbsoluteError,
            1 - s.cosine,
          ].map { .number($0) } + [share(e.flushed), share(e.predicted)])
    }
    try emit(report.text(as: format))
  }

  private static func json(
    _ entries: [SchemeComparison.Entry], _ certificate: Certificate, _ shape: AttentionShape,
    _ overflowed: Int,
    seed: UInt64
  ) -> JSONValue {
    .object([
      ("schema", .string("numcheck/1")), ("command", .string("attention --scheme")),
      ("seed", .uint(seed)), ("heads", .int(shape.heads)),
      ("keyHeads", .int(shape.keyHeads)), ("queries", .int(shape.queries)), ("keys", .int(shape.keys)),
      ("headSize", .int(shape.headSize)), ("valueSize", .int(shape.valueSize)),
      ("certificate", KernelReport.certificate(certificate)), ("overflowedInputs", .int(overflowed)),
      (
        "results",
        .array(
          entries.map { e in
            .object([
              ("scheme", .string(e.scheme?.name ?? "standard f16")),
              ("summary", .string(e.scheme?.summary ?? "scores, P and outputs f16, sums f32")),
              (
                "bits",
                .object([("q", .number(e.bits.q)), ("k", .number(e.bits.k)), ("v", .number(e.bits.v))])
              ),
              ("rmse", .number(e.sums.rmse)), ("relativeL1", .number(e.sums.relativeL1)),
              ("maxAbsoluteError", .number(e.sums.maxAbsoluteError)), ("cosine", .number(e.sums.cosine)),
              ("compared", .int(e.sums.finiteCount)), ("lost", .int(e.sums.lostCount)),
              ("flushed", e.flushed.map { .number($0) } ?? .null),
              ("flushedPredicted", e.predicted.map { .number($0) } ?? .null),
            ])
          })
      ),
    ])
  }
}
