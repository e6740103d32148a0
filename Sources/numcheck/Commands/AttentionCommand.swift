import ArgumentParser
import Foundation
import NumKit
import TensorFiles
import Reports

/// Attention: runs its algorithms and reports their errors.
struct AttentionCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "Scaled dot-product attention: softmax(q k^T scale + mask) v, head by head.",
    discussion: """
      Grouped-query where there are fewer key heads; cached decoding where there are fewer queries than keys. \
      Errors are against the proven answer: the kernel's own, for the inputs as the dtype holds them, and in \
      all, for the inputs as given.
      """)

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Kernels") var kernel: AttentionKernelOptions
  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds

  @Flag(
    help: "Check: fail if a largest error is more than FlashAttention's tests allow: twice the baseline's.")
  var withinBaseline = false

  @Option(
    help: ArgumentHelp(
      "Count rows whose softmax Jacobian has a norm below this as saturated.", valueName: "x"))
  var gradientThreshold: NumberArgument = NumberArgument(0.001)

  @Option(help: ArgumentHelp("First tokens that count as a sink.", valueName: "N"), transform: Whole.number)
  var sinkTokens: Int = 1

  @Flag(
    help: ArgumentHelp(
      "Instead: FlashAttention-3's comparison of f16 and fp8 ways (default: 4096 x 128, outliers), by RMSE."))
  var fa3 = false

  @Option(
    help: ArgumentHelp(
      "Instead: how softmax saturates at these head sizes, with the scale and without.", valueName: "D[,D...]"
    ))
  var sweepHeadSize: String?

  @OptionGroup(title: "Backward") var backward: BackwardOptions

  @OptionGroup(title: "Instead: low precision") var lowPrecision: AttentionSchemeOptions

  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup var file: ResultFileOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    let isStudy = fa3 || sweepHeadSize != nil || !lowPrecision.scheme.isEmpty
    if isStudy && !(precision.isDefault && kernel.isDefault) {
      throw ValidationError(
        "--fa3, --sweep-head-size and --scheme have formats and algorithms of their own: no flag of formats or "
          + "kernels goes with them")
    }
    let asksForFigures = sinkTokens != 1 || gradientThreshold.value != 0.001 && sweepHeadSize == nil
    if (isStudy || backward.backward) && asksForFigures {
      throw ValidationError("--sink-tokens and --gradient-threshold are for the forward report")
    }
    if sweepHeadSize != nil && question.scale != "auto" {
      throw ValidationError("--sweep-head-size tries both scales itself")
    }
    if fa3 && sweepHeadSize != nil { throw ValidationError("--fa3 and --sweep-head-size exclude each other") }
    if (fa3 || sweepHeadSize != nil) && (file.output != nil || !thresholds.isEmpty || withinBaseline) {
      throw ValidationError("--fa3 and --sweep-head-size take no --output, and of checks --check alone")
    }
    if !lowPrecision.scheme.isEmpty,
      backward.backward || fa3 || sweepHeadSize != nil || file.output != nil || !thresholds.isEmpty
        || withinBaseline
    {
      throw ValidationError(
        "--scheme takes no --backward, --fa3, --sweep-head-size or --output, and of checks --check alone")
    }
    if sweepHeadSize != nil && (input.q != nil || input.headSize != nil) {
      throw ValidationError("--sweep-head-size generates its tensors")
    }
    if backward.backward && (fa3 || sweepHeadSize != nil || file.output != nil || withinBaseline) {
      throw ValidationError("--backward excludes --fa3, --sweep-head-size, --output and --within-baseline")
    }
    if sinkTokens < 1 { throw ValidationError("--sink-tokens must be 1 or more") }
    if !(gradientThreshold.value >= 0 && gradientThreshold.value.isFinite) {
      throw ValidationError("--gradient-threshold must be finite and 0 or more")
    }
  }

  var unsharable: [String] {
    let others: [(String, Bool)] = [
      ("--fa3", fa3), ("--scheme", !lowPrecision.scheme.isEmpty),
      ("--sweep-head-size", sweepHeadSize != nil),
      ("--backward", backward.backward), ("--output", file.output != nil),
    ]
    return others.filter(\.1).map(\.0)
  }

  func run() throws {
    if fa3 { return try compareAsFlashAttention3() }
    if !lowPrecision.scheme.isEmpty { return try compareSchemes() }
    if let sweepHeadSize { return try sweep(sweepHeadSize) }
    if backward.backward { return try measureBackward() }
    try keepApart(outputs: [file.output] + report.files, inputs: input.inputs + [question.mask])
    let configuration = try precision.configuration()
    var source = try AttentionInput(input)
    source.narrow()
    let parameters = try question.parameters(source)
    let runners = try kernel.runners(configuration, parameters)
    try file.check(algorithms: runners.count)
    var experiment = AttentionExperiment(source.tensors, parameters, runners, threads: threads.count)
    experiment.gradientThreshold = gradientThreshold.value
    experiment.sinkTokens = sinkTokens
    experiment.mapsWeights = report.draws
    let progress = Progress(total: source.tensors.shape.heads * source.tensors.shape.queries)
    let result = try experiment.run(progress: progress.callback)
    progress.finish()
    let attention = AttentionReport(
      configuration: configuration, experiment: experiment, origin: source.origin, result: result)
    let files = try file.output.map { try [written(runners[0], source, parameters, to: $0)] } ?? []
    try deliver(files) { try report.finish(attention.report, limits: limits) }
  }

  private var limits: [Limit] {
    thresholds.limits
      + (withinBaseline
        ? [Limit(ErrorColumns.maxAbsolute.path, .atMost, "baseline.limit", flag: "--within-baseline")] : [])
  }

  /// Runs the one algorithm once more and writes what it computes.
  private func written(
    _ runner: AttentionRunner, _ source: AttentionInput, _ parameters: AttentionParameters, to path: String
  ) throws -> any UnfinishedFile {
    let tensors = runner.stored(source.tensors)
    let rows = tensors.shape.heads * tensors.shape.queries
    guard let result = runner.run(tensors, parameters, rows: 0..<rows) else {
      throw AttentionError.cannotRun(runner)
    }
    return try AttentionWriter.finished(
      path, output: result.output, logSumExp: result.logSumExp, source, dtype: runner.outputFormat,
      as: file.outputType, lse: runner.lseFormat)
  }
}
