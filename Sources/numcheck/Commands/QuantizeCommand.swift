import ArgumentParser
import Foundation
import NumKit
import NumKitNumbers
import Quant
import Reports
import TensorFiles

/// Squeezes tensors through quantization schemes and prices each.
struct QuantizeCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Squeeze a tensor through quantization schemes and price each.",
    discussion: """
      By default all schemes that fit the tensor, sorted by bits per weight (scales and all), the Pareto-best \
      marked with '*'. Rows run along the last axis; blocks run along a row.
      """)

  @Option(
    help: ArgumentHelp(
      "Scheme to try, repeatable; '*' and '?' match. See 'numcheck list schemes'.", valueName: "name"))
  var scheme: [String] = []

  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>

  @Option(help: ArgumentHelp("Write the dequantized tensor (exactly one --scheme).", valueName: "FILE"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write the encoded bytes in the scheme's storage layout (exactly one --scheme).", valueName: "FILE"))
  var raw: String?

  @Flag(help: "Say which scheme to take, within --max-bits or --min-sqnr.")
  var recommend = false

  @Option(help: ArgumentHelp("For --recommend: the most bits per weight.", valueName: "bits"))
  var maxBits: NumberArgument?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("For --recommend: the least SQNR in dB.", valueName: "dB"))
  var minSqnr: NumberArgument?

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
      ("--output", output != nil), ("--raw", raw != nil),
    ]
    return others.filter(\.1).map(\.0)
  }

  func run() throws {
    try keepApart(
      outputs: [output, raw] + report.files,
      inputs: [input.input, cures.activations, through.keys, through.values])
    let chosen = try schemes()
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
      facts: input.facts)
    try deliver(files) { try report.finish(quantize.report) }
  }

  /// A study of each tensor: its schemes in parallel, or, where those are few, the tensors. Of several tensors those that
  /// cannot be read as f32 are left out.
  private func studies(_ sources: [Input], schemes: [any Scheme]) throws
    -> (found: [QuantizeReport.Tensor], unread: [LeftOut])
  {
    final class Worker {
      var found: [(index: Int, tensor: QuantizeReport.Tensor)] = []
      var unread: [(index: Int, tensor: LeftOut)] = []
    }
    let threads = threads.count
    let tensorsAtOnce = schemes.count < threads ? min(threads, sources.count) : 1
    let worker = try ParallelRows(threads: tensorsAtOnce, chunk: 1).reduce(
      count: sources.count, progress: nil, make: { Worker() },
      body: { worker, index in
        let source: MatrixSource
        do { source = try sources[index].open() } catch  where sources.count > 1 {
          return worker.unread.append((index, LeftOut(sources[index].name, error)))
        }
        do {
          try MemoryNeeds.requireRow(of: source, schemes: schemes.count)
          let study = try SchemeStudy(source, schemes: schemes, threads: max(1, threads / tensorsAtOnce))
          worker.found.append(
            (
              index,
              QuantizeReport.Tensor(
                name: source.name, rows: source.rows, columns: source.columns, study: study)
            ))
        } catch let error as BeyondSingle where sources.count > 1 {
          worker.unread.append((index, LeftOut(source.name, error)))
        }
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
      let source: MatrixSource
      do { source = try input.open() } catch  where sources.count > 1 {
        unread.append(LeftOut(input.name, error))
        continue
      }
      do {
        try MemoryNeeds.requireRow(of: source, schemes: schemes.count)
        let study = try line.share(k, blank: { SchemeStudy(blank: source.columns) }) {
          try SchemeStudy(source, schemes: schemes, threads: threads.count)
        }
        found.append(
          QuantizeReport.Tensor(name: source.name, rows: source.rows, columns: source.columns, study: study))
      } catch let error as BeyondSingle where sources.count > 1 {
        unread.append(LeftOut(source.name, error))
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
      purpose: purpose, options: through, cures: cures, input: input, schemes: chosen, threads: threads.count)
    try report.finish(run.report().report)
  }

  /// The treatments of --cure, --transform and --calibration, on int8@tensor unless --scheme says otherwise.
  private func runCures(_ chosen: [any Scheme]?) throws {
    if raw != nil || recommend { throw UsageError("--raw and --recommend are for schemes as they are") }
    let run = CureRun(
      options: cures, input: input, schemes: try chosen ?? [SchemeRegistry.scheme(named: "int8@tensor")],
      threads: threads.count)
    let (matrices, leftOut) = try run.matrices()
    if output != nil, let first = leftOut.first {
      throw UsageError("--output needs one tensor, not \(first)")
    }
    if output != nil { try run.checkOutput(matrices) }
    let files = try output.map { try [run.written($0, matrices)] } ?? []
    let cured = try run.report(matrices, leftOut: leftOut)
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
    let open: @Sendable () throws -> MatrixSource
  }

  /// The tensor asked for, or each of the file that can be read, and why others are left out.
  private func sources() throws -> (sources: [Input], leftOut: [LeftOut]) {
    guard let text = input.input, output == nil, raw == nil else {
      let only = try MatrixSource.only(input)
      return ([Input(name: only.name, count: only.rows * only.columns) { only }], [])
    }
    let list = try TensorList(text)
    if list.items.isEmpty { throw list.nothing(list.leftOut) }
    let sources = list.items.map { item in
      Input(name: list.name(item), count: list.view(item).count) { [input] in
        let view = list.view(item)
        try view.open()
        return try MatrixSource(view, name: list.name(item), input)
      }
    }
    return (sources, list.leftOut)
  }
}
