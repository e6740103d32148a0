import ArgumentParser
import NumKit
import Quant
import Reports
import TensorFiles

/// Flags of `quantize --through`.
struct ThroughOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Measure the error where it matters, against the proven answer: in the softmax of rows of logits, in the product "
        + "with --activations, or in attention (the input is q).", valueName: "softmax|matmul|attention"))
  var through: Purpose?

  @Option(
    help: ArgumentHelp(
      "Keys for --through attention (default: the input's tensor with k for q).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var keys: String?

  @Option(
    help: ArgumentHelp(
      "Values for --through attention (default: the input's tensor with v for q).", valueName: "FILE[:TENSOR]"
    ), completion: .file())
  var values: String?

  @Flag(help: "For --through attention: a query sees the keys up to its own.")
  var causal = false

  func validate() throws {
    if through != .attention && (keys != nil || values != nil || causal) {
      throw ValidationError("--keys, --values and --causal are for --through attention")
    }
  }
}

/// Runs `quantize --through`.
struct ThroughRun {
  let purpose: Purpose
  let options: ThroughOptions
  let cures: CureOptions
  let input: any InputChoice
  /// All that are named.
  let inputs: [String]
  let facts: [Fact]
  /// The schemes asked for; nil for a short list.
  let schemes: [any Scheme]?
  let threads: Int

  private static let usual = [
    "f16", "bf16", "f8e4m3fn@token", "int8@tensor", "int8@token", "int8@g32", "int4@g32", "mxfp8e4m3",
    "mxfp4",
    "nvfp4", "q8_0", "q4_0",
  ]

  func report() throws -> ThroughReport {
    if purpose != .matmul, cures.activations != nil {
      throw UsageError("--activations are for --through matmul")
    }
    do {
      switch purpose {
      case .softmax: return try softmax()
      case .matmul: return try matmul()
      case .attention: return try attention()
      }
    } catch let error as CureError {
      throw UsageError("\(error)")
    } catch let error as SchemeError {
      throw UsageError("\(error)")
    }
  }

  /// Every treatment of every scheme that fits matrices of these shapes.
  private func treatments(_ shapes: [(rows: Int, columns: Int)]) throws -> [Treatment] {
    let list = try schemes ?? Self.usual.map { try SchemeRegistry.scheme(named: $0) }
    let fitting = try list.filter { scheme in
      do {
        for m in shapes { _ = try scheme.byteCount(rows: m.rows, columns: m.columns) }
        return true
      } catch let error as SchemeError {
        if schemes != nil { throw error }
        return false
      }
    }
    if fitting.isEmpty { throw UsageError("no scheme fits") }
    return try fitting.flatMap { try cures.treatments(of: $0) }
  }

  /// What `measure` says of every treatment, and, where all cures are tried, those that do not fit; a scheme as it is must.
  private func each<Result>(
    _ treatments: [Treatment], _ measure: (Treatment) throws -> Result
  ) throws -> (results: [Result], skipped: [SkippedTreatment]) {
    var results: [Result] = []
    var skipped: [SkippedTreatment] = []
    for treatment in treatments {
      do {
        results.append(try measure(treatment))
      } catch {
        guard cures.cure.contains("all"), !treatment.isPlain, let one = SkippedTreatment(treatment, error)
        else { throw error }
        skipped.append(one)
      }
    }
    return (results, skipped)
  }

  /// What `body` finds of every tensor of the input.
  private func tensors(_ body: (MatrixSource) throws -> ThroughReport.Tensor) throws -> ThroughReport {
    var found: [ThroughReport.Tensor] = []
    let leftOut = try CuredTensors(inputs, input).forEach { source in
      try MemoryNeeds.requireRow(of: source, schemes: 4)
      found.append(try body(source))
    }
    if found.isEmpty { throw UsageError(leftOut.first.map { "\($0)" } ?? "nothing to measure") }
    return ThroughReport(purpose: purpose, facts: facts, tensors: found, leftOut: leftOut)
  }

  private func softmax() throws -> ThroughReport {
    let context = CureContext(seed: input.seed)
    return try tensors { source in
      let count = Double(source.rows * source.columns)
      var found = ThroughReport.Tensor(
        name: source.name,
        title: "\(source.name): \(Figures.count(source.rows)) rows of \(Figures.count(source.columns)) logits"
      )
      let (results, skipped) = try each(treatments([(source.rows, source.columns)])) { treatment in
        let (errors, bits) = try ThroughSoftmax.measured(
          TensorBands(source), treatment, context: context, threads: threads)
        found.certificate.merge(errors.certificate)
        return (name: treatment.name, bits: Double(bits) / count, errors: errors)
      }
      (found.softmax, found.skipped) = (results, skipped)
      found.input = InputCount(try NonFinite(source))
      return found
    }
  }

  private func matmul() throws -> ThroughReport {
    let context = try cures.context(seed: input.seed)
    guard let x = context.judges ?? context.activations else {
      throw UsageError("--through matmul needs --activations")
    }
    guard x.values.allSatisfy(\.isFinite) else { throw Self.notFinite }
    return try tensors { source in
      guard source.columns == x.columns else {
        throw CureError.activations(columns: x.columns, needed: source.columns)
      }
      try checkFinite(source)
      let count = Double(source.rows * source.columns)
      var found = ThroughReport.Tensor(
        name: source.name,
        title: "\(source.name): \(Figures.count(source.rows)) x \(Figures.count(source.columns)), "
          + "times \(Figures.count(x.rows)) tokens of \(ArgumentText.shown(cures.activations ?? ""))"
          + (context.judges == nil ? "" : " (cures saw the others)"))
      let shapes = [(source.rows, source.columns), (x.rows, x.columns)]
      let (results, skipped) = try each(treatments(shapes)) { treatment in
        let (errors, bits) = try ThroughProduct.measured(
          TensorBands(source), treatment, activations: x, context: context, threads: threads)
        found.certificate.merge(errors.certificate)
        return (
          name: treatment.name, bits: Double(bits) / count,
          errors: [
            ("weights", errors.weights), ("activations", errors.activations), ("both", errors.both),
          ]
        )
      }
      (found.parts, found.skipped) = (results, skipped)
      return found
    }
  }

  private func attention() throws -> ThroughReport {
    guard let text = inputs.first else { throw UsageError("--through attention needs --input") }
    if inputs.count > 1 {
      throw UsageError("--through attention takes one input, with --keys and --values, not \(inputs.count)")
    }
    if input.rows != nil || input.axis != -1 {
      throw UsageError("--rows and --axis are not for --through attention: it takes whole tensors")
    }
    let triples = try AttentionTriple.all(text, keys: options.keys, values: options.values)
    var found: [ThroughReport.Tensor] = []
    var leftOut: [LeftOut] = []
    for triple in triples {
      do {
        found.append(try attention(triple))
      } catch  where triples.count > 1 && !(error is OutOfMemory) {
        leftOut.append(LeftOut(triple.name, error))
      }
    }
    if found.isEmpty { throw UsageError(leftOut.first.map { "\($0)" } ?? "nothing to measure") }
    return ThroughReport(purpose: .attention, facts: facts, tensors: found, leftOut: leftOut)
  }

  private func attention(_ triple: AttentionTriple) throws -> ThroughReport.Tensor {
    let views = try triple.views()
    func heads(_ k: Int) throws -> Int {
      let shape = views[k].view.shape
      guard shape.count == 2 || shape.count == 3 else {
        throw UsageError("\(views[k].name): attention needs [heads, tokens, size] or [tokens, size]")
      }
      return shape.count == 3 ? shape[0] : 1
    }
    let sources = try views.map { try MatrixSource($0.view, name: $0.name, input) }
    let all = try (0..<3).map(heads)
    guard all[1] == all[2] else { throw UsageError("keys and values have different numbers of heads") }
    for source in sources { try checkFinite(source) }
    let tensors = try AttentionBands(
      q: TensorBands(sources[0]), k: TensorBands(sources[1]), v: TensorBands(sources[2]), heads: all[0],
      kvHeads: all[1], isCausal: options.causal)
    // The heads that share one of keys and values are held, five times in Double.
    let shared = Memory.product(tensors.queries, all[0] / all[1], sources[0].columns)
    let own = Memory.product(tensors.keys, sources[1].columns + sources[2].columns)
    try Memory.require(Memory.product(shared + own, 48), for: "\(triple.name): a head of keys")
    let context = CureContext(seed: input.seed)
    var found = ThroughReport.Tensor(
      name: triple.name,
      title: "\(triple.name): \(tensors.heads) heads of \(tensors.queries) queries, \(tensors.keys) keys"
        + (options.causal ? ", causal" : ""))
    let count = sources.reduce(0) { $0 + $1.rows * $1.columns }
    let (results, skipped) = try each(treatments(sources.map { ($0.rows, $0.columns) })) { treatment in
      let (errors, bits) = try ThroughAttention.measured(
        tensors, treatment, context: context, threads: threads)
      found.certificate.merge(errors.certificate)
      return (
        name: treatment.name, bits: Double(bits) / Double(count),
        errors: [("q", errors.queries), ("k", errors.keys), ("v", errors.values), ("all", errors.all)]
      )
    }
    (found.parts, found.skipped) = (results, skipped)
    return found
  }

  private func checkFinite(_ source: MatrixSource) throws {
    let found = try NonFinite(source)
    if found.nan + found.infinite > 0 { throw Self.notFinite }
  }

  private static let notFinite = UsageError(
    "a tensor holds NaN or infinities: there is no exact result to compare with")
}
