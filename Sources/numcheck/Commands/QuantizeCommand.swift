import ArgumentParser
import Foundation
import NumKit
import NumKitNumbers
import Quant
import Reports
import Shards
import TensorFiles

/// Squeezes tensors through quantization schemes and prices each.
struct QuantizeCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Squeeze a tensor through quantization schemes and price each.",
    discussion: """
      By default all schemes that fit the tensor, sorted by bits per weight (scales and all), the Pareto-best \
      marked with '*'. Rows run along the last axis; blocks run along a row. FILE may be a folder or a pattern, and \
      so may TENSOR: of a whole model vectors and integers are left out, and a summary by kind and layer comes first.
      """)

  @Option(
    help: ArgumentHelp(
      "Scheme to try, repeatable; '*' and '?' match. See 'numcheck list schemes'.", valueName: "name"))
  var scheme: [String] = []

  @OptionGroup(title: "Input") var input: RowOptions<ModelNumbers>

  @Option(
    help: ArgumentHelp("Write the dequantized tensor (exactly one --scheme).", valueName: "FILE"),
    completion: .file())
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write the encoded bytes in the scheme's storage layout (exactly one --scheme).", valueName: "FILE"),
    completion: .file())
  var raw: String?

  @Flag(help: "Say which scheme to take, within --max-bits or --min-sqnr.")
  var recommend = false

  @Option(help: ArgumentHelp("For --recommend: the most bits per weight.", valueName: "bits"))
  var maxBits: NumberArgument?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("For --recommend: the least SQNR in dB.", valueName: "dB"))
  var minSqnr: NumberArgument?

  @OptionGroup(title: "View") var view: ViewOptions

  @Flag(help: "Of a whole model show every tensor's own table too.")
  var details = false

  @Flag(help: "Write each tensor's results as they are made, as JSON Lines, in place of the report.")
  var stream = false

  @OptionGroup(title: "Raw files") var raws: RawOptions

  @OptionGroup(title: "Cures") var cures: CureOptions

  @OptionGroup(title: "Where it matters") var through: ThroughOptions

  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    if recommend && maxBits == nil && minSqnr == nil {
      throw ValidationError("--recommend needs --max-bits or --min-sqnr")
    }
    if !recommend && (maxBits != nil || minSqnr != nil) {
      throw ValidationError("--max-bits and --min-sqnr are for --recommend")
    }
    if let bits = maxBits?.value, !(bits > 0 && bits.isFinite) {
      throw ValidationError("--max-bits must be positive and finite")
    }
    if let least = minSqnr?.value, !least.isFinite { throw ValidationError("--min-sqnr must be finite") }
  }

  var unsharable: [String] {
    let others: [(String, Bool)] = [
      ("--through", through.through != nil), ("--cure, --transform or --calibration", cures.isAsked),
      ("--output", output != nil), ("--raw", raw != nil), ("--stream", stream),
    ]
    return others.filter(\.1).map(\.0)
  }

  func run() throws {
    try keepApart(
      outputs: [output, raw] + report.files,
      inputs: input.inputs + [cures.activations, through.keys, through.values])
    let chosen = try schemes()
    if through.through != nil || cures.isAsked {
      if try raws.layout() != nil || stream {
        throw UsageError("raw files and --stream are for schemes as they are")
      }
    }
    if let purpose = through.through { return try runThrough(purpose, chosen) }
    if cures.isAsked { return try runCures(chosen) }
    if (output != nil || raw != nil) && chosen.map({ $0.count }) != 1 {
      throw UsageError("--output and --raw need exactly one --scheme")
    }
    let (sources, leftOut) = try sources()
    var files: [any UnfinishedFile] = []
    if output != nil || raw != nil, let scheme = chosen?.first, let source = sources.first {
      files = try EncodedWriter.finished(scheme, source.open(), output: output, raw: raw)
    }
    let (found, unread) =
      try Sharing.current == nil
      ? studies(sources, schemes: chosen ?? SchemeRegistry.all)
      : sharedStudies(sources, schemes: chosen ?? SchemeRegistry.all)
    let quantize = QuantizeReport(
      tensors: found, leftOut: leftOut + unread,
      limits: recommend ? SchemeLimits(maxBits: maxBits?.value, minSqnr: minSqnr?.value) : nil,
      facts: facts, schemeCount: chosen?.count, showsAll: details, view: view)
    try deliver(files) { try report.finish(try quantize.report(), shows: !stream) }
  }

  private var facts: [Fact] {
    let names = input.inputs.map(ArgumentText.shown)
    guard names.count > 1 else { return input.facts }
    return [
      Fact("seed", .none), Fact("input.origin", .text("file")),
      Fact("input.name", .text(names.joined(separator: ", "))),
    ]
  }

  /// A study of each tensor: tensors side by side, or, where there is one, its schemes. Of several tensors those that cannot be
  /// read as f32 are left out.
  private func studies(_ sources: [Input], schemes: [any Scheme]) throws
    -> (found: [QuantizeReport.Tensor], unread: [LeftOut])
  {
    final class Worker {
      var found: [(index: Int, tensor: QuantizeReport.Tensor)] = []
      var unread: [(index: Int, tensor: LeftOut)] = []
    }
    let threads = threads.count
    let tensorsAtOnce = max(1, min(threads, sources.count))
    let progress = Progress(total: max(1, sources.reduce(0) { $0 + $1.count }), what: "numbers")
    defer { progress.finish() }
    let ordered = stream ? OrderedLines(count: sources.count) : nil
    let worker = try ParallelRows(threads: tensorsAtOnce, chunk: 1).reduce(
      count: sources.count, progress: nil, make: { Worker() },
      body: { worker, index in
        var lines = ""
        do {
          let source = try sources[index].open()
          try MemoryNeeds.requireRow(of: source, schemes: schemes.count)
          let study = try SchemeStudy(
            source, schemes: schemes, threads: max(1, threads / tensorsAtOnce),
            progress: { progress.add($0) })
          let tensor = QuantizeReport.Tensor(
            name: source.name, rows: source.rows, columns: source.columns, study: study,
            isWeight: sources[index].isWeight)
          worker.found.append((index, tensor))
          if ordered != nil { lines = JSONEmitter.lines(of: QuantizeReport.table(tensor, isSingle: false)) }
        } catch  where sources.count > 1 && !(error is OutOfMemory) {
          worker.unread.append((index, LeftOut(sources[index].name, error)))
        }
        try ordered?.put(index, lines)
      },
      merge: {
        $0.found += $1.found
        $0.unread += $1.unread
      })
    let unread = worker.unread.sorted { $0.index < $1.index }.map(\.tensor)
    let found = worker.found.sorted { $0.index < $1.index }.map(\.tensor)
    return try checked(found, unread)
  }

  /// The same where several processes share the work: a tensor that one of them does alone is studied there, of others each measures
  /// some of the schemes.
  private func sharedStudies(_ sources: [Input], schemes: [any Scheme]) throws
    -> (found: [QuantizeReport.Tensor], unread: [LeftOut])
  {
    let line = SharedLine(sources.map(\.count))
    var (found, unread): ([QuantizeReport.Tensor], [LeftOut]) = ([], [])
    for (k, input) in sources.enumerated() {
      do {
        let source = try input.open()
        try MemoryNeeds.requireRow(of: source, schemes: schemes.count)
        let study = try line.share(k, blank: { SchemeStudy(blank: source.columns) }) {
          try SchemeStudy(source, schemes: schemes, threads: threads.count)
        }
        found.append(
          QuantizeReport.Tensor(
            name: source.name, rows: source.rows, columns: source.columns, study: study,
            isWeight: input.isWeight))
      } catch  where sources.count > 1 && !(error is OutOfMemory || error is PartError) {
        unread.append(LeftOut(input.name, error))
      }
    }
    try SharedRun.end()
    return try checked(found, unread)
  }

  /// Throws where nothing was measured.
  private func checked(_ found: [QuantizeReport.Tensor], _ unread: [LeftOut]) throws
    -> (found: [QuantizeReport.Tensor], unread: [LeftOut])
  {
    if found.allSatisfy({ $0.study.entries.isEmpty }) {
      throw UsageError(
        found.first?.study.skipped.first.map { "no scheme fits: \($0.reason)" }
          ?? unread.first.map { "\($0)" } ?? "nothing to measure")
    }
    return (found, unread)
  }

  /// The error where the tensor is used.
  private func runThrough(_ purpose: Purpose, _ chosen: [any Scheme]?) throws {
    if raw != nil || output != nil || recommend {
      throw UsageError("--output, --raw and --recommend do not go with --through")
    }
    let run = ThroughRun(
      purpose: purpose, options: through, cures: cures, input: input, inputs: input.inputs, facts: facts,
      schemes: chosen, threads: threads.count)
    try report.finish(run.report().report)
  }

  /// The treatments of --cure, --transform and --calibration, on int8@tensor unless --scheme says otherwise.
  private func runCures(_ chosen: [any Scheme]?) throws {
    if raw != nil || recommend { throw UsageError("--raw and --recommend are for schemes as they are") }
    let run = CureRun(
      options: cures, input: input, list: try CuredTensors(input.inputs, input), facts: facts,
      schemes: try chosen ?? [SchemeRegistry.scheme(named: "int8@tensor")], threads: threads.count)
    let files = try output.map { try [run.written($0)] } ?? []
    let cured = try run.report()
    try deliver(files) { try report.finish(cured.report) }
  }

  /// The schemes asked for; nil for the default list.
  private func schemes() throws -> [any Scheme]? {
    if scheme.isEmpty { return nil }
    var list: [any Scheme] = []
    for pattern in scheme {
      for found in try SchemeRegistry.schemes(matching: pattern)
      where !list.contains(where: { $0.name == found.name }) {
        list.append(found)
      }
    }
    return list
  }

  /// A tensor that is opened when its turn comes: what its reading keeps in memory goes with it.
  private struct Input {
    let name: String
    let count: Int
    let isWeight: Bool
    let open: @Sendable () throws -> MatrixSource
  }

  /// The tensors asked for, or each of the files that is a matrix, and why others are left out.
  private func sources() throws -> (sources: [Input], leftOut: [LeftOut]) {
    let layout = try raws.layout()
    guard !input.inputs.isEmpty else {
      if layout != nil { throw UsageError("--dtype and --shape are for --input") }
      let only = try MatrixSource.only(input)
      return ([Input(name: only.name, count: only.rows * only.columns, isWeight: false) { only }], [])
    }
    let lists = try TensorList.all(input.inputs, raw: layout)
    if output != nil || raw != nil {
      guard lists.count == 1, lists[0].isOne || lists[0].items.count == 1 else {
        let example = lists.first.flatMap { list in
          list.items.first.map { ": name one, like '\(list.name($0))'" }
        }
        let count = lists.reduce(0) { $0 + $1.items.count }
        throw UsageError("--output and --raw need one tensor, not \(count)\(example ?? "")")
      }
    }
    var sources: [Input] = []
    var leftOut: [LeftOut] = []
    for list in lists {
      if list.items.isEmpty { throw list.nothing(list.leftOut) }
      leftOut += list.leftOut
      let roles = ModelRoles(list)
      leftOut += roles.leftOut
      for item in roles.items {
        let name = list.name(item)
        sources.append(
          Input(
            name: name, count: list.info(item).count,
            isWeight: list.isGGUF(item) || TensorRole.isWeight(list.info(item).name)
          ) { [input] in
            let view = list.view(item)
            try view.open()
            return try MatrixSource(view, name: name, input)
          })
      }
    }
    return (sources, leftOut)
  }
}
