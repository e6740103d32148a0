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
      for any test suite. Attention, matmul, rmsnorm and layernorm have flags of their own: see \
      'numcheck reference attention --help'.
      """)

  @Argument(
    help: ArgumentHelp(
      "The operation: \(RowOperation.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "operation"))
  var operation: RowOperation

  @OptionGroup var results: ReferenceOptions
  @OptionGroup var range: OverflowOptions

  @OptionGroup(title: "Question") var parameters: ParameterOptions
  @OptionGroup(title: "Input") var input: InputOptions
  @OptionGroup(title: "Input") var all: ExhaustiveOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func run() throws {
    let (format, dtype) = (try results.format(), results.dtype)
    try all.check(input)
    try keepApart(outputs: [results.output] + report.files, inputs: [input.input] + parameters.files)
    let source = try RowInput(
      input, operation: operation, dtype: results.roundInputs ?? dtype,
      exhaustive: all.exhaustive)
    let workers = try MemoryNeeds.threads(threads, operation, length: source.rows.length)
    let question = try QuestionInput(parameters, operation, source, seed: input.seed)
    try question.check(operation, source)
    let writer = try ResultWriter(
      results.output, dtype: dtype, as: results.outputType, operation: operation, input: source,
      overflow: range.overflow)
    let (operation, overflow) = (operation, range.overflow)
    let proven = ProvenRows(
      source, resultsPerRow: operation.resultCount(length: source.rows.length),
      roundInputs: results.roundInputs,
      overflow)
    let (certificate, count) = try proven.forEach(
      threads: workers,
      prover: {
        let reference = Reference(operation, format: format, overflow: overflow)
        var parameters = question.parameters
        return { index, row, results in
          parameters.target = question.targets?[index] ?? parameters.target
          return reference.round(row, parameters: parameters, into: results)
        }
      }, body: { try writer.append($0) })
    let file = try writer.finished()
    let made = Report.reference(
      operation.rawValue, of: source, count, in: results, format: format, certificate)
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
  /// What `reference` says of rows: which, rounded to what, in which file, `further` facts of the question, and what proved them.
  static func reference(
    _ name: String, of source: RowInput, _ count: InputCount, in results: ReferenceOptions,
    format: NumberFormat, _ certificate: Certificate, further: [Fact] = []
  ) -> Report {
    let (rows, length) = (source.rows.rowCount, source.rows.length)
    var made = Report(
      "reference \(name)",
      title: "\(name) of \(Figures.count(rows)) \(rows == 1 ? "row" : "rows") of \(Figures.count(length)), "
        + "correctly rounded to \(results.dtype), in \(ArgumentText.shown(results.output))")
    made.facts = [Fact("dtype", .text(results.dtype.name))] + source.origin.facts + count.facts
    made.facts += [Fact("rows", .integer(rows)), Fact("length", .integer(length))] + further
    made.findings = count.findings
    made.describeReference(results.output, dtype: format, certificate)
    return made
  }

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
