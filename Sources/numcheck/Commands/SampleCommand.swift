import ArgumentParser
import Decoding
import NumKit
import Reports

/// Which tokens a decoder may draw, and which it would keep by exact arithmetic.
struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract:
      "Decoding in a format: which tokens temperature, top-k, top-p and min-p keep, beside those they should.",
    discussion: """
      Each row is a distribution over tokens. Cuts are made in the order temperature, top-k, top-p, min-p, each on what \
      the one before has left. The larger logit comes first, of equal ones the smaller index: so every set is one set, \
      and the truth's is proven.
      """)

  @OptionGroup var cuts: SamplingCuts

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Softmax of the decoder, repeatable (default: all that subtract a maximum).", valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Input") var input: InputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil else {
      throw UsageError("sample needs a floating-point --dtype")
    }
    let all = Algorithm.all(for: .softmax, dtype: configuration.storage)
    let algorithms =
      try algorithm.isEmpty
      ? all.filter { $0.arithmetic?.shift != .some(.none) }
      : AlgorithmNames.chosen(algorithm, from: all, for: "softmax")
    try keepApart(outputs: report.files, inputs: [input.input])
    let source = try RowInput(input, dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(
      threads, "sample", length: source.rows.length, algorithms: algorithms.count)
    let study = SamplingStudy(cuts.rule, algorithms, configuration, threads: workers)
    let progress = Progress(total: source.rows.rowCount)
    func run(_ rows: some RowSource) throws -> SamplingStudy.Result {
      try study.run(on: rows, progress: progress.callback)
    }
    let result = try run(source.rows)
    progress.finish()
    try report.finish(SampleReport(study: study, source: source, result: result).report)
  }
}
