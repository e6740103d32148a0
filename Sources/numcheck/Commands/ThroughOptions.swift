import ArgumentParser
import NumKit
import Quant
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
  /// The schemes asked for; nil for a short list.
  let schemes: [any Scheme]?
  let threads: Int

  private static let usual = [
    "f16", "bf16", "f8e4m3fn@token", "int8@tensor", "int8@token", "int8@g32", "int4@g32", "mxfp8e4m3",
    "mxfp4",
    "nvfp4", "q8_0", "q4_0",
  ]

  func report() throws -> ThroughReport {
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

  /// The one tensor, to be read band by band.
  private func streamed() throws -> MatrixSource {
    guard let text = input.input else { return MatrixSource(input) }
    let list = try TensorList(text)
    guard list.items.count == 1, list.leftOut.isEmpty else {
      throw UsageError("--through needs one tensor: name it as FILE:TENSOR")
    }
    let view = list.view(list.items[0])
    try view.open()
    return try MatrixSource(view, name: list.name(list.items[0]), input)
  }

  /// The same held in memory, where a cure changes all of it.
  private func one() throws -> (String, TensorMatrix) {
    let (matrices, leftOut) = try CureRun(options: cures, input: input, schemes: [], threads: threads)
      .matrices()
    guard matrices.count == 1, leftOut.isEmpty else {
      throw UsageError("--through needs one tensor: name it as FILE:TENSOR")
    }
    return matrices[0]
  }

  private func softmax() throws -> ThroughReport {
    if cures.activations != nil { throw UsageError("--activations are for --through matmul") }
    let source = try streamed()
    let chosen = try treatments([(source.rows, source.columns)])
    // A cure changes all of a tensor at once; schemes as they are take it band by band.
    let whole = chosen.allSatisfy(\.isPlain) ? nil : try one().1
    try MemoryNeeds.requireRow(of: source, schemes: 1)
    let context = CureContext(seed: input.seed)
    let count = Double(source.rows * source.columns)
    var certificate = Certificate()
    let (results, skipped) = try each(chosen) { treatment in
      let (found, bits): (ThroughSoftmax, Int)
      if let whole {
        let made = try treatment.apply(whole, context: context)
        (found, bits) = (try ThroughSoftmax(whole, made.decoded, threads: threads), made.bits)
      } else {
        (found, bits) = try ThroughSoftmax.measured(source, treatment.scheme, threads: threads)
      }
      certificate.merge(found.certificate)
      return (name: treatment.name, bits: Double(bits) / count, errors: found)
    }
    return ThroughReport(
      purpose: .softmax,
      title: "\(source.name): \(Figures.count(source.rows)) rows of \(Figures.count(source.columns)) logits",
      facts: input.facts, input: InputCount(try NonFinite(source)), softmax: results, skipped: skipped,
      certificate: certificate)
  }

  private func matmul() throws -> ThroughReport {
    let source = try streamed()
    let context = try cures.context(seed: input.seed)
    guard let x = context.judges ?? context.activations else {
      throw UsageError("--through matmul needs --activations")
    }
    try checkFinite([x])
    let found = try NonFinite(source)
    if found.nan + found.infinite > 0 { throw Self.notFinite }
    let chosen = try treatments([(source.rows, source.columns), (x.rows, x.columns)])
    let whole = chosen.allSatisfy(\.isPlain) ? nil : try one().1
    try MemoryNeeds.requireRow(of: source, schemes: 1)
    let count = Double(source.rows * source.columns)
    var certificate = Certificate()
    let (results, skipped) = try each(chosen) { treatment in
      let (found, bits): (ThroughProduct, Int)
      if let whole {
        let made = try treatment.apply(whole, activations: x, context: context)
        found = try ThroughProduct(
          weights: whole, made.decoded, activations: x, made.activations, threads: threads)
        bits = made.bits
      } else {
        (found, bits) = try ThroughProduct.measured(
          source, treatment.scheme, activations: x, threads: threads)
      }
      certificate.merge(found.certificate)
      return (
        name: treatment.name, bits: Double(bits) / count,
        errors: [("weights", found.weights), ("activations", found.activations), ("both", found.both)]
      )
    }
    return ThroughReport(
      purpose: .matmul,
      title: "\(source.name): \(Figures.count(source.rows)) x \(Figures.count(source.columns)), "
        + "times \(Figures.count(x.rows)) tokens of \(ArgumentText.shown(cures.activations ?? ""))"
        + (context.judges == nil ? "" : " (cures saw the others)"), facts: input.facts,
      parts: results, skipped: skipped, certificate: certificate)
  }

  private func attention() throws -> ThroughReport {
    if cures.activations != nil { throw UsageError("--activations are for --through matmul") }
    guard let text = input.input else { throw UsageError("--through attention needs --input") }
    if input.rows != nil || input.axis != -1 {
      throw UsageError("--rows and --axis are not for --through attention: it takes whole tensors")
    }
    let tensors = try [text, options.keys ?? sibling(text, "k"), options.values ?? sibling(text, "v")].map {
      try FileTensor.one($0)
    }
    func heads(_ t: FileTensor) throws -> Int {
      guard t.shape.count == 2 || t.shape.count == 3 else {
        throw UsageError("\(t.name): attention needs [heads, tokens, size] or [tokens, size]")
      }
      return t.shape.count == 3 ? t.shape[0] : 1
    }
    guard try heads(tensors[1]) == heads(tensors[2]) else {
      throw UsageError("keys and values have different numbers of heads")
    }
    let matrices = try tensors.map(CureOptions.matrix)
    try checkFinite(matrices)
    let exact = try AttentionTensors(
      q: matrices[0], k: matrices[1], v: matrices[2], heads: heads(tensors[0]), kvHeads: heads(tensors[1]),
      isCausal: options.causal)
    let context = CureContext(seed: input.seed)
    var certificate = Certificate()
    let (results, skipped) = try each(treatments(matrices.map { ($0.rows, $0.columns) })) { treatment in
      let coded = try matrices.map { try treatment.apply($0, context: context) }
      var decoded = exact
      (decoded.q, decoded.k, decoded.v) = (coded[0].decoded, coded[1].decoded, coded[2].decoded)
      let found = try ThroughAttention(exact, decoded, threads: threads)
      certificate.merge(found.certificate)
      let count = matrices.reduce(0) { $0 + $1.values.count }
      return (
        name: treatment.name, bits: Double(coded.reduce(0) { $0 + $1.bits }) / Double(count),
        errors: [("q", found.queries), ("k", found.keys), ("v", found.values), ("all", found.all)]
      )
    }
    return ThroughReport(
      purpose: .attention,
      title: "\(text): \(exact.heads) heads of \(exact.queries) queries, \(exact.keys) keys"
        + (options.causal ? ", causal" : ""), facts: input.facts, parts: results,
      skipped: skipped, certificate: certificate)
  }

  private func checkFinite(_ matrices: [TensorMatrix]) throws {
    guard matrices.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else { throw Self.notFinite }
  }

  private static let notFinite = UsageError(
    "a tensor holds NaN or infinities: there is no exact result to compare with")

  /// `FILE:blk.0.k` for `FILE:blk.0.q`.
  private func sibling(_ text: String, _ letter: String) throws -> String {
    let specifier = TensorSpecifier(argument: text)
    guard let name = specifier.tensorName, name.hasSuffix("q") else {
      throw UsageError("--through attention needs --keys and --values where the input is not named …q")
    }
    return ArgumentText.text(of: specifier.path.bytes.map { CChar(bitPattern: $0) })
      + ":\(name.dropLast())\(letter)"
  }
}
