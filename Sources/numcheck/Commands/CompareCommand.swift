import ArgumentParser
import Foundation
import Guests
import NumKit
import NumKitNumbers
import Reports
import SystemPackage
import TensorFiles

/// Compares two dumps of tensors by their names.
struct CompareCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two dumps of tensors by name: where they part, and by how much.",
    discussion: """
      Of each tensor the second is held against the first: in ulps of the coarser of both formats, as relative L2, cosine \
      and SQNR. Neither is proven; 'verify' holds results against the truth. With --budget the first tensor, in order, that \
      leaves it is named, and the exit status is 1.
      """)

  @Argument(help: ArgumentHelp("What is held to be right.", valueName: "A"))
  var first: String

  @Argument(help: ArgumentHelp("What is compared with it.", valueName: "B"))
  var second: String

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "What every tensor must keep, like 'relativeL2<=1e-2' or 'cosine>=0.999'; repeatable.",
      valueName: "FIGURE<=X"))
  var budget: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "What B calls tensors of A, a '*' standing for any text: 'model.*=*'; repeatable, the first that fits counts.",
      valueName: "A=B"))
  var map: [String] = []

  @Option(
    help: ArgumentHelp(
      "Names of tensors in the order of the computation, one a line; the others follow.", valueName: "FILE"))
  var order: String?

  @Option(
    help: ArgumentHelp("Show the largest first: a figure like ulp.max or relativeL2.", valueName: "FIGURE"))
  var sort: String?

  @Option(help: ArgumentHelp("Show so many tensors.", valueName: "N"), transform: Whole.number)
  var top: Int?

  @OptionGroup(title: "Many machines") var shards: ShardOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  var unsharable: [String] { [] }

  func validate() throws {
    if let top, top < 1 { throw ValidationError("--top must be 1 or more") }
    do { for text in budget { _ = try Limit(parsing: text) } } catch { throw ValidationError("\(error)") }
    for text in map where NameRule(text) == nil {
      throw ValidationError("--map '\(text)': must be A=B, with at most one '*' on each side")
    }
  }

  func run() throws {
    try keepApart(outputs: report.files, inputs: [first, second, order])
    let files = try (TensorFile.open(FilePath(argument: first)), TensorFile.open(FilePath(argument: second)))
    let comparison: DumpComparison
    do {
      comparison = try DumpComparison(
        files.0, files.1, order: try order.map(Self.names) ?? [], map: map.compactMap { NameRule($0) })
    } catch let error as GuestError {
      throw UsageError("\(ArgumentText.shown(first)), \(ArgumentText.shown(second)): \(error)")
    }
    let progress = Progress(total: comparison.pairs.count, what: "tensors")
    var entries: [CompareReport.Entry] = []
    let line = SharedLine(comparison.pairs.map(\.first.count))
    for (k, pair) in comparison.pairs.enumerated() {
      let difference = try line.within(k) { try pair.difference() }
      entries.append(CompareReport.Entry(pair: pair, difference: difference))
      progress.callback?(entries.count)
    }
    progress.finish()
    try SharedRun.end()
    let made = CompareReport(
      first: ArgumentText.shown(first), second: ArgumentText.shown(second), entries: entries,
      leftOut: comparison.leftOut)
    let limits = try budget.map { try Limit(parsing: $0) }
    try report.finish(try made.report(limits: limits, sort: sort, top: top), limits: limits)
  }

  /// The lines of a file that hold a name.
  private static func names(_ path: String) throws -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw UsageError("--order \(ArgumentText.shown(path)): cannot be read")
    }
    guard data.count <= 1 << 26, let text = String(data: data, encoding: .utf8) else {
      throw UsageError("--order \(ArgumentText.shown(path)): is no text of names, one a line")
    }
    return text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
  }
}
