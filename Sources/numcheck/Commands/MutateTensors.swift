import ArgumentParser
import NumKit
import Reports
import Tolerances

/// Plants defects in a kernel of attention. Reached as `numcheck mutate attention`.
struct AttentionMutateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mutate-attention",
    abstract: "What a test's tolerance lets through: defects planted one at a time in a kernel of attention.",
    usage: "numcheck mutate attention [<options>]",
    discussion: """
      Defects are another question, rightly answered (another scale, mask or head, a key left out), or the right one in \
      formats that are too short, with a fault around the maximum, or with something done to its results. Those that have a meaning for \
      the question are planted: those of masks need a mask.
      """, shouldDisplay: false)

  @OptionGroup(title: "Kernel (flash unless --algorithm names another)") var kernels: AttentionKernelOptions
  @OptionGroup(title: "Rules") var planting: PlantingOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil, configuration.overflow == .special else {
      throw UsageError("mutate needs a floating-point --dtype, and no --overflow saturate")
    }
    let rules = try planting.rules
    try keepApart(outputs: report.files, inputs: input.inputs + [question.mask])
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    let runner = try runner(configuration, parameters)
    let (stored, shape) = (runner.stored(source.tensors), source.tensors.shape)
    try PlantingOptions.require(stored.numbers)
    let study = MutationStudy(runner, on: stored, parameters, rules: rules, threads: threads.count)
    if planting.list { return try report.finish(MutateReport.list(study)) }
    let chosen = try planting.chosen(study)
    let rows = shape.heads * shape.queries
    let progress = Progress(total: rows)
    let found = try chosen.run(
      on: AttentionQueries(stored, block: study.chunk), progress: progress.callback)
    progress.finish()
    try report.finish(
      MutateReport(
        "attention",
        title: "\(configuration.described("attention")) (\(runner.algorithm.rawValue)): "
          + "\(AttentionWords.size(shape)), \(AttentionWords.question(parameters, shape))",
        facts: configuration.facts + source.origin.facts + shape.facts + MutateReport.size(rows, shape.keys),
        rules: rules, outcomes: found
      ).report)
  }

  /// The one that is asked for.
  private func runner(_ configuration: KernelConfiguration, _ parameters: AttentionParameters) throws
    -> AttentionRunner
  {
    let runners = try kernels.runners(configuration, parameters)
    if kernels.algorithm.isEmpty {
      return runners.first { $0.algorithm == .flash } ?? runners[runners.count - 1]
    }
    guard runners.count == 1 else {
      throw UsageError("mutate takes one --algorithm: there is one right kernel")
    }
    return runners[0]
  }
}

/// Plants defects in a product of matrices. Reached as `numcheck mutate matmul`.
struct MatmulMutateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mutate-matmul",
    abstract: "What a test's tolerance lets through: defects planted one at a time in a product of matrices.",
    usage: "numcheck mutate matmul [<options>]", shouldDisplay: false)

  @OptionGroup var formats: MatmulFormatOptions

  @Option(
    help: ArgumentHelp(
      "Order of summation of the right kernel: sequential, pairwise, blocked:N, split-k:S.", valueName: "name"
    ))
  var algorithm = "pairwise"

  @OptionGroup(title: "Rules") var planting: PlantingOptions
  @OptionGroup(title: "Input") var input: MatmulInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let dtype = formats.dtype
    guard dtype.numberFormat != nil else { throw UsageError("mutate needs a floating-point --dtype") }
    let precision = try formats.configuration()
    let (orders, rules) = (try MatmulOrder.chosen([algorithm]), try planting.rules)
    guard orders.count == 1 else {
      throw UsageError("mutate takes one --algorithm: there is one right kernel")
    }
    try keepApart(outputs: report.files, inputs: [input.a, input.b])
    let source = try MatmulSource(input)
    let stored = source.inputs.stored(as: precision.storage, precision.scaling)
    try PlantingOptions.require(stored.numbers)
    let study = try MutationStudy(orders[0], precision, of: stored, rules: rules, threads: threads.count)
    if planting.list { return try report.finish(MutateReport.list(study)) }
    let chosen = try planting.chosen(study)
    let progress = Progress(total: stored.a.count)
    let found = try chosen.run(
      on: MatmulRows(stored, stored: stored, dtype: precision.storage), progress: progress.callback)
    progress.finish()
    try report.finish(
      MutateReport(
        "matmul",
        title: "matmul in \(dtype), summed in \(precision.accumulator) (\(orders[0])): "
          + source.size + source.phrase,
        facts: [
          // Products are added by fused multiply-add.
          Fact("dtype", .text(dtype.name), inRows: true),
          Fact("compute", .text("\(precision.accumulator)"), inRows: true),
          Fact("accumulate", .text("\(precision.accumulator)"), inRows: true),
          Fact("resultDtype", .text(precision.result.name), inRows: true),
        ] + source.facts, rules: rules, outcomes: found
      ).report)
  }
}

