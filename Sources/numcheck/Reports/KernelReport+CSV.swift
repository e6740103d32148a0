import NumKit

extension KernelReport {
  /// One line an algorithm, exact numbers, for spreadsheets and scripts.
  var csv: String {
    var columns = [
      "command", "dtype", "compute", "accumulate", "rows", "length", "algorithm", "verdict", "nan_rows",
      "overflow", "underflow", "max_ulp", "p99_ulp", "mean_ulp", "rms_ulp", "max_ulp_at_peak", "bound_kind",
      "bound_ulp",
      "total_max_ulp", "max_absolute_error", "max_relative_error", "headroom_bits",
    ]
    if operation == .softmax { columns += ["sum_error", "kl_max", "kl_mean", "top1_flips"] }
    var out = columns.joined(separator: ",") + "\n"
    for e in result.entries {
      let k = e.kernel
      var cells = [
        command, configuration.storage.name, configuration.compute.name, configuration.accumulator.name,
        "\(result.rows)", "\(result.length)", e.algorithm.description, e.verdict.rawValue, "\(k.nanRows)",
        "\(k.overflow)", "\(k.underflow)",
      ]
      cells += [k.maxUlp, k.quantileUlp(0.99), k.meanUlp, k.rmsUlp, k.maxUlpAtPeak].map(Figures.number)
      cells += [basis(e).kind(e.bound), e.bound == .none ? "" : Figures.number(e.boundUlp)]
      cells += [e.total.maxUlp, k.maxAbsolute, k.maxRelative, e.trace.headroom].map(Figures.number)
      if let d = e.distribution {
        cells += [d.maxSumError, d.maxDivergence, d.meanDivergence].map(Figures.number) + ["\(d.topFlips)"]
      }
      out += cells.joined(separator: ",") + "\n"
    }
    return out
  }
}
