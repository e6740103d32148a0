import NumKit
import Reports

extension AttentionReport {
  /// What the softmax looks like.
  var softmaxFindings: [Finding] {
    guard result.regularRows > 0 else { return [] }
    let e = experiment
    let tokens = e.sinkTokens == 1 ? "the first token" : "the first \(e.sinkTokens) tokens"
    let peak = result.heads.indices.max { result.heads[$0].sinkMass < result.heads[$1].sinkMass } ?? 0
    let computed = "\(configuration.storage)"
    let sinks = result.sinkHeads
    let entropies = result.heads.map(\.entropy).filter { !$0.isNaN }
    var list = [
      Finding(
        "sinks", "",
        "\(sinks.exact) of \(result.heads.count) heads put more than "
          + "\(Figures.number(AttentionMeasurement.sinkThreshold)) on \(tokens) (head \(peak): "
          + "\(Figures.short(result.heads[peak].sinkMass))); in \(computed) \(sinks.computed), "
          + "a head's mass moves by at most \(Figures.short(result.sinkShift))", leads: false)
    ]
    if let least = entropies.min(), let most = entropies.max() {
      list.append(
        Finding(
          "entropy", "",
          "\(Figures.short(least)) to \(Figures.short(most)) nats a head; in \(computed) it moves by at most "
            + Figures.short(result.entropyShift), leads: false))
    }
    list.append(
      Finding(
        "saturation", "",
        "\(Figures.count(result.saturatedRows)) of \(Figures.count(result.regularRows)) rows have a softmax Jacobian of "
          + "norm below \(Figures.number(e.gradientThreshold)), through which no gradient passes",
        leads: false))
    return list
  }

  /// The worst of all results.
  var witnessLines: [String] {
    guard let i = result.readingOrder.first(where: { result.entries[$0].kernel.witness != nil }),
      let w = result.entries[i].kernel.witness
    else { return [] }
    let e = result.entries[i]
    let queries = experiment.tensors.shape.queries
    var lines = [
      "worst result: \(e.runner.algorithm.rawValue), head \(w.row / queries), query \(w.row % queries), "
        + "index \(w.index): \(w.size)"
    ]
    lines += w.lines(.float(e.runner.outputFormat))
    return lines + e.sights.trace.lines { "head \($0 / queries), query \($0 % queries)" }
  }

  /// One line that a person can act on.
  var conclusion: String {
    // Where inputs overflow, that comes first.
    let warning = result.overflowedInputs == 0 ? "" : "of the inputs \(overflow); "
    let bugs = result.readingOrder.map { result.entries[$0] }.filter { $0.verdict == .bug }
    if bugs.isEmpty && result.isEmpty { return warning + "no query has a finite truth: nothing to measure" }
    var parts: [String] = []
    if let first = bugs.first, let fault = first.fault {
      let names = Figures.list(bugs.map(\.runner.algorithm.rawValue))
      let reason = fault.sentence(rows: first.kernel.rows, policy: experiment.parameters.specialValues)
      parts.append("\(names) \(bugs.count == 1 ? "is" : "are") wrong here: \(reason)")
    }
    if let best = result.best {
      let name = best.runner.algorithm.rawValue
      let errors =
        "RMSE \(Figures.short(best.sums.rmse)), \(Figures.short(best.totalSums.rmse)) in all"
      switch result.caution(best) {
      case .tooLong, .tooLarge, .cancelling:
        parts.append(
          "\(name): \(errors), but no bound can promise it: scores too large, rows too long or values that cancel"
        )
      case .inputs(let share):
        parts.append(
          "\(name) keeps its bound (\(errors)), yet storing the inputs in \(configuration.storage) alone moves "
            + "outputs by \(Figures.short(100 * share)) %")
      case .borderline(let count):
        parts.append(
          "\(name) keeps its bound (\(errors)), and \(Figures.count(count)) outputs are as near to the largest number "
            + "of \(configuration.storage) as that bound is wide: rounding decides whether they overflow")
      case .conditioning(let share):
        parts.append(
          "\(name) keeps its bound (\(errors)), yet outputs may be off by \(Figures.short(100 * share)) %")
      case nil: parts.append("\(name) holds: \(errors)")
      }
    } else if !bugs.isEmpty {
      parts.append("no algorithm that was tried holds in \(configuration.storage) on these queries")
    }
    return warning + parts.joined(separator: "; ")
  }
}

