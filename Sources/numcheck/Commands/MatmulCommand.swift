import ArgumentParser
import NumKit
import Reports
import TensorFiles

/// The formats of a product.
struct MatmulFormatOptions: ParsableArguments {
  @Option(help: "Number format of A and B; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(
    help: ArgumentHelp(
      "Format of sums, or int32 for integer dtypes (default: f32; f64 for f64, int32 for integers)."))
  var accumulate: MatmulAccumulator?

  @Option(help: ArgumentHelp("Format of C (default: the dtype; f32 for dtypes of 8 bits or fewer)."))
  var resultDtype: DType?

  /// Of numbers that share `scales`, unless said otherwise none, and those of integers one a matrix.
  func configuration(scales: MatmulScaling? = nil) throws -> MatmulConfiguration {
    var format: NumberFormat?
    if let resultDtype {
      guard let f = resultDtype.numberFormat else {
        throw UsageError("--result-dtype \(resultDtype): needs a floating-point format")
      }
      format = f
    }
    let scaling = scales ?? (dtype.numberFormat == nil ? .tensor : .none)
    do {
      return try MatmulConfiguration(
        storage: dtype, scaling: scaling, accumulator: accumulate, result: format)
    } catch { throw UsageError("\(error)") }
  }
}

/// A product of matrices: runs its orders of summation and reports their errors.
struct MatmulCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "matmul",
    abstract:
      "C = A B: products of matrices in any storage, accumulator and order of summation, with scales.",
    discussion: """
      Errors are against the proven product: the kernel's own, for the matrices as stored, and in all, for the \
      matrices as given. Products are added by fused multiply-add; scales are applied where matrix units do: after the \
      sum, or to each block's sum.
      """)

  @OptionGroup var formats: MatmulFormatOptions

  @Option(
    help: ArgumentHelp(
      "Which numbers share a scale: 'none', 'tensor', 'row' (rows of A, columns of B) or 'block:N' (N along the inner dimension; default 128) (default: none; tensor for integers).",
      valueName: "none|tensor|row|block:N"))
  var scales: MatmulScaling?

  @Option(
    help: ArgumentHelp(
      "Order of summation, repeatable: sequential, pairwise, blocked:N, split-k:S, all (default: all, with N = 128 and S = 4).",
      valueName: "name"))
  var algorithm: [String] = []

  @OptionGroup(title: "Input") var input: MatmulInputOptions
  @OptionGroup(title: "Checks (exit status 1 when one fails)") var thresholds: Thresholds
  @OptionGroup(title: "Report") var report: ReportOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Many machines") var shards: ShardOptions

  @OptionGroup var file: ResultFileOptions

  func validate() throws {
    _ = try MatmulOrder.chosen(algorithm)
    _ = try formats.configuration(scales: scales)
  }

  var unsharable: [String] { file.output == nil ? [] : ["--output"] }

  func run() throws {
    try keepApart(outputs: [file.output] + report.files, inputs: [input.a, input.b])
    let (orders, precision) = (try MatmulOrder.chosen(algorithm), try formats.configuration(scales: scales))
    try file.check(algorithms: orders.count)
    let source = try MatmulSource(input)
    let given = source.inputs
    let writer = try file.output.map {
      try MatmulWriter($0, source.shape, dtype: .float(precision.result), as: file.outputType)
    }
    let stored = given.stored(as: precision.storage, precision.scaling)
    // Shares are of whole chunks, so those must not depend on how many threads somebody has.
    let workers = Sharing.current == nil ? threads.count : 32
    let block = MatmulProver.block(rows: given.a.count, threads: workers)
    var trial = Trial(
      MatmulQuestion(), candidates: try orders.map { try MatmulCandidate($0, precision, stored) },
      format: precision.result, threads: threads.count
    ) { MatmulProver($0 == .stored ? stored : given, format: precision.result, block: block) }
    trial.chunk = block
    trial.measuresSums = true
    trial.sharedAs = "rows"
    let progress = Progress(total: given.a.count)
    let rows = MatmulRows(given, stored: stored, dtype: precision.storage)
    let (result, seen) = try trial.run(
      on: rows, observer: MatmulWriter.Rows(ofTruth: false, isKept: file.output != nil),
      progress: progress.callback)
    progress.finish()
    let made = MatmulReport(configuration: precision, source: source, result: result).report
    let files = try writer.map { try [$0.finished(seen)] } ?? []
    try deliver(files) { try report.finish(made, limits: thresholds.limits) }
  }
}

