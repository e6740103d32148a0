import NumKit

/// All that a report says of attention. Emitters turn it into text and do no arithmetic.
struct AttentionReport: CheckedReport {
  let configuration: KernelConfiguration
  let experiment: AttentionExperiment
  let origin: AttentionInput.Origin
  let result: AttentionMeasurement
  let checks: [Check]

  var shape: AttentionShape { experiment.tensors.shape }

  /// `9 heads (3 of keys) of 128 queries, 128 keys of 64`.
  static func size(_ s: AttentionShape) -> String {
    var text = "\(Figures.count(s.heads)) \(s.heads == 1 ? "head" : "heads")"
    if s.keyHeads != s.heads { text += " (\(Figures.count(s.keyHeads)) of keys)" }
    text += " of \(Figures.count(s.queries)) \(s.queries == 1 ? "query" : "queries")"
    return text + ", \(Figures.count(s.keys)) keys of \(Figures.count(s.headSize))"
  }

  /// What was asked, in words.
  var question: String { Self.question(experiment.parameters, shape) }

  static func question(_ p: AttentionParameters, _ shape: AttentionShape) -> String {
    var parts: [String] = []
    switch p.scale {
    case nil: parts.append("scale 1/sqrt(\(shape.headSize))")
    case 1: parts.append("no scale")
    case let x?: parts.append("scale \(Figures.number(x))")
    }
    if p.placement == .before { parts[0] += " before the product" }
    if let cap = p.softcap { parts.append("capped at \(Figures.number(cap))") }
    if let norm = p.norm { parts.append("QK-norm \(norm.kind.rawValue)") }
    switch p.softmax {
    case .plain: break
    case .sink([0]): parts.append("1 in the denominator")
    case .sink: parts.append("learned sink logits")
    case .clipped(let l, let u):
      parts.append("softmax clipped from [\(Figures.number(l)), \(Figures.number(u))]")
    }
    let m = p.mask
    if m.causal { parts.append("causal" + (m.alignment == .topLeft ? " from the top left" : "")) }
    if let left = m.left {
      let right = m.right.map { ",\(Figures.count($0))" } ?? ""
      parts.append("window \(Figures.count(left))\(right)")
    }
    if m.sinks > 0 { parts.append("first \(Figures.count(m.sinks)) kept") }
    if let length = m.length { parts.append("padding from \(Figures.count(length))") }
    if !m.additive.isEmpty { parts.append("mask") }
    return parts.joined(separator: ", ")
  }

  /// What was run, in one line.
  var heading: String {
    Self.heading("attention", configuration, experiment.runners.first, shape) + Self.source(origin)
  }

  static func heading(
    _ name: String, _ configuration: KernelConfiguration, _ runner: AttentionRunner?, _ shape: AttentionShape
  ) -> String {
    var s = "\(name) in \(configuration.storage)"
    let output = runner?.outputFormat ?? configuration.compute
    if configuration.compute != output || configuration.storage.numberFormat == nil {
      s += ", computed in \(configuration.compute.name)"
    }
    if configuration.accumulator != configuration.compute {
      s += ", summed in \(configuration.accumulator.name)"
    }
    if let p = runner?.probabilities, p != configuration.compute {
      s += ", P in \(p.name)"
    }
    return s + ": \(Self.size(shape))"
  }

  /// Where the tensors came from, behind their size.
  static func source(_ origin: AttentionInput.Origin) -> String {
    switch origin {
    case .files(let q, _, _): return " from \(q)"
    case .generated(let d, let range, let seed):
      return ", \(d.rawValue), R = \(Figures.number(range)), seed \(seed)"
    }
  }

