import ArgumentParser
import Foundation
import NumKit
import Quant
import TensorFiles

/// Squeezes tensors through quantization schemes and prices each.
struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Squeeze a tensor through quantization schemes and price each.",
    discussion: """
      By default all schemes that fit the tensor, sorted by bits per weight (scales and all), the Pareto-best \
      marked with '*'. Rows run along the last axis; blocks run along a row.
      """)

  @Option(
    help: ArgumentHelp(
      "Scheme to try, repeatable; '*' and '?' match. See 'numcheck list schemes'.", valueName: "name"))
  var scheme: [String] = []

  @OptionGroup(title: "Input") var input: InputOptions

  @Option(help: ArgumentHelp("Write the dequantized tensor (exactly one --scheme).", valueName: "FILE"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Write the encoded bytes in the scheme's storage layout (exactly one --scheme).", valueName: "FILE"))
  var raw: String?

  @Flag(help: "Say which scheme to take, within --max-bits or --min-sqnr.")
  var recommend = false

  @Option(help: ArgumentHelp("For --recommend: the most bits per weight.", valueName: "bits"))
  var maxBits: Number?

  @Option(help: ArgumentHelp("For --recommend: the least SQNR in dB.", valueName: "dB"))
  var minSqnr: Number?

  @OptionGroup(title: "Cures") var cures: CureOptions

  @OptionGroup(title: "Where it matters") var through: ThroughOptions

  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @Option(help: "Report as text, json, markdown or csv.")
  var format: OutputFormat = .text

  func validate() throws {
    if recommend && maxBits == nil && minSqnr == nil {
      throw ValidationError("--recommend needs --max-bits or --min-sqnr")
    }
    if !recommend && (maxBits != nil || minSqnr != nil) {
      throw ValidationError("--max-bits and --min-sqnr are for --recommend")
    }
    if input.exhaustive { throw ValidationError("--exhaustive is not for quantize") }
  }

  func run() throws {
    let chosen = try schemes()
    if let purpose = through.through { return try runThrough(purpose, chosen) }
    if cures.isAsked { return try runCures(chosen) }
    if (output != nil || raw != nil) && chosen.map({ $0.count }) != 1 {
      throw UsageError("--output and --raw need exactly one --scheme")
    }
    var reports: [QuantizeReport] = []
    for name in try tensorNames() {
      var options = input
      if let name { options.input = name }
      let matrix = try Matrix(options)
      if output != nil || raw != nil, let only = chosen?.first {
        try matrix.write(only, output: output, raw: raw)
      }
      reports.append(
        try QuantizeReport(
          matrix, schemes: chosen ?? SchemeRegistry.all, isExplicit: chosen != nil, threads: threads.count,
          recommendation: recommend ? (maxBits?.value, minSqnr?.value) : nil))
    }
    switch format {
    case .text: try emit(reports.map(\.text).joined(separator: "\n"))
    case .markdown: try emit(reports.map(\.markdown).joined(separator: "\n"))
    case .csv: try emit(QuantizeReport.csv(reports))
    case .json: try emit(QuantizeReport.json(reports).text)
    }
    if recommend, reports.contains(where: { $0.recommended == nil }) {
      throw CheckFailed(message: "no scheme keeps the limits")
    }
  }

  /// The error where the tensor is used.
  private func runThrough(_ purpose: Purpose, _ chosen: [any Scheme]?) throws {
    if raw != nil || output != nil || recommend {
      throw UsageError("--output, --raw and --recommend do not go with --through")
    }
    let report = try ThroughRun(
      purpose: purpose, options: through, cures: cures, input: input, schemes: chosen, threads: threads.count
    ).report()
    switch format {
    case .text: try emit(report.text)
    case .markdown: try emit(report.markdown)
    case .csv: try emit(report.csv)
    case .json: try emit(report.json.text)
    }
  }

  /// The treatments of --cure, --transform and --calibration, on int8@tensor unless --scheme says otherwise.
  private func runCures(_ chosen: [any Scheme]?) throws {
    if raw != nil || recommend { throw UsageError("--raw and --recommend are for schemes as they are") }
    let run = CureRun(
      options: cures, input: input, schemes: try chosen ?? [SchemeRegistry.scheme(named: "int8@tensor")],
      threads: threads.count)
    if let output { try run.write(output) }
    let reports = try run.reports()
    switch format {
    case .text: try emit(reports.map(\.text).joined(separator: "\n"))
    case .markdown: try emit(reports.map(\.markdown).joined(separator: "\n"))
    case .csv: try emit(CureReport.csv(reports))
    case .json: try emit(CureReport.json(reports).text)
    }
  }

  /// The schemes asked for; nil for the default list.
  private func schemes() throws -> [any Scheme]? {
    if scheme.isEmpty { return nil }
    var list: [any Scheme] = []
    for pattern in scheme {
      for found in try SchemeRegistry.schemes(matching: pattern)
      where !list.contains(where: { $0.name == found.name }) {
        list.append(found)
      }
    }
    return list
  }

  /// The tensor asked for, or each numeric one of the file; nil stands for generated rows.
  private func tensorNames() throws -> [String?] {
    guard let text = input.input else { return [nil] }
    let specifier = TensorSpecifier(text)
    if specifier.tensorName != nil || specifier.path == "-" { return [text] }
    let file = try TensorFile.open(specifier.path)
    if file.tensors.count <= 1 { return [text] }
    if output != nil || raw != nil { _ = try file.onlyTensor() }
    let numeric = file.tensors.filter { $0.elementType.isNumeric && $0.count > 0 }
    if numeric.isEmpty { throw UsageError("\(text): no tensor of plain numbers") }
    return numeric.map { "\(specifier.path):\($0.name)" }
  }
}