/// Plants defects in a norm. Reached as `numcheck mutate rmsnorm` and `numcheck mutate layernorm`.
struct NormMutateCommand<N: NamedOperation<Normalization>>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "mutate-\(N.operation.rawValue)",
      abstract:
        "What a test's tolerance lets through: defects planted one at a time in a kernel of \(N.operation.rawValue).",
      usage: "numcheck mutate \(N.operation.rawValue) [<options>]", shouldDisplay: false)
  }

  @Option(
    help: ArgumentHelp(
      "The right kernel (default: naive:pairwise for rmsnorm, two-pass:pairwise for layernorm). See 'numcheck list kernels'.",
      valueName: "name"))
  var algorithm: String?

  @OptionGroup(title: "Rules") var planting: PlantingOptions
  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Question") var question: NormOptions
  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil, configuration.overflow == .special else {
      throw UsageError("mutate needs a floating-point --dtype, and no --overflow saturate")
    }
    let operation = N.operation
    let named = try AlgorithmNames.chosen(
      [algorithm ?? (operation.isCentered ? "two-pass:pairwise" : "naive:pairwise")],
      from: NormAlgorithm.all(for: operation), for: operation.rawValue)
    guard named.count == 1 else {
      throw UsageError("mutate takes one --algorithm: there is one right kernel")
    }
    let rules = try planting.rules
    try keepApart(outputs: report.files, inputs: [input.input] + question.files)
    let source = try RowInput(input, dtype: configuration.storage)
    let (count, length) = (source.rows.rowCount, source.rows.length)
    let workers = try MemoryNeeds.threads(
      threads, operation.rawValue, length: length, algorithms: 2 * DefectRegistry.all.count)
    let parameters = try question.parameters(operation, length: length)
    func finished(_ rows: some RowSource) throws -> Report {
      let items = try NormRows(rows, operation, parameters: parameters, configuration: configuration)
      let study = try MutationStudy(named[0], configuration, on: items, rules: rules, threads: workers)
      if planting.list { return MutateReport.list(study) }
      let chosen = try planting.chosen(study)
      let progress = Progress(total: count)
      defer { progress.finish() }
      let found = try chosen.run(on: items, progress: progress.callback)
      return MutateReport(
        operation.rawValue,
        title:
          "\(configuration.described(operation.rawValue)) (\(named[0])): \(Figures.count(count)) rows of "
          + "\(Figures.count(length))\(source.origin.phrase)",
        facts: configuration.facts + source.origin.facts + MutateReport.size(count, length),
        rules: rules, outcomes: found
      ).report
    }
    try report.finish(finished(source.rows))
  }
}

extension PlantingOptions {
  /// Numbers of all tensors together in which defects are planted: each defect has its own copy.
  static let largest = 1 << 22

  static func require(_ numbers: Int) throws {
    if numbers > largest {
      throw UsageError("mutate takes tensors of 2^22 numbers at most, these have \(Figures.count(numbers))")
    }
  }

  /// The study with the defects that are asked for.
  func chosen<Q>(_ study: MutationStudy<Q>) throws -> MutationStudy<Q> {
    let names = try defects(of: study.defects.map(\.name))
    return study.planting { names.contains($0) }
  }
}

extension MutateReport {
  /// What a study plants.
  static func list<Q>(_ study: MutationStudy<Q>) -> Report {
    list(study.defects.map { ($0.name, $0.summary) })
  }
}

extension AttentionInputs {
  /// How many numbers there are.
  var numbers: Int { q.count + k.count + v.count }
}

extension MatmulInputs {
  /// How many numbers there are.
  var numbers: Int { a.values.count + b.values.count }
}

/// So many of another's items, from all over.
struct SomeItems<S: ItemSource>: ItemSource {
  typealias Q = S.Q

  private let source: S
  let itemCount: Int

  init(_ source: S, count: Int) {
    self.source = source
    itemCount = min(count, source.itemCount)
  }

  func makeItem() -> Q.Item { source.makeItem() }

  func read(_ index: Int, given: inout Q.Item, stored: inout Q.Item) throws -> InputChange {
    try source.read(index * source.itemCount / itemCount, given: &given, stored: &stored)
  }
}

extension ToleranceReport {
  /// Holds the rules against kernels with defects, on some of the items: enough to see what a rule lets through.
  mutating func plant<Q: Question>(
    _ study: MutationStudy<Q>?, beside right: [any Candidate<Q>], on source: some ItemSource<Q>
  ) throws {
    guard let study else { return }
    passing = try study.beside(right).run(on: SomeItems(source, count: 64)).passing(rules.count)
  }
}
