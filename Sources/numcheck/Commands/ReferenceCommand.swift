import ArgumentParser
import NumKit
import Reports

/// Writes the proven, correctly rounded results of an operation.
struct ReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference",
    abstract: "Write the proven, correctly rounded results of an operation.",
    discussion: """
      Inputs are taken exactly as the file has them; only the results are rounded, to --dtype. A golden file \
      for any test suite. 'numcheck reference attention' has flags of its own.
      """)

  @Argument(
    help: ArgumentHelp(
      "The operation: \(RowOperation.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "operation"))
  var operation: RowOperation

  @Option(help: "Number format of the results; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(help: ArgumentHelp("Round the inputs to this format first.", valueName: "dtype"))
  var roundInputs: DType?

  @Option(
    help: "What becomes of results too large: 'special' (infinity or NaN) or 'saturate' (infinities too)."
  )
  var overflow: Overflow = .special

  @Option(help: ArgumentHelp("The .npy or .safetensors file to write.", valueName: "FILE"))
  var output: String

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  @OptionGroup(title: "Question") var parameters: ParameterOptions
  @OptionGroup(title: "Input") var input: InputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    guard let format = dtype.numberFormat else {
      throw UsageError("--dtype \(dtype): an integer grid has no correctly rounded result without a scale")
    }
    try keepApart(outputs: [output] + report.files, inputs: [input.input] + parameters.files)
    let source = try RowInput(input, operation: operation, dtype: roundInputs ?? dtype)
    let workers = try MemoryNeeds.threads(threads, operation, length: source.rows.length)
    let question = try QuestionInput(parameters, operation, source, seed: input.seed)
    try question.check(operation, source)
    let writer = try ResultWriter(
      output, dtype: dtype, as: outputType, operation: operation, input: source, overflow: overflow)
    let truths = TruthRows(
      operation, format: format, overflow: overflow, question: question, roundInputs: roundInputs,
      source: source)
    let certificate = try truths.forEach(threads: workers) { try writer.append($0) }
    let file = try writer.finished()
    let rows = source.rows.rowCount
    var made = Report(
      "reference \(operation.rawValue)",
      title: "\(operation.rawValue) of \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of "
        + "\(Figures.count(source.rows.length)), correctly rounded to \(dtype), in \(ArgumentText.shown(output))"
    )
    made.facts = [Fact("dtype", .text(dtype.name))] + source.origin.facts
    made.facts += [Fact("rows", .integer(rows)), Fact("length", .integer(source.rows.length))]
    made.describeReference(output, dtype: format, certificate)
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }
}

extension Limit {
  /// Every result is proven. The command asks for it itself.
  static var proven: Limit {
    var limit = Limit("certificate.undecided", .equal, "0")
    limit.isImplied = true
    return limit
  }
}

extension Report {
  /// What was written, and what proved it.
  mutating func describeReference(_ output: String, dtype: NumberFormat, _ certificate: Certificate) {
    facts += [
      Fact("output", .text(ArgumentText.shown(output))), Fact("certificate", .certificate(certificate)),
    ]
    notes = [certificate.line]
    if certificate.undecided > 0 {
      findings.append(
        Finding(
          "undecided", "", "\(Figures.count(certificate.undecided)) results could not be proven", warns: true)
      )
    }
    var table = Table(rows: 1, for: .machines)
    table.add(ListColumns.file) { _ in .text(ArgumentText.shown(output)) }
    table.add(ListColumns.dtype) { _ in .text(dtype.name) }
    add(table)
  }
}

extension RowOperation: ExpressibleByArgument {}

/// The proven results of every row, in order, a batch of rows at a time.
private struct TruthRows {
  let operation: RowOperation
  let format: NumberFormat
  let overflow: Overflow
  let question: QuestionInput
  let roundInputs: DType?
  let source: RowInput

  init(
    _ operation: RowOperation, format: NumberFormat, overflow: Overflow, question: QuestionInput,
    roundInputs: DType?, source: RowInput
  ) {
    self.operation = operation
    self.format = format
    self.overflow = overflow
    self.question = question
    self.roundInputs = roundInputs
    self.source = source
  }

  private final class Worker {
    let reference: Reference
    var certificate = Certificate()
    init(_ reference: Reference) { self.reference = reference }
  }

  func forEach(threads: Int, _ body: (UnsafeBufferPointer<Double>) throws -> Void) throws -> Certificate {
    let perRow = operation.resultCount(length: source.rows.length)
    let batch = Swift.max(
      threads, Swift.min(source.rows.rowCount, (1 << 18) / Swift.max(source.rows.length, perRow)))
    let results = UnsafeMutableBufferPointer<Double>.allocate(capacity: batch * perRow)
    defer { results.deallocate() }
    var certificate = Certificate()
    var start = 0
    while start < source.rows.rowCount {
      let count = Swift.min(batch, source.rows.rowCount - start)
      let worker = try ParallelRows(threads: threads, chunk: 1).reduce(
        count: count, progress: nil,
        make: { Worker(Reference(operation, format: format, overflow: overflow)) },
        body: { worker, i in
          try answer(
            start + i, worker,
            into: UnsafeMutableBufferPointer(rebasing: results[(i * perRow)..<((i + 1) * perRow)]))
        }, merge: { $0.certificate.merge($1.certificate) })
      certificate.merge(worker.certificate)
      for i in 0..<count {
        try body(UnsafeBufferPointer(rebasing: results[(i * perRow)..<((i + 1) * perRow)]))
      }
      start += count
    }
    return certificate
  }

  private func answer(_ row: Int, _ worker: Worker, into results: UnsafeMutableBufferPointer<Double>) throws {
    var x = try source.row(row)
    if let roundInputs {
      let given = x
      _ = KernelConfiguration(storage: roundInputs, overflow: overflow).roundInputs(given, into: &x)
    }
    var parameters = question.parameters
    parameters.target = question.targets?[row] ?? parameters.target
    let certificate = x.withUnsafeBufferPointer {
      worker.reference.round($0, parameters: parameters, into: results)
    }
    worker.certificate.merge(certificate)
  }
}
