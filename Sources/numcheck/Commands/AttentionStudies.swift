import ArgumentParser
import NumKit
import Quant

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
    var heading = "attention, \(AttentionReport.size(shape))"
    if case .generated(let d, let range, let seed) = source.origin {
      heading += ", \(d.rawValue), R = \(Figures.number(range)), seed \(seed)"
    }
    var report = FlatReport(
      command: "attention --fa3", heading: heading + "\n" + KernelReport.proof(certificate),
      facts: [
        ("heads", .int(shape.heads)), ("queries", .int(shape.queries)), ("keys", .int(shape.keys)),
        ("headSize", .int(shape.headSize)), ("certificate", KernelReport.certificate(certificate)),
      ],
      columns: [
        ("way", "way", .left), ("lost", "lost", .right), ("RMSE", "rmse", .right),
        ("rel L1", "relativeL1", .right),
        ("max error", "maxAbsoluteError", .right), ("1-cosine", "oneMinusCosine", .right),
        ("of standard", "ofStandard", .right),
      ])
    for (i, way) in ways.enumerated() {
      let s = sums[i]
      // Each against the standard way of as many bits.
      let standard = sums[way.name.contains("fp8") ? 2 : 0]
      report.rows.append(
        [.text(way.name), .count(s.lostCount)]
          + [
            s.rmse, s.relativeL1, s.finiteCount == 0 ? .nan : s.maxAbsoluteError, 1 - s.cosine,
            s.rmse / standard.rmse,
          ].map { .number($0) })
    }
    try emit(report.text(as: format))
  }

  /// What 1/√d prevents.
  func sweep(_ sizes: String) throws {
    let list = sizes.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    guard list.allSatisfy({ (1...8192).contains($0) }) else {
      throw UsageError("--sweep-head-size \(sizes): must be numbers from 1 to 8192")
    }
    let threshold = gradientThreshold.value
    var report = FlatReport(
      command: "attention --sweep-head-size",
      heading: "share of rows whose softmax Jacobian has a norm below \(Figures.number(threshold)), "
        + "against the head size",
      facts: [("threshold", .number(threshold))],
      columns: [
        ("head size", "headSize", .right), ("scale", "scale", .left), ("score rms", "scoreRms", .right),
        ("entropy", "entropy", .right), ("largest p", "largestProbability", .right),
        ("Jacobian norm", "jacobianNorm", .right), ("saturated", "saturated", .right),
      ])
    for d in list {
      var options = input
      options.headSize = d
      options.tokens = options.tokens ?? 64
      let source = try AttentionInput(options)
      for (name, scale) in [("none", 1.0), ("1/sqrt(d)", nil)] as [(String, Double?)] {
        var parameters = try question.parameters(source)
        parameters.scale = scale
        let s = try AttentionSaturation(
          source.tensors, parameters, threshold: threshold, threads: threads.count)
        report.rows.append(
          [.init(text: "\(d)", value: .int(d)), .text(name)]
            + [s.scoreRMS, s.meanEntropy, s.meanPeak, s.meanNorm].map { .number($0) }
            + [.init(text: "\(Figures.short(100 * s.share)) %", value: .number(s.share))])
      }
    }
    try emit(report.text(as: format))
  }
}
