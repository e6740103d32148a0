import ArgumentParser
import Gate
import NumKit
import Reports
import Tolerances

/// Plants known defects in a right kernel, one at a time, and says which a rule catches.
struct MutateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mutate",
    abstract: "What a test's tolerance lets through: defects planted one at a time in a right kernel.",
    discussion: """
      Each rule holds results against the correctly rounded ones, as a test with a perfect reference would; rules in \
      ulps and numcheck's own bound hold them against the exact ones. A defect whose results a right kernel might have \
      given on these rows is harmless here, and no rule is blamed for it. With --gate the defects are planted in the kernels of a \
      gate's file, check by check, and its own limits are the rule.
      """)

  @Argument(help: ArgumentHelp("What the kernel computes.", valueName: "operation"))
  var planted = PlantedOperation.softmax
  private var operation: RowOperation { planted.operation }

  @Option(
    help: ArgumentHelp(
      "A rule: a name (\(RuleRegistry.all.map(\.name).joined(separator: ", "))) or 'atol=X,rtol=X', 'ulp=X', 'nmse=X', 'cosine=X'; repeatable (default: all names).",
      valueName: "rule"))
  var rule: [String] = []

  @Option(
    help: ArgumentHelp(
      "A defect to plant, repeatable (default: all). See 'numcheck mutate --list'.", valueName: "name"))
  var defect: [String] = []

  @Flag(help: "List the defects, and what each is.")
  var list = false

  @Option(
    help: ArgumentHelp(
      "Instead: plant defects in the kernels of this gate, and say which its checks let through.",
      valueName: "numcheck.yml"))
  var gate: String?

  @OptionGroup(title: "Formats") var precision: PrecisionOptions
  @OptionGroup(title: "Input") var input: InputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    if gate != nil && (operation != .softmax || !rule.isEmpty || !precision.isDefault || !input.isDefault) {
      throw ValidationError(
        "--gate has operations, formats, inputs and limits of its own: no such flag goes with it")
    }
  }

  func run() throws {
    if list { return try report.finish(MutateReport.list) }
    if let gate { return try mutate(gate) }
    let rules = try rule.isEmpty ? RuleRegistry.all : rule.map { try Self.parsed($0) }
    let defects = try defect.isEmpty ? DefectRegistry.all : defect.map { try Self.named($0) }
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil, configuration.overflow == .special else {
      throw UsageError("mutate needs a floating-point --dtype, and no --overflow saturate")
    }
    try keepApart(outputs: report.files, inputs: [input.input])
    let source = try RowInput(input, operation: operation, dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(
      threads, operation, length: source.rows.length, algorithms: defects.count)
    let study = MutationStudy(operation, configuration, defects: defects, rules: rules, threads: workers)
    let progress = Progress(total: source.rows.rowCount)
    let outcomes = try Self.run(study, on: source.rows, progress: progress.callback)
    progress.finish()
    try report.finish(
      MutateReport(
        study: study, origin: source.origin, rows: source.rows.rowCount, length: source.rows.length,
        outcomes: outcomes
      ).report)
  }

  /// Tries the gate in a file.
  private func mutate(_ path: String) throws {
    let defects = try defect.isEmpty ? DefectRegistry.all : defect.map { try Self.named($0) }
    let file = try GateFile.read(path, CommandCatalogue.made(of: Numcheck.self))
    try keepApart(outputs: report.files, inputs: [path])
    let trial = try GateMutation(file, commands: Numcheck.self, defects: defects, threads: threads.count)
    try report.finish(trial.run().report)
  }

  private static func run(
    _ study: MutationStudy, on rows: any RowSource, progress: (@Sendable (Int) -> Void)?
  ) throws -> [MutationStudy.Outcome] {
    func open(_ rows: some RowSource) throws -> [MutationStudy.Outcome] {
      try study.run(on: rows, progress: progress)
    }
    return try open(rows)
  }

  private static func parsed(_ text: String) throws -> ToleranceRule {
    do { return try ToleranceRule(parsing: text) } catch { throw UsageError("--rule: \(error)") }
  }

  private static func named(_ name: String) throws -> Defect {
    guard let defect = DefectRegistry.named(name) else {
      throw UsageError(
        "--defect: no defect '\(name)'; there are: \(DefectRegistry.all.map(\.name).joined(separator: ", "))")
    }
    return defect
  }
}

/// What defects can be planted in.
enum PlantedOperation: String, ExpressibleByArgument, CaseIterable {
  case softmax, logsoftmax, lse

  var operation: RowOperation {
    switch self {
    case .softmax: .softmax
    case .logsoftmax: .logSoftmax
    case .lse: .logSumExp
    }
  }
}
