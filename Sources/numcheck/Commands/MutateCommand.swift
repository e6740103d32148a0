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
      gate's file, check by check, and its own limits are the rule. 'numcheck mutate attention', 'matmul', 'rmsnorm' and \
      'layernorm' have flags of their own.
      """)

  @Argument(help: ArgumentHelp("What the kernel computes.", valueName: "operation"))
  var planted = PlantedOperation.softmax
  private var operation: RowOperation { planted.operation }

  @OptionGroup var planting: PlantingOptions

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
    if gate != nil
      && (operation != .softmax || !planting.rule.isEmpty || !precision.isDefault || !input.isDefault)
    {
      throw ValidationError(
        "--gate has operations, formats, inputs and limits of its own: no such flag goes with it")
    }
  }

  func run() throws {
    if planting.list {
      return try report.finish(MutateReport.list(DefectRegistry.all.map { ($0.name, $0.summary) }))
    }
    if let gate { return try mutate(gate) }
    let (rules, defects) = (try planting.rules, try chosen)
    let configuration = try precision.configuration()
    guard configuration.storage.numberFormat != nil, configuration.overflow == .special else {
      throw UsageError("mutate needs a floating-point --dtype, and no --overflow saturate")
    }
    try keepApart(outputs: report.files, inputs: [input.input])
    let source = try RowInput(input, operation: operation, dtype: configuration.storage)
    let workers = try MemoryNeeds.threads(
      threads, operation, length: source.rows.length, algorithms: defects.count)
    let progress = Progress(total: source.rows.rowCount)
    func outcomes(_ rows: some RowSource) throws -> [MutationOutcome] {
      try MutationStudy(
        operation, configuration, on: rows, defects: defects, rules: rules, threads: workers
      ).run(
        on: StoredRows(rows, parameters: .init(), targets: nil, configuration: configuration),
        progress: progress.callback)
    }
    let found = try outcomes(source.rows)
    progress.finish()
    let rows = source.rows.rowCount
    try report.finish(
      MutateReport(
        operation.rawValue,
        title: configuration.described(operation.rawValue)
          + ": \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of \(Figures.count(source.rows.length))"
          + source.origin.phrase,
        facts: configuration.facts + source.origin.facts + MutateReport.size(rows, source.rows.length),
        rules: rules, outcomes: found
      ).report)
  }

  private var chosen: [Defect] {
    get throws {
      let names = try planting.defects(of: DefectRegistry.all.map(\.name))
      return DefectRegistry.all.filter { names.contains($0.name) }
    }
  }

  /// Tries the gate in a file.
  private func mutate(_ path: String) throws {
    let defects = try chosen
    let file = try GateFile.read(path, CommandCatalogue.made(of: Numcheck.self))
    try keepApart(outputs: report.files, inputs: [path])
    let trial = try GateMutation(file, commands: Numcheck.self, defects: defects, threads: threads.count)
    try report.finish(trial.run().report)
  }
}

/// What is planted, and what is to catch it.
struct PlantingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A rule: a name (\(RuleRegistry.all.map(\.name).joined(separator: ", "))) or 'atol=X,rtol=X', 'ulp=X', 'nmse=X', 'cosine=X'; repeatable (default: all names).",
      valueName: "rule"))
  var rule: [String] = []

  @Option(
    help: ArgumentHelp("A defect to plant, repeatable (default: all that --list shows).", valueName: "name"))
  var defect: [String] = []

  @Flag(help: "List the defects, and what each is.")
  var list = false

  var rules: [ToleranceRule] {
    get throws {
      try rule.isEmpty
        ? RuleRegistry.all
        : rule.map { text in
          do { return try ToleranceRule(parsing: text) } catch { throw UsageError("--rule: \(error)") }
        }
    }
  }

  /// The names among those that are known.
  func defects(of known: [String]) throws -> Set<String> {
    if let unknown = defect.first(where: { !known.contains($0) }) {
      throw UsageError("--defect: no defect '\(unknown)'; there are: \(known.joined(separator: ", "))")
    }
    return Set(defect.isEmpty ? known : defect)
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
