import ArgumentParser
import NumKit
import Quant

/// Where two implementations of a scheme differ.
struct DialectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dialect",
    abstract: "Find where two schemes differ: how often, at what cost, on what smallest input.")

  @Argument(help: "The first scheme, e.g. mxfp4:ggml.")
  var first: String

  @Argument(help: "The second, e.g. mxfp4:floor.")
  var second: String

  @OptionGroup(title: "Input") var input: InputOptions

  @Option(help: "Report as text or json.")
  var format: OutputFormat = .text

  func validate() throws {
    if format == .markdown || format == .csv { throw ValidationError("--format is text or json here") }
    if input.exhaustive { throw ValidationError("--exhaustive is not for dialect") }
  }

  func run() throws {
    let a = try SchemeRegistry.scheme(named: first)
    let b = try SchemeRegistry.scheme(named: second)
    let matrix = try Matrix(MatrixSource.only(input))
    let comparison = try DialectComparison(a, b, matrix.values, rows: matrix.rows, columns: matrix.columns)
    let report = DialectReport(first: a.name, second: b.name, tensor: matrix.name, comparison: comparison)
    try emit(format == .json ? report.json.text : report.text)
  }
}