/// Writes the proven product. Reached as `numcheck reference matmul`.
struct MatmulReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference-matmul",
    abstract: "Write the proven, correctly rounded product of two matrices.",
    usage: "numcheck reference matmul --output <FILE> [<options>]",
    discussion: "Inputs are taken exactly as the files have them; only the product is rounded, to --dtype.",
    shouldDisplay: false)

  @OptionGroup var results: ReferenceOptions

  @OptionGroup(title: "Input") var input: MatmulInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let (format, dtype) = (try results.format(), results.dtype)
    try keepApart(outputs: [results.output] + report.files, inputs: [input.a, input.b])
    let source = try MatmulSource(input)
    var inputs = source.inputs
    if let f = try results.inputFormat() { inputs = inputs.stored(as: .float(f), .none) }
    let writer = try MatmulWriter(results.output, source.shape, dtype: dtype, as: results.outputType)
    let exact = inputs
    let block = MatmulProver.block(rows: exact.a.count, threads: threads.count)
    var trial = Trial(MatmulQuestion(), candidates: [], format: format, threads: threads.count) { _ in
      MatmulProver(exact, format: format, block: block)
    }
    trial.chunk = block
    let progress = Progress(total: exact.a.count)
    defer { progress.finish() }
    let (result, seen) = try trial.run(
      on: MatmulRows(exact, stored: exact, dtype: .float(.f64)),
      observer: MatmulWriter.Rows(ofTruth: true, isKept: true), progress: progress.callback)
    progress.finish()
    let file = try writer.finished(seen)
    var made = Report(
      "reference matmul",
      title: "matmul: \(source.size), correctly rounded to \(dtype), in \(ArgumentText.shown(results.output))"
    )
    made.facts = [Fact("dtype", .text(dtype.name))] + source.facts
    made.describeReference(results.output, dtype: format, result.certificate)
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }
}

extension MatmulScaling: ExpressibleByArgument {
  public init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    switch (parts.first, parts.count) {
    case ("none", 1): self = .none
    case ("tensor", 1): self = .tensor
    case ("row", 1): self = .row
    case ("block", 1): self = .block(128)
    case ("block", 2):
      guard let n = Int(parts[1]), 1...(1 << 30) ~= n else { return nil }
      self = .block(n)
    default: return nil
    }
  }

  public var defaultValueDescription: String { name }

  /// As the flag has it.
  var name: String {
    switch self {
    case .none: "none"
    case .tensor: "tensor"
    case .row: "row"
    case .block(let n): "block:\(n)"
    }
  }
}

extension MatmulAccumulator: ExpressibleByArgument {
  public init?(argument: String) {
    if argument.lowercased() == "int32" {
      self = .int32
    } else if let format = DType(argument)?.numberFormat {
      self = .float(format)
    } else {
      return nil
    }
  }
}

extension MatmulOrder {
  /// The orders of those names; all where there is none.
  static func chosen(_ names: [String]) throws -> [MatmulOrder] {
    var chosen: [MatmulOrder] = []
    for name in (names.isEmpty ? ["all"] : names).flatMap({
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }) {
      guard let found = name == "all" ? MatmulOrder.all : MatmulOrder(name).map({ [$0] }) else {
        throw UsageError(
          "no algorithm '\(name)' for matmul; there are: sequential, pairwise, blocked:N, split-k:S, all")
      }
      for order in found where !chosen.contains(order) { chosen.append(order) }
    }
    return chosen
  }
}
