import ArgumentParser
import NumKit
import Quant
import Reports

/// Where two implementations of a scheme differ.
struct DialectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dialect",
    abstract: "Find where two schemes differ: how often, at what cost, on what smallest input.",
    discussion: """
      Compares both on a tensor, or on generated rows, block by block, and shrinks an example of each kind of \
      difference. Then, with the scale held still, finds for every pair of neighbouring codes the last float that \
      decodes to the lower one, in both schemes. Where the tensor shows no difference, numbers of every size are tried, and what \
      is no number.
      """)

  @Argument(help: "The first scheme, e.g. mxfp4:ggml.")
  var first: String

  @Argument(help: "The second, e.g. mxfp4:floor.")
  var second: String

  @OptionGroup(title: "Input") var input: RowOptions<AnyNumbers>

  @Option(
    help: ArgumentHelp(
      "The largest magnitude of the block in which decision boundaries are searched.", valueName: "x"))
  var anchor: NumberArgument = NumberArgument(4)

  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    guard anchor.value > 0, Float(anchor.value) > 0, Float(anchor.value).isFinite else {
      throw ValidationError("--anchor must be a positive f32")
    }
  }

  func run() throws {
    let a = try SchemeRegistry.scheme(named: first)
    let b = try SchemeRegistry.scheme(named: second)
    let source = try MatrixSource.only(input)
    try MemoryNeeds.requireRow(of: source, schemes: 2)
    let progress = Progress(total: source.rows * source.columns, what: "numbers")
    defer { progress.finish() }
    let comparison = try DialectComparison(a, b, source, progress: { progress.add($0) })
    let dialect = DialectReport(
      first: a.name, second: b.name, tensor: source.name, facts: input.facts,
      input: InputCount(comparison.nonFinite), comparison: comparison,
      boundaries: try BoundaryComparison(a, b, anchor: Float(anchor.value)),
      edges: comparison.differingBlocks == 0 && a.name != b.name ? try DialectEdges.differences(a, b) : [])
    progress.finish()
    try report.finish(dialect.report)
  }
}