  /// The order to read in: the worst verdict first, then the larger error.
  var readingOrder: [Int] {
    result.entries.indices.sorted {
      let (a, b) = (result.entries[$0], result.entries[$1])
      if a.verdict != b.verdict { return KernelReport.rank(a.verdict) > KernelReport.rank(b.verdict) }
      if a.kernel.nanRows != b.kernel.nanRows { return a.kernel.nanRows > b.kernel.nanRows }
      if a.sums.rmse != b.sums.rmse { return a.sums.rmse > b.sums.rmse }
      return $0 < $1
    }
  }

  /// Heads whose mean mass on the first tokens is above 0.3, in truth and as the baseline computes it.
  var sinkHeads: (exact: Int, computed: Int) {
    (result.heads.count { $0.sinkMass > 0.3 }, result.heads.count { $0.computedSinkMass > 0.3 })
  }

  /// The largest change of a head's mass on the first tokens.
  var sinkShift: Double {
    result.heads.reduce(0) {
      let d = ($1.sinkMass - $1.computedSinkMass).magnitude
      return d.isNaN ? $0 : Swift.max($0, d)
    }
  }

  /// What a conclusion begins with where inputs overflow.
  private var warning: String { result.overflowedInputs == 0 ? "" : "of the inputs \(overflow); " }

  /// `1,024 of 262,144 overflow f16`.
  var overflow: String {
    let s = shape
    let count =
      s.heads * s.queries * s.headSize + s.keyHeads * s.keys * (s.headSize + s.valueSize)
    return
      "\(Figures.count(result.overflowedInputs)) of \(Figures.count(count)) overflow \(configuration.storage)"
  }

  /// One line that a person can act on.
  var conclusion: String {
    if result.entries.allSatisfy({ $0.kernel.finiteCount == 0 && $0.verdict == .ok }) {
      return warning + "no query has a finite truth: nothing to measure"
    }
    let order = readingOrder.map { result.entries[$0] }
    let bugs = order.filter { $0.verdict == .bug }
    let rest = order.filter { $0.verdict != .bug && $0.kernel.finiteCount > 0 }
    var parts: [String] = []
    if let first = bugs.first {
      let names = bugs.map(\.runner.algorithm.rawValue).joined(separator: ", ")
      parts.append("\(names) \(bugs.count == 1 ? "is" : "are") wrong here: \(reason(first))")
    }
    if let best = rest.min(by: { $0.totalSums.rmse < $1.totalSums.rmse }) {
      let name = best.runner.algorithm.rawValue
      let errors = "RMSE \(Figures.short(best.sums.rmse)), \(Figures.short(best.totalSums.rmse)) in all"
      switch best.verdict {
      case .vacuous:
        parts.append(
          "\(name): \(errors), but no bound can promise it: scores too large, rows too long or values that cancel"
        )
      case .illConditioned:
        let cause =
          result.inherent > best.kernel.maxNormwise
          ? "storing the inputs in \(configuration.storage) alone moves outputs by \(Figures.short(100 * result.inherent)) %"
          : "outputs may be off by \(Figures.short(100 * best.kernel.maxNormwise)) %"
        parts.append("\(name) keeps its bound (\(errors)), yet \(cause)")
      default: parts.append("\(name) holds: \(errors)")
      }
    }
    return warning + parts.joined(separator: "; ")
  }

  private func reason(_ e: AttentionMeasurement.Entry) -> String {
    let k = e.kernel
    let birth = e.sights.trace.firstOverflow.map { ", after an overflow in '\($0.stage.rawValue)'" } ?? ""
    if k.nanRows > 0 { return "NaN in \(Figures.count(k.nanRows)) of \(Figures.count(k.rows)) rows\(birth)" }
    if k.overflow > 0 { return "\(Figures.count(k.overflow)) finite results came out infinite\(birth)" }
    if k.specialMismatches > 0 {
      return "\(Figures.count(k.specialMismatches)) results should be NaN or infinite and are not"
    }
    if k.aboveBound == 0 { return "results are spoiled\(birth)" }
    return "\(Figures.count(k.aboveBound)) results err by more than a sound bound allows"
  }
}
