import NumKit
import RealModule

/// Attention as a right kernel of ours computes it: what defects are planted in.
struct PlantedAttention {
  /// The right kernel.
  let runner: AttentionRunner
  /// As it stores them.
  let tensors: AttentionInputs
  /// What is asked.
  let parameters: AttentionParameters

  /// The kernel, changed.
  func kernel(_ change: (inout AttentionRunner) -> Void = { _ in }) -> AttentionCandidate {
    var other = runner
    change(&other)
    return AttentionCandidate(other, parameters, on: tensors)
  }

  /// The kernel with its formats changed; nil where that is the same.
  func kernel(in change: (inout KernelConfiguration) -> Void) -> AttentionCandidate? {
    var configuration = runner.configuration
    change(&configuration)
    return configuration == runner.configuration ? nil : kernel { $0.configuration = configuration }
  }

  /// The kernel, asked something else.
  func kernel(asked other: OtherAttention) -> any Candidate<AttentionForward> {
    let kernel = AttentionCandidate(runner, other.parameters, on: other.tensors)
    return other.number.map { AnswersOfOthers(kernel: kernel, number: $0) } ?? kernel
  }
}

/// What kernels of attention get wrong: one line each.
enum AttentionDefects {
  typealias Defect = PlantedDefect<AttentionForward>

  static func all(_ right: PlantedAttention) -> [Defect] {
    maximum(right) + formats(right) + questions(right)
      + ResultDefect.allCases.map { Defect($0, right.kernel(), right.runner.outputFormat) }
  }

  /// Around the maximum.
  private static func maximum(_ right: PlantedAttention) -> [Defect] {
    let asked = right.parameters
    var list = [
      Defect(
        "no-shift", "no maximum subtracted: overflows where e^x does", right.kernel { $0.algorithm = .naive })
    ]
    guard asked.softmax == .plain, asked.norm == nil else { return list }
    let (runner, shape) = (right.runner, right.tensors.shape)
    func online(_ name: String, _ summary: String, follows: Bool) {
      guard shape.keys > runner.blockKeys else { return }
      list.append(
        Defect(name, summary, UnscaledAttention(runner: runner, parameters: asked, followsMaximum: follows)))
    }
    online(
      "stale-maximum", "the maximum of the first tile alone: overflows where the rest is far above",
      follows: false)
    online("skipped-rescale", "an online sum that is not rescaled where the maximum grows", follows: true)
    return list
  }

  /// Formats that are shorter than they should be.
  private static func formats(_ right: PlantedAttention) -> [Defect] {
    let runner = right.runner
    let dtype = runner.outputFormat
    func shorter(_ format: NumberFormat) -> [NumberFormat] {
      [.f16, .bf16].filter { $0.precision < format.precision }
    }
    var list = shorter(runner.configuration.accumulator).map { short in
      Defect(
        "\(short.name)-accumulator", "scores and outputs summed in \(short.name)",
        right.kernel { $0.configuration.accumulator = short })
    }
    list += shorter(runner.probabilities ?? runner.configuration.compute).map { short in
      Defect(
        "\(short.name)-probabilities", "probabilities in \(short.name)",
        right.kernel { $0.probabilities = short })
    }
    if let narrow = right.kernel(in: { $0.compute = dtype }) {
      list.append(Defect("\(dtype.name)-compute", "element-wise operations in \(dtype.name)", narrow))
    }
    if let wide = right.kernel(in: { $0.storage = .float($0.compute) }) {
      list.append(Defect(truncating: wide, to: dtype))
    }
    return list
  }

