import ArgumentParser
import NumKit
import Quant
import Reports

/// Two studies that take attention's flags and answer with a table of their own.
extension AttentionCommand {
  /// FlashAttention-3 §4.3: RMSE of f16 and fp8 ways on inputs with outliers.
  func compareAsFlashAttention3() throws {
    var options = input
    if options.q == nil {
      options.tokens = options.tokens ?? 4096
      options.headSize = options.headSize ?? 128
      options.distribution = options.distribution ?? .outlier
    }
    let source = try AttentionInput(options)
    let shape = source.tensors.shape
    let parameters = try question.parameters(source)
    guard shape.headSize & (shape.headSize - 1) == 0 else {
      throw UsageError("--fa3 rotates: a head size of \(shape.headSize) is no power of two")
    }
    let ways = AttentionComparison.ways
    let progress = Progress(total: shape.heads * shape.queries)
    let (sums, certificate) = try AttentionComparison.run(
      ways, source.tensors, parameters, seed: input.seed, threads: threads.count, progress: progress.callback)
    progress.finish()
    var made = Report(
      "attention --fa3", title: "attention, \(AttentionWords.size(shape))\(source.origin.phrase)")
    made.facts = source.origin.facts + AttentionCount(source.tensors).facts + shape.facts
    made.facts += [
      Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
      Fact("certificate", .certificate(certificate)),
    ]
    made.notes = [AttentionWords.question(parameters, shape), certificate.line]
    made.findings = AttentionCount(source.tensors).findings
    typealias A = AttentionColumns
    var table = Table(rows: ways.count)
    table.add(A.way) { .text(ways[$0].name) }
    table.addSums { sums[$0] }
    table.add(A.ofStandard) { i in
      // Each against the standard way of as many bits.
      let standard = sums[ways[i].name.contains("fp8") ? 2 : 0]
      return .number(
        sums[i].rmse / standard.rmse, unless: "the standard has no error, or nothing is finite")
    }
    made.add(table, [.bars("the error of each way", of: table, [A.rmse])])
    try report.finish(made)
  }

  /// What 1/√d prevents.
  func sweep(_ sizes: String) throws {
    let list = sizes.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard list.allSatisfy({ (1...8192).contains($0) }) else {
      throw UsageError("--sweep-head-size \(sizes): must be numbers from 1 to 8192")
    }
    let threshold = gradientThreshold.value
    var rows: [(size: Int, scale: String, found: AttentionSaturation)] = []
    for d in list {
      var options = input
      options.headSize = d
      options.tokens = options.tokens ?? 64
      let source = try AttentionInput(options)
      for (name, scale) in [("none", 1.0), ("1/sqrt(d)", nil)] as [(String, Double?)] {
        var parameters = try question.parameters(source)
        parameters.scale = scale
        let found = try AttentionSaturation(
          source.tensors, parameters, threshold: threshold, threads: threads.count)
        rows.append((d, name, found))
      }
    }
    typealias A = AttentionColumns
    let nothing = "no row sees more than one key"
    var table = Table(rows: rows.count)
    table.add(A.headSize) { Cell(text: "\(rows[$0].size)", value: .integer(rows[$0].size)) }
    table.add(A.scale) { .text(rows[$0].scale) }
    table.add(A.scoreRMS) { .number(rows[$0].found.scoreRMS, unless: nothing) }
    table.add(A.entropy) { .number(rows[$0].found.meanEntropy, unless: nothing) }
    table.add(A.largestProbability) { .number(rows[$0].found.meanPeak, unless: nothing) }
    table.add(A.jacobianNorm) { .number(rows[$0].found.meanNorm, unless: nothing) }
    table.add(A.saturated) { .percent(rows[$0].found.share, unless: nothing) }
    var made = Report(
      "attention --sweep-head-size",
      title: "share of rows whose softmax Jacobian has a norm below \(Figures.number(threshold)), "
        + "against the head size")
    made.facts = [Fact("threshold", .number(threshold)), Fact("seed", .unsigned(input.seed))]
    made.add(
      table, [.lines("rows that no longer learn", of: table, x: A.headSize, y: A.saturated, by: A.scale)])
    try report.finish(made)
  }
}
