import NumKit
import Reports

/// What an exhaustive sweep over all pairs of logits found.
struct SweepReport {
  let configuration: KernelConfiguration
  let results: [(algorithm: Algorithm, result: PairSweep.Result)]
  /// What was asked for and is not among the results.
  let leftOut: [Algorithm]

  private var dtype: DType { configuration.storage }

  var report: Report {
    let pairs = results.first?.result.pairs ?? 0
    var report = Report(
      RowOperation.softmax.rawValue,
      title: "softmax in \(dtype): all \(Figures.count(pairs)) unordered pairs of finite logits")
    report.facts = [
      Fact("dtype", .text(dtype.name), inRows: true),
      Fact("compute", .text(configuration.compute.name), inRows: true),
      Fact("accumulate", .text(configuration.accumulator.name), inRows: true),
      Fact("overflowMode", .text(configuration.overflow.rawValue)),
    ]
    report.facts += RowOrigin.exhaustive.facts
    report.facts += [
      Fact("rows", .integer(pairs), inRows: true), Fact("length", .integer(2), inRows: true),
    ]
    report.findings = findings
    let table = table
    report.add(table, [.bars("the largest error", of: table, [ErrorColumns.maxUlp])])
    report.conclusion = claims.joined(separator: "; ")
    return report
  }

  /// Why algorithms that were asked for are not there.
  private var findings: [Finding] {
    let same = leftOut.filter { a in results.contains { $0.algorithm.kernel == a.kernel } }
    let others = leftOut.filter { !same.contains($0) }
    func finding(_ list: [Algorithm], _ reason: String, warns: Bool) -> [Finding] {
      list.isEmpty
        ? []
        : [
          Finding("left-out", "", Figures.list(list.map(\.description)) + reason, leads: false, warns: warns)
        ]
    }
    return finding(same, ": with two terms the order of summation changes nothing", warns: false)
      + finding(others, ": left out, no sweep over pairs is compiled for it", warns: true)
  }

  private var table: Table {
    typealias C = ErrorColumns
    var table = Table(rows: results.count)
    table.setWitnesses { i in
      let logits = results[i].result.witness
      return logits.isEmpty ? nil : "logits \(logits.map { Figures.number($0) }.joined(separator: ", "))"
    }
    table.add(C.algorithm) { .text(results[$0].algorithm.description) }
    table.add(C.nanRows) { .count(results[$0].result.nanPairs) }
    table.add(C.overflow) { .count(results[$0].result.overflow) }
    table.add(C.underflow) { .count(results[$0].result.underflow) }
    table.add(C.maxUlp) { i in
      let r = results[i].result
      var cell = Cell(text: Figures.number(r.maxUlp), value: .number(r.provenMaxUlp))
      if r.nanPairs + r.overflow > 0 {
        cell.caveat = "NaN for \(Figures.count(r.nanPairs)) pairs, \(Figures.count(r.overflow)) overflows"
      }
      return cell
    }
    table.add(C.logits) { i in
      let logits = results[i].result.witness
      return Cell(
        text: logits.map { Figures.number($0) }.joined(separator: ", "),
        value: .list(logits.map { .number($0) }))
    }
    table.add(C.witness) { i in
      .data(.object(["logits": .list(results[i].result.witness.map { .spelled($0, dtype) })]))
    }
    return table
  }

  /// One claim an algorithm.
  private var claims: [String] {
    results.map { algorithm, r in
      r.nanPairs + r.overflow == 0
        ? "proved: no pair of \(dtype) logits makes '\(algorithm)' err by more than \(Figures.number(r.maxUlp)) ulp"
        : "'\(algorithm)' has no bound: NaN for \(Figures.count(r.nanPairs)) pairs"
    }
  }
}

extension DType {
  /// How many finite numbers it has, one zero.
  var finiteCount: Int { numberFormat?.finiteValues.count ?? 0 }
}
