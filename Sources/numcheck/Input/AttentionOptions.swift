import ArgumentParser
import NumKit

/// Which attention is asked for.
struct AttentionQuestionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Factor of the scores: 'auto' (1/sqrt of the head size), 'none', or a number.",
      valueName: "auto|none|X"))
  var scale: String = "auto"

  @Option(help: "Where the scale is applied: 'after' the product, or 'before', to the query.")
  var scaleAt: AttentionParameters.Placement = .after

  @Flag(help: "A query sees no later key; the last query sees the last key.")
  var causal = false

  @Option(
    help:
      "Where the causal diagonal lies: 'bottom-right', or 'top-left' (the first query sees the first key).")
  var causalAlignment: AttentionMask.Alignment = .bottomRight

  @Option(
    help: ArgumentHelp(
      "Keys before the first query: query i stands at N + i, whatever the number of keys.", valueName: "N"),
    transform: Whole.number)
  var past: Int?

  @Option(
    help: ArgumentHelp(
      "See no more than so many keys before one's own, and after.", valueName: "LEFT[,RIGHT]"))
  var window: String?

  @Option(
    help: ArgumentHelp("First keys that stay visible whatever the window.", valueName: "N"),
    transform: Whole.number)
  var sinks: Int = 0

  @Option(
    help: ArgumentHelp("Number of real keys; later ones are padding.", valueName: "N"),
    transform: Whole.number)
  var padding: Int?

  @Option(
    help: ArgumentHelp(
      "Added to the scores (booleans: false hides); broadcast to [… heads, queries, keys] as in NumPy.",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var mask: String?

  @Option(help: ArgumentHelp("Scores become C tanh(s/C).", valueName: "C"))
  var softcap: NumberArgument?

  @Option(
    help: ArgumentHelp(
      "Divide queries and keys by their norm: 'l2' or 'rms', with an epsilon after a colon (default: 0 and 1e-6).",
      valueName: "l2|rms[:EPS]"))
  var qkNorm: String?

  @Option(
    help: ArgumentHelp(
      "'plain', 'one' (a 1 in the denominator), 'sink:B[,B...]' (learned sink logits, one or one a head), 'clipped:L,U'.",
      valueName: "variant"))
  var softmax: String = "plain"

  @Option(help: "Queries that see nothing: 'ieee' (NaN), 'safe' (0) or 'uniform'.")
  var policy: SpecialValues = .ieee

  func validate() throws {
    if causalAlignment != .bottomRight && !causal && window == nil {
      throw ValidationError("--causal-alignment is for --causal or --window")
    }
    if past != nil && !causal && window == nil { throw ValidationError("--past is for --causal or --window") }
    if past != nil && causalAlignment != .bottomRight {
      throw ValidationError("--past and --causal-alignment both place the queries: take one")
    }
    if let past, !(0...1 << 40).contains(past) { throw ValidationError("--past must be 0 to \(1 << 40)") }
    if sinks > 0 && window == nil { throw ValidationError("--sinks is for --window") }
  }

  func parameters(_ input: AttentionInput) throws -> AttentionParameters {
    let shape = input.tensors.shape
    var p = AttentionParameters(placement: scaleAt, softcap: softcap?.value, specialValues: policy)
    switch scale {
    case "auto": p.scale = nil
    case "none": p.scale = 1
    default:
      guard let x = Double(scale), x.isFinite else {
        throw UsageError("--scale \(scale): must be auto, none or a finite number")
      }
      p.scale = x
    }
    if let cap = softcap?.value, !(cap > 0 && cap.isFinite) {
      throw UsageError("--softcap must be positive and finite")
    }
    p.norm = try qkNorm.map(Self.norm)
    p.softmax = try Self.softmax(softmax, heads: shape.heads)
    guard sinks >= 0, padding ?? 0 >= 0 else { throw UsageError("--sinks and --padding must be 0 or more") }
    if let padding, padding > shape.keys {
      throw UsageError("--padding \(padding): there are \(shape.keys) keys")
    }
    p.mask = AttentionMask(
      causal: causal, alignment: causalAlignment, past: past, sinks: sinks, length: padding)
    if let window { (p.mask.left, p.mask.right) = try Self.window(window) }
    if let mask { p.mask.additive = try MaskFile(mask, shape, heads: input.headShape).additive }
    guard p.fits(shape) else { throw UnfitAttention() }
    return p
  }

  private static func norm(_ text: String) throws -> QueryKeyNorm {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard let kind = QueryKeyNorm.Kind(rawValue: parts[0]), parts.count <= 2 else {
      throw UsageError("--qk-norm \(text): must be l2 or rms, with an epsilon after a colon")
    }
    guard parts.count == 2 else { return QueryKeyNorm(kind, epsilon: kind == .rms ? 1e-6 : 0) }
    guard let e = Double(parts[1]), e >= 0, e.isFinite else {
      throw UsageError("--qk-norm \(text): the epsilon must be 0 or more")
    }
    return QueryKeyNorm(kind, epsilon: e)
  }

  private static func softmax(_ text: String, heads: Int) throws -> AttentionSoftmax {
    if text == "plain" { return .plain }
    if text == "one" { return .sink([0]) }
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let numbers =
      parts.count == 2
      ? parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan } : []
    guard !numbers.isEmpty, numbers.allSatisfy(\.isFinite) else {
      throw UsageError("--softmax \(text): must be plain, one, sink:B[,B...] or clipped:L,U")
    }
    switch parts[0] {
    case "sink" where numbers.count == 1 || numbers.count == heads: return .sink(numbers)
    case "sink": throw UsageError("--softmax \(text): one sink logit, or one for each of \(heads) heads")
    case "clipped" where numbers.count == 2 && numbers[0] <= 0 && numbers[1] >= 1:
      return .clipped(lower: numbers[0], upper: numbers[1])
    case "clipped": throw UsageError("--softmax \(text): clips to L <= 0 and U >= 1")
    default: throw UsageError("--softmax \(text): must be plain, one, sink:B[,B...] or clipped:L,U")
    }
  }

  private static func window(_ text: String) throws -> (Int?, Int?) {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(parts.count), parts.allSatisfy({ $0 ?? -1 >= 0 }) else {
      throw UsageError("--window \(text): must be LEFT or LEFT,RIGHT, each 0 or more")
    }
    return (parts[0], parts.count == 2 ? parts[1] : nil)
  }
}

