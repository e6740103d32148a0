import ArgumentParser
import NumKit

/// Writes the proven outputs and log-sum-exps of attention. Reached as `numcheck reference attention`.
struct AttentionReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference-attention",
    abstract: "Write the proven, correctly rounded outputs and log-sum-exps of attention.",
    usage: "numcheck reference attention --output <FILE> [<options>]",
    discussion: """
      Inputs are taken exactly as the files have them; only results are rounded: o to --dtype, lse to f32 (f64 \
      for f64).
      """, shouldDisplay: false)

  @Option(help: "Number format of the outputs; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(help: ArgumentHelp("Round the inputs to this format first.", valueName: "dtype"))
  var roundInputs: DType?

  @Option(help: ArgumentHelp("The .npy (o) or .safetensors (o and lse) file to write.", valueName: "FILE"))
  var output: String

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @Option(help: "Summary as text or json.")
  var format: OutputFormat = .text

  func validate() throws {
    if format == .markdown || format == .csv { throw ValidationError("--format is text or json here") }
  }

  func run() throws {
    guard let results = dtype.numberFormat else {
      throw UsageError("--dtype \(dtype): an integer grid has no correctly rounded result without a scale")
    }
    try keepApart(outputs: [output], inputs: input.inputs + [question.mask])
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    var tensors = source.tensors
    if let roundInputs {
      guard let f = roundInputs.numberFormat else {
        throw UsageError("--round-inputs \(roundInputs): needs a floating-point format")
      }
      tensors = tensors.rounded(to: f)
    }
    let lse: NumberFormat = results == .f64 ? .f64 : .f32
    let truth = try AttentionTruths(
      tensors, parameters, format: results, lseFormat: lse, threads: threads.count)
    let file = try AttentionWriter.finished(
      output, output: truth.output, logSumExp: truth.logSumExp, source, dtype: results, as: outputType,
      lse: lse)
    try deliver([file]) {
      try report(truth.certificate, tensors.shape)
      if truth.certificate.undecided > 0 {
        throw CheckFailed(message: "\(truth.certificate.undecided) results could not be proven")
      }
    }
  }

  private func report(_ certificate: Certificate, _ shape: AttentionShape) throws {
    if format == .json {
      let document = JSONValue.object([
        ("schema", .string("numcheck/1")), ("command", .string("reference attention")),
        ("dtype", .string(dtype.name)), ("rows", .int(shape.heads * shape.queries)),
        ("length", .int(shape.keys)), ("output", .string(ArgumentText.shown(output))),
        ("certificate", KernelReport.certificate(certificate)),
      ])
      try emit(document.text)
    } else {
      try emit(
        "attention: \(AttentionReport.size(shape)), correctly rounded to \(dtype), in \(ArgumentText.shown(output))\n"
          + KernelReport.proof(certificate) + "\n")
    }
  }
}