/// What attention's reports have in common.
enum AttentionWords {
  /// `9 heads (3 of keys) of 128 queries, 128 keys of 64`.
  static func size(_ s: AttentionShape) -> String {
    var text = "\(Figures.count(s.heads)) \(s.heads == 1 ? "head" : "heads")"
    if s.keyHeads != s.heads { text += " (\(Figures.count(s.keyHeads)) of keys)" }
    text += " of \(Figures.count(s.queries)) \(s.queries == 1 ? "query" : "queries")"
    return text + ", \(Figures.count(s.keys)) keys of \(Figures.count(s.headSize))"
  }

  /// What was asked.
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
    if m.causal {
      parts.append("causal" + (m.alignment == .topLeft && m.past == nil ? " from the top left" : ""))
    }
    if let past = m.past { parts.append("the first query after \(Figures.count(past)) keys") }
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
    return s + ": \(size(shape))"
  }
}

extension KernelConfiguration {
  var facts: [Fact] {
    [
      Fact("dtype", .text(storage.name), inRows: true), Fact("compute", .text(compute.name), inRows: true),
      Fact("accumulate", .text(accumulator.name), inRows: true),
    ]
  }
}

extension AttentionShape {
  var facts: [Fact] {
    [
      Fact("heads", .integer(heads), inRows: true), Fact("keyHeads", .integer(keyHeads), inRows: true),
      Fact("queries", .integer(queries), inRows: true), Fact("keys", .integer(keys), inRows: true),
      Fact("headSize", .integer(headSize), inRows: true), Fact("valueSize", .integer(valueSize)),
    ]
  }
}

extension AttentionInput.Origin {
  /// Where the tensors came from, behind their size.
  var phrase: String {
    switch self {
    case .files(let q, _, _): return " from \(ArgumentText.shown(q))"
    case .generated(let d, let range, let seed):
      return ", \(d.rawValue), R = \(Figures.number(range)), seed \(seed)"
    }
  }

  var facts: [Fact] {
    switch self {
    case .generated(let d, let range, let seed):
      return [
        Fact("seed", .unsigned(seed)), Fact("input.origin", .text("generated")),
        Fact("input.distribution", .text(d.rawValue)), Fact("input.range", .number(range)),
      ]
    case .files(let q, let k, let v):
      return [
        Fact("seed", .none), Fact("input.origin", .text("file")),
        Fact("input.q", .text(ArgumentText.shown(q))),
        Fact("input.k", .text(ArgumentText.shown(k))), Fact("input.v", .text(ArgumentText.shown(v))),
      ]
    }
  }
}

/// What is no number among queries, keys and values.
struct AttentionCount {
  private let counts: [(name: String, count: InputCount)]

  init(_ tensors: AttentionInputs) {
    let shape = tensors.shape
    counts = [
      ("q", tensors.q, shape.headSize), ("k", tensors.k, shape.headSize), ("v", tensors.v, shape.valueSize),
    ].map { name, values, width in
      var count = InputCount()
      values.withUnsafeBufferPointer { buffer in
        for row in 0..<buffer.count / Swift.max(width, 1) {
          count.add(row: row, UnsafeBufferPointer(rebasing: buffer[row * width..<(row + 1) * width]))
        }
      }
      return (name, count)
    }
  }

  /// Of all three together.
  var facts: [Fact] {
    var all = InputCount()
    for (_, count) in counts { all.merge(count) }
    return all.facts
  }

  /// A line each; rows are heads times tokens.
  var findings: [Finding] { counts.flatMap { $0.count.findings($0.name) } }
}
