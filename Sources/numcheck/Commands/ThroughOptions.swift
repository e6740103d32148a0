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
      "Keys for --through attention (default: the input's tensor with k for q).", valueName: "FILE[:TENSOR]"))
  var keys: String?

  @Option(
    help: ArgumentHelp(
      "Values for --through attention (default: the input's tensor with v for q).", valueName: "FILE[:TENSOR]"
    ))
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
  private func treatments(_ shapes: [TensorMatrix]) throws -> [Treatment] {
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
    let (name, x) = try one()
    let context = CureContext(seed: input.seed)
    var certificate = Certificate()
    let (results, skipped) = try each(treatments([x])) { treatment in
      let (decoded, bits) = try treatment.apply(x, context: context)
      let found = try ThroughSoftmax(x, decoded, threads: threads)
      certificate.merge(found.certificate)
      return (name: treatment.name, bits: Double(bits) / Double(x.values.count), errors: found)
    }
    return ThroughReport(
      purpose: .softmax,
      title: "\(name): \(Figures.count(x.rows)) rows of \(Figures.count(x.columns)) logits",
      facts: input.facts,
      input: x.values.withUnsafeBufferPointer { InputCount($0, columns: x.columns) }, softmax: results,
      skipped: skipped, certificate: certificate)
  }

  private func matmul() throws -> ThroughReport {
    let (name, w) = try one()
    let context = try cures.context(seed: input.seed)
    guard let x = context.judges ?? context.activations else {
      throw UsageError("--through matmul needs --activations")
    }
    try checkFinite([w, x])
    var certificate = Certificate()
    let (results, skipped) = try each(treatments([w, x])) { treatment in
      let (decoded, bits, decodedX) = try treatment.apply(w, activations: x, context: context)
      let found = try ThroughProduct(weights: w, decoded, activations: x, decodedX, threads: threads)
      certificate.merge(found.certificate)
      return (
        name: treatment.name, bits: Double(bits) / Double(w.values.count),
        errors: [("weights", found.weights), ("activations", found.activations), ("both", found.both)]
      )
    }
    return ThroughReport(
      purpose: .matmul,
      title: "\(name): \(Figures.count(w.rows)) x \(Figures.count(w.columns)), "
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
    let (results, skipped) = try each(treatments(matrices)) { treatment in
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
    guard matrices.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
      throw UsageError("a tensor holds NaN or infinities: there is no exact result to compare with")
    }
  }

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
