import ArgumentParser
import NumKit
import Quant
import Reports

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
    var made = Report("attention --scheme", title: "attention, \(AttentionWords.size(shape))")
    made.facts = source.origin.facts + AttentionCount(source.tensors).facts
    made.facts += [
      Fact("input.rowsWithoutAnswer", .integer(parameters.blindQueries(shape))),
      Fact("input.overflowed", .integer(overflowed)),
    ]
    made.facts += shape.facts
    made.facts += [
      Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
      Fact("certificate", .certificate(certificate)),
    ]
    made.notes = [AttentionWords.question(parameters, shape), certificate.line]
    made.findings = AttentionCount(source.tensors).findings
    if let blind = BlindQueries.finding(parameters, shape) { made.findings.append(blind) }
    if overflowed > 0 {
      made.findings.append(
        Finding(
          "input", "", "\(Figures.count(overflowed)) overflow f16, in which f16 and its like take them",
          warns: true))
    }
    let table = Self.table(entries)
    made.add(table, [.bars("the error of each scheme", of: table, [AttentionColumns.rmse])])
    try report.finish(made)
  }

  private static func table(_ entries: [SchemeComparison.Entry]) -> Table {
    typealias A = AttentionColumns
    func share(_ x: Double?) -> Cell {
      x.map { .percent($0, unless: "nothing was to be seen") } ?? .none("it was not counted")
    }
    var table = Table(rows: entries.count)
    table.add(A.scheme) { .text(entries[$0].scheme?.name ?? "standard f16") }
    table.add(A.summary) { .text(entries[$0].scheme?.summary ?? "scores, P and outputs f16, sums f32") }
    table.add(A.bitsQ) { .number(entries[$0].bits.q) }
    table.add(A.bitsK) { .number(entries[$0].bits.k) }
    table.add(A.bitsV) { .number(entries[$0].bits.v) }
    table.addSums { entries[$0].sums }
    table.add(A.ofF16) { i in
      .number(
        entries[i].sums.rmse / entries[0].sums.rmse, unless: "the standard has no error, or nothing is finite"
      )
    }
    table.add(A.flushed) { share(entries[$0].flushed) }
    table.add(A.predicted) { share(entries[$0].predicted) }
    return table
  }
}

extension Table {
  /// Errors as single figures.
  mutating func addSums(_ sums: (Int) -> ErrorSums) {
    typealias A = AttentionColumns
    func size(_ i: Int, _ figure: (ErrorSums) -> Double, unless reason: String) -> Cell {
      let s = sums(i)
      return s.finiteCount == 0
        ? .spoiled("no output is finite")
        : .number(
          figure(s), unless: reason,
          caveat: s.lostCount == 0 ? nil : "\(Figures.count(s.lostCount)) outputs are not finite")
    }
    add(A.lost) { .count(sums($0).lostCount) }
    add(A.compared) { .count(sums($0).finiteCount) }
    add(A.rmse) { size($0, { $0.rmse }, unless: "no output is finite") }
    add(A.relativeError) { size($0, { $0.relativeL1 }, unless: "the truth is 0 everywhere") }
    add(A.maxError) { size($0, { $0.maxAbsoluteError }, unless: "no output is finite") }
    add(A.cosine) { size($0, { $0.cosine }, unless: "one side is 0 everywhere") }
    add(A.oneMinusCosine) { size($0, { 1 - $0.cosine }, unless: "one side is 0 everywhere") }
  }
}
