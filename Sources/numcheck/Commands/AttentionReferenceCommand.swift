import ArgumentParser
import NumKit
import Reports
import SystemPackage
import TensorFiles

/// Writes the proven outputs and log-sum-exps of attention, or its proven gradients. Reached as `numcheck reference attention`.
struct AttentionReferenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reference-attention",
    abstract: "Write the proven, correctly rounded outputs and log-sum-exps of attention, or its gradients.",
    usage: "numcheck reference attention --output <FILE> [<options>]",
    discussion: """
      Inputs are taken exactly as the files have them; only results are rounded: o to --dtype, lse to f32 (f64 \
      for f64). With --backward dq, dk and dv, each shaped as the tensor it is the gradient of, to --dtype. A .npy file takes \
      o alone, a .safetensors file all of them.
      """, shouldDisplay: false)

  @OptionGroup var results: ReferenceOptions
  @OptionGroup var range: OverflowOptions

  @OptionGroup(title: "Question") var question: AttentionQuestionOptions
  @OptionGroup(title: "Input") var input: AttentionInputOptions
  @OptionGroup(title: "Backward") var backward: BackwardOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    if backward.backward && !TensorWriter.hasNames(FilePath(argument: results.output)) {
      throw ValidationError("--backward writes dq, dk and dv: --output needs a .safetensors file")
    }
  }

  func run() throws {
    let (format, dtype) = (try results.format(), results.dtype)
    let (output, overflow) = (results.output, range.overflow)
    try keepApart(
      outputs: [output] + report.files, inputs: input.inputs + [question.mask, backward.outputGradient])
    let source = try AttentionInput(input)
    let parameters = try question.parameters(source)
    var tensors = source.tensors
    let rounding = try results.inputFormat()
    if let rounding { tensors = tensors.rounded(to: rounding, overflow: overflow) }
    _ = try OutputType.element(dtype, as: results.outputType)
    let certificate: Certificate
    let file: any UnfinishedFile
    var what = ""
    if backward.backward {
      let gradient = try backward.gradient(source, seed: input.seed)
      let rounded = rounding.map { f in gradient.values.map { f.round($0, overflow: overflow) } }
      let truth = try gradients(tensors, rounded ?? gradient.values, parameters, format)
      file = try AttentionWriter.finished(
        output, truth, source, dtype: format, as: results.outputType)
      certificate = truth.certificate
      what = " backward (\(gradient.name))"
    } else {
      let lse: NumberFormat = format == .f64 ? .f64 : .f32
      let progress = Progress(total: tensors.shape.heads * tensors.shape.queries)
      defer { progress.finish() }
      let truth = try AttentionTruths(
        tensors, parameters, format: format, lseFormat: lse, overflow: overflow, threads: threads.count,
        progress: progress.callback)
      file = try AttentionWriter.finished(
        output, output: truth.output, logSumExp: truth.logSumExp, source, dtype: format,
        as: results.outputType, lse: lse)
      certificate = truth.certificate
    }
    let shape = tensors.shape
    var made = Report(
      "reference attention",
      title: "attention\(what): \(AttentionWords.size(shape)), correctly rounded to \(dtype), "
        + "in \(ArgumentText.shown(output))")
    let count = AttentionCount(source.tensors)
    made.facts = [Fact("dtype", .text(dtype.name))] + source.origin.facts + count.facts
    made.facts += [Fact("input.rowsWithoutAnswer", .integer(parameters.blindQueries(shape)))] + shape.facts
    made.facts += [
      Fact("rows", .integer(shape.heads * shape.queries)), Fact("length", .integer(shape.keys)),
      Fact("question", .text(AttentionWords.question(parameters, shape))),
      Fact("backward", .flag(backward.backward)),
    ]
    made.findings = count.findings
    if let blind = BlindQueries.finding(parameters, shape, isBackward: backward.backward) {
      made.findings.append(blind)
    }
    made.describeReference(output, dtype: format, certificate)
    try deliver([file]) { try report.finish(made, limits: [.proven]) }
  }

  private func gradients(
    _ tensors: AttentionInputs, _ gradient: [Double], _ parameters: AttentionParameters,
    _ format: NumberFormat
  ) throws -> BackwardTruths {
    let progress = Progress(total: tensors.shape.keyHeads)
    defer { progress.finish() }
    do {
      return try BackwardTruths(
        tensors, gradient: gradient, parameters, format: format, overflow: range.overflow,
        threads: threads.count,
        progress: progress.callback)
    } catch let error as BackwardError {
      throw UsageError("\(error)")
    }
  }
}
