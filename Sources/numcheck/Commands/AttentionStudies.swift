import ArgumentParser
import NumKit

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
    let parameters = try question.parameters(shape)
    guard shape.headSize & (shape.headSize - 1) == 0 else {
      throw UsageError("--fa3 rotates: a head size of \(shape.headSize) is no power of two")
    }
    let ways = AttentionComparison.ways
    let progress = Progress(total: shape.heads * shape.queries)
    let (sums, certificate) = try AttentionComparison.run(
      ways, source.tensors, parameters, seed: input.seed, threads: threads.count, progress: progress.callback)
    progress.finish()
    var table = Table(columns: [
      ("way", .left), ("RMSE", .right), ("rel L1", .right), ("max error", .right), ("1-cosine", .right),
      ("of standard", .right),
    ])
    for (i, way) in ways.enumerated() {
      let s = sums[i]
      // Each against the standard way of as many bits.
      let standard = sums[way.name.contains("fp8") ? 2 : 0]
      table.rows.append(
        [way.name]
          + [s.rmse, s.relativeL1, s.largest, 1 - s.cosine, s.rmse / standard.rmse].map(Figures.short))
    }
    var heading = "attention, \(AttentionReport.size(shape))"
    if case .generated(let d, let range, let seed) = source.origin {
      heading += ", \(d.rawValue), R = \(Figures.number(range)), seed \(seed)"
    }
    try show(table, heading: heading + "\n" + KernelReport.proof(certificate), name: "attention --fa3")
  }

  /// What 1/√d prevents.
  func sweep(_ sizes: String) throws {
    let list = sizes.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard list.allSatisfy({ (1...8192).contains($0) }) else {
      throw UsageError("--sweep-head-size \(sizes): must be numbers from 1 to 8192")
    }
    var table = Table(columns: [
      ("head size", .right), ("scale", .left), ("score rms", .right), ("entropy", .right),
      ("largest p", .right),
      ("Jacobian norm", .right), ("saturated", .right),
    ])
    for d in list {
      var options = input
      options.headSize = d
      options.tokens = options.tokens ?? 64
      let source = try AttentionInput(options)
      for (name, scale) in [("none", 1.0), ("1/sqrt(d)", nil)] as [(String, Double?)] {
        var parameters = try question.parameters(source.tensors.shape)
        parameters.scale = scale
        let s = try AttentionSaturation(
          source.tensors, parameters, threshold: gradientThreshold.value, threads: threads.count)
        table.rows.append(
          ["\(d)", name] + [s.scoreRMS, s.meanEntropy, s.meanPeak, s.meanNorm].map(Figures.short)
            + ["\(Figures.short(100 * s.share)) %"])
      }
    }
    let limit = Figures.number(gradientThreshold.value)
    try show(
      table, heading: "share of rows whose softmax Jacobian has a norm below \(limit), against the head size",
      name: "attention --sweep-head-size")
  }

  private func show(_ table: Table, heading: String, name: String) throws {
    switch format {
    case .text: try emit(heading + "\n\n" + table.text())
    case .markdown: try emit("### " + heading.replacing("\n", with: "\n\n") + "\n\n" + table.markdown)
    case .csv: try emit(table.csv)
    case .json: try emit(table.json(command: name).text)
    }
  }
}