  /// Another question than was asked, rightly answered.
  private static func questions(_ right: PlantedAttention) -> [Defect] {
    let asked = right.parameters
    let isSeeing = asked.blindQueries(right.tensors.shape) == 0
    let context = AttentionContext(right.tensors, asked, right.runner.outputFormat)
    let others = AttentionHypothesisRegistry.families.flatMap { $0.alternatives(context).compactMap { $0 } }
    var known: [AttentionParameters] = [asked]
    let planted = others.filter { other in
      guard Defect.isPlanted(other.name) else { return false }
      guard other.number == nil, other.tensors.isSame(as: right.tensors) else { return true }
      // A policy for queries that see nothing, where there are none, changes nothing.
      var question = other.parameters
      if isSeeing { question.specialValues = asked.specialValues }
      // Two mistakes may be one: 1/d is the square of 1/sqrt(d).
      if known.contains(question) { return false }
      known.append(question)
      return true
    }
    var uniform = asked
    uniform.scale = 0
    return planted.map { Defect(mistake: $0.name, right.kernel(asked: $0)) } + [
      Defect(
        "uniform", "all keys that are seen weigh the same",
        AttentionCandidate(right.runner, uniform, on: right.tensors))
    ]
  }
}

/// Answers that stand where those of other queries ought to.
private struct AnswersOfOthers: Candidate {
  typealias Q = AttentionForward

  var kernel: AttentionCandidate
  let number: @Sendable (_ head: Int, _ query: Int) -> Int

  var name: String { kernel.name }

  func prepared() -> AnswersOfOthers { AnswersOfOthers(kernel: kernel.prepared(), number: number) }

  mutating func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) throws {
    var other = item
    other.row = number(item.head, item.query)
    other.block = other.row..<other.row + 1
    try kernel.answer(other, into: results, trace: &trace)
  }
}

/// An online kernel whose sums stay as they are where the maximum grows. One that does not follow the maximum needs no more than that
/// as long as nothing overflows.
private struct UnscaledAttention: Candidate {
  typealias Q = AttentionForward

  let runner: AttentionRunner
  let parameters: AttentionParameters
  /// Whether the maximum is that of all tiles so far, or of the first in which a key is seen.
  let followsMaximum: Bool

  var name: String { "unscaled" }

  func answer(
    _ item: AttentionForward.Item, into results: UnsafeMutableBufferPointer<Double>, trace: inout StageTrace
  ) {
    let (t, shape) = (item.tensors, item.tensors.shape)
    let (compute, sums) = (runner.configuration.compute, runner.configuration.accumulator)
    let kv = shape.keyHead(of: item.head)
    var (m, s) = (-Double.infinity, 0.0)
    var o = [Double](repeating: 0, count: shape.valueSize)
    for start in stride(from: 0, to: shape.keys, by: runner.blockKeys) {
      let keys = start..<Swift.min(start + runner.blockKeys, shape.keys)
      let scores = keys.map { compute.round(score(item, kv, $0)) }
      if followsMaximum || m == -.infinity { m = Swift.max(m, scores.max() ?? m) }
      for (j, x) in zip(keys, scores) where x > -.infinity {
        let p = compute.round(Double.exp(compute.round(x - m)))
        s = sums.round(s + p)
        let place = (kv * shape.keys + j) * shape.valueSize
        for c in o.indices { o[c] = sums.round(o[c] + p * t.v[place + c]) }
      }
    }
    for c in o.indices { results[c] = runner.outputFormat.round(compute.round(o[c] / s)) }
  }

  /// Scaled, capped, masked.
  private func score(_ item: AttentionForward.Item, _ kv: Int, _ j: Int) -> Double {
    let (t, shape) = (item.tensors, item.tensors.shape)
    let bias = parameters.mask.bias(
      head: item.head, query: item.query, key: j, queries: shape.queries, keys: shape.keys)
    guard bias > -.infinity else { return bias }
    let (q, k) = (item.row * shape.headSize, (kv * shape.keys + j) * shape.headSize)
    let product = (0..<shape.headSize).reduce(0) { $0 + t.q[q + $1] * t.k[k + $1] }
    var s = product * (parameters.scale ?? 1 / Double(shape.headSize).squareRoot())
    if let cap = parameters.softcap { s = cap * Double.tanh(s / cap) }
    return s + bias
  }
}