/// How attention is computed.
struct AttentionKernelOptions: ParsableArguments {
  @Option(help: "What probabilities are cast to before they meet V (default: the compute format).")
  var probabilities: DType?

  @Option(
    name: .customLong("p-scale"),
    help: ArgumentHelp("Power of two that P is multiplied by before the cast (default: 1).", valueName: "S"))
  var pScale: NumberArgument?

  @Option(
    help: ArgumentHelp(
      "Algorithm to run, repeatable: naive, standard, flash, split-kv, all (default: all).", valueName: "name"
    ))
  var algorithm: [String] = []

  @Option(
    help: ArgumentHelp("Queries a tile: changes no digit of a row (default: 64).", valueName: "N"),
    transform: Whole.number)
  var blockQ: Int?

  @Option(help: ArgumentHelp("Keys a tile of flash (default: 64).", valueName: "N"), transform: Whole.number)
  var blockK: Int?

  @Option(
    help: ArgumentHelp("Shares of the keys for split-kv (default: 4).", valueName: "N"),
    transform: Whole.number)
  var splits: Int?

  @Option(
    help: ArgumentHelp(
      "For flash: rescale the accumulator only when the maximum has grown by more than this, in nats (default: 0).",
      valueName: "X"))
  var lazyRescale: NumberArgument?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Put this finite score in place of hidden ones, as some kernels do.", valueName: "X"))
  var sentinel: NumberArgument?

  @Flag(
    help:
      "Multiply hidden keys' values by 0, as kernels do that hide by adding to scores: 0 NaN is NaN.")
  var multiplyHidden = false

  /// Whether nothing was asked for.
  var isDefault: Bool {
    !multiplyHidden && algorithm.isEmpty && probabilities == nil && pScale == nil && blockQ == nil
      && blockK == nil
      && splits == nil && lazyRescale == nil && sentinel == nil
  }

  func validate() throws {
    if ![blockQ, blockK, splits].allSatisfy({ 1...(1 << 20) ~= $0 ?? 1 }) {
      throw ValidationError("--block-q, --block-k and --splits must be 1 to \(1 << 20)")
    }
    if let x = lazyRescale?.value, !(x >= 0 && x.isFinite) {
      throw ValidationError("--lazy-rescale must be finite and 0 or more")
    }
    if let s = pScale?.value, !(s > 0 && s.significand == 1 && s.exponent.magnitude < 100) {
      throw ValidationError("--p-scale must be a power of two")
    }
    if let sentinel, !sentinel.value.isFinite { throw ValidationError("--sentinel must be finite") }
  }

  func runners(_ configuration: KernelConfiguration, _ parameters: AttentionParameters) throws
    -> [AttentionRunner]
  {
    var cast: NumberFormat?
    if let probabilities {
      guard let format = probabilities.numberFormat, format != .e8m0 else {
        throw UsageError("--probabilities \(probabilities): not a format to cast to")
      }
      cast = format
    }
    // Clipping needs whole rows.
    var all = AttentionAlgorithm.allCases
    if case .clipped = parameters.softmax { all = [.naive, .standard] }
    let chosen = try AttentionAlgorithm.chosen(algorithm, all: all)
    for (flag, isSet, owner) in [
      ("--block-k", blockK != nil, AttentionAlgorithm.flash), ("--splits", splits != nil, .splitKV),
      ("--lazy-rescale", lazyRescale != nil, .flash),
    ] where isSet && !chosen.contains(owner) {
      throw UsageError("\(flag) is for \(owner.rawValue), which does not run here")
    }
    return chosen.map {
      AttentionRunner(
        $0, configuration, probabilities: cast, probabilityScale: pScale?.value ?? 1, blockKeys: blockK ?? 64,
        splits: $0 == .splitKV ? splits ?? 4 : nil, laziness: lazyRescale?.value ?? 0,
        sentinel: sentinel?.value, multipliesHidden: multiplyHidden)
    }
  }
}

extension AttentionParameters.Placement: ExpressibleByArgument {}
extension AttentionMask.Alignment: ExpressibleByArgument {}

extension AttentionAlgorithm {
  /// The algorithms of those names, `all` of them where there is none.
  static func chosen(_ names: [String], all: [AttentionAlgorithm]) throws -> [AttentionAlgorithm] {
    var chosen: [AttentionAlgorithm] = []
    for name in (names.isEmpty ? ["all"] : names).flatMap({ $0.split(separator: ",").map(String.init) }) {
      let found = name == "all" ? all : AttentionAlgorithm(rawValue: name).map { [$0] } ?? []
      if found.isEmpty {
        throw UsageError(
          "no algorithm '\(name)' for attention; there are: "
            + AttentionAlgorithm.allCases.map(\.rawValue).joined(separator: ", "))
      }
      for a in found where !chosen.contains(a) { chosen.append(a) }
    }
    if chosen.isEmpty { throw UsageError("--algorithm names none") }
    return chosen
  }
}
