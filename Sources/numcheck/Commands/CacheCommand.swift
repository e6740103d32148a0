import ArgumentParser
import NumKit
import Quant
import Reports

/// The size of a key-value cache, and what a format costs.
struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kvcache",
    abstract: "The size of a key-value cache in any format, and what that does to attention.",
    discussion: """
      Sizes count scales (32 bits each, and a zero point of 8 where codes have no sign) and the tokens that stay in \
      f16. With --q, --k and --v, or --measure, attention is decoded step by step from such a cache and held \
      against the proven full causal pass. With --all-layers --k and --v are files of all layers, their tensors told \
      apart by 'k' and 'v' in their names where the file is the same: what each format makes of the keys and values of \
      each layer, the worst first; with --q attention too.
      """)

  @Option(help: ArgumentHelp("Layers of the model.", valueName: "N"), transform: Whole.number)
  var layers: Int = 1

  @Option(help: ArgumentHelp("Batch: sequences at once.", valueName: "N"), transform: Whole.number)
  var batch: Int = 1

  @Option(
    help: ArgumentHelp("Tokens in the cache (default: those measured, or 4096).", valueName: "N"),
    transform: Whole.number)
  var length: Int?

  @Option(
    help: ArgumentHelp(
      "Scheme of the cache, repeatable: f16, int8@token, int4@g32, int8@channelN (N tokens share a channel's scale), q8_0, …",
      valueName: "name"))
  var cache: [String] = []

  @Option(help: ArgumentHelp("Last tokens that stay in f16.", valueName: "N"), transform: Whole.number)
  var recent: Int = 0

  @Flag(help: "Decode generated tensors and measure the errors.") var measure = false

  @Flag(help: "Measure every layer that --k and --v hold, --q too where it is given.") var allLayers = false

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "View") var view: ViewOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  private static let usual = [
    "f16", "f8e4m3fn", "f8e4m3fn@token", "int8@token", "int8@channel", "int8@g32", "int4@token",
    "int4@channel",
    "int4@g32", "uint4@g32",
  ]

  func validate() throws {
    for (flag, n) in [("--layers", layers), ("--batch", batch), ("--length", length ?? 1)]
    where !(1...1 << 30 ~= n) {
      throw ValidationError("\(flag) must be 1 to \(1 << 30)")
    }
    if !measure && input.q == nil && !allLayers
      && (!precision.isDefault || input.distribution != nil || input.range != nil || input.queries != nil)
    {
      throw ValidationError("formats and generated tensors are for --measure, or --q, --k and --v")
    }
    if allLayers {
      guard input.k != nil, input.v != nil else { throw ValidationError("--all-layers needs --k and --v") }
      let others: [(String, Bool)] = [
        ("--measure", measure), ("--layers", layers != 1), ("--length", length != nil),
      ]
      if let flag = others.first(where: \.1)?.0 {
        throw ValidationError("\(flag) does not go with --all-layers: the files say")
      }
    } else if view.sort != nil || view.top != nil {
      throw ValidationError("--sort and --top are for --all-layers")
    }
    if !(0...1 << 30 ~= recent) { throw ValidationError("--recent must be 0 to \(1 << 30)") }
  }

  func run() throws {
    let formats = try (cache.isEmpty ? Self.usual : cache).map { name in
      do {
        return try format(name)
      } catch {
        throw UsageError(
          "--cache \(name): \(error); 'numcheck list schemes' names all, and @channelN is a scale for each channel of N tokens"
        )
      }
    }
    if allLayers {
      let run = CacheLayers(
        formats: formats, input: input, precision: precision, batch: batch, threads: threads.count)
      return try report.finish(run.report(view))
    }
    try input.requireAll()
    var shape = AttentionShape(
      heads: input.heads ?? input.kvHeads ?? 1, keyHeads: input.kvHeads ?? input.heads ?? 1, queries: 1,
      keys: 1,
      headSize: input.headSize ?? 64)
    var sums: [ErrorSums]?
    var origin: [Fact] = []
    var findings: [Finding] = []
    var tokens = length ?? input.tokens ?? 4096
    if measure || input.q != nil {
      let source = try AttentionInput(input)
      shape = source.tensors.shape
      guard shape.queries == shape.keys else {
        throw UsageError(
          "decoding starts with the first token: as many queries as keys, not \(shape.queries)")
      }
      tokens = length ?? shape.keys
      origin = source.origin.facts + AttentionCount(source.tensors).facts
      findings = AttentionCount(source.tensors).findings
      let runner = AttentionRunner(.flash, try precision.configuration())
      let progress = Progress(total: shape.heads * shape.queries)
      defer { progress.finish() }
      sums = try CacheExperiment(source.tensors, runner, threads: threads.count).run(
        formats, progress: progress.callback)
    }
    let sizes = try formats.map { try size(of: $0, shape, tokens: tokens) }
    var table = Table(rows: formats.count)
    typealias A = AttentionColumns
    table.add(A.cache) { .text(formats[$0].name) }
    table.add(A.bitsPerNumber) { .number(sizes[$0].bitsPerNumber) }
    table.add(A.bytes) { .count(sizes[$0].bytes) }
    table.add(A.sizeOfF16) { .number(sizes[$0].bitsPerNumber / 16) }
    if let sums { table.addSums { sums[$0] } }
    var made = Report("kvcache", title: heading(shape, tokens))
    made.facts = origin
    made.facts += [
      Fact("layers", .integer(layers)), Fact("batch", .integer(batch)),
      Fact("keyHeads", .integer(shape.keyHeads)), Fact("headSize", .integer(shape.headSize)),
      Fact("valueSize", .integer(shape.valueSize)), Fact("tokens", .integer(tokens)),
      Fact("recent", .integer(recent)),
    ]
    made.findings = findings
    var charts = [Chart.bars("bits a number", of: table, [A.bitsPerNumber])]
    if sums != nil {
      charts.append(.points("error against size", of: table, x: A.bitsPerNumber, y: A.rmse))
    }
    made.add(table, charts)
    try report.finish(made)
  }

  /// A cache's format; where overflows saturate, casts that can do either do so too.
  private func format(_ name: String) throws -> CacheFormat {
    let plain = try CacheFormat(name, recent: recent)
    guard precision.overflow == .saturate else { return plain }
    return (try? CacheFormat(name + ":saturate", recent: recent)) ?? plain
  }

  /// Bits a number and bytes in all, of keys and of values, whose size may differ.
  private func size(of format: CacheFormat, _ shape: AttentionShape, tokens: Int) throws
    -> (bitsPerNumber: Double, bytes: Int)
  {
    let bits = try [shape.headSize, shape.valueSize].reduce(0.0) {
      $0 + Double(try format.bits(tokens: tokens, width: $1))
    }
    let vectors = [layers, batch, shape.keyHeads].reduce(1.0) { $0 * Double($1) }
    guard let bytes = Int(exactly: (vectors * bits / 8).rounded(.up)) else {
      throw UsageError("a cache of more than 2^63 bytes")
    }
    return (bits / (Double(tokens) * Double(shape.headSize + shape.valueSize)), bytes)
  }

  private func heading(_ shape: AttentionShape, _ tokens: Int) -> String {
    "key-value cache: \(layers) \(layers == 1 ? "layer" : "layers"), \(shape.keyHeads) key "
      + "\(shape.keyHeads == 1 ? "head" : "heads") of \(shape.headSize), \(Figures.count(tokens)) tokens, batch \(batch)"
      + (recent > 0 ? ", last \(recent) tokens in f16" : "")
  }
}
