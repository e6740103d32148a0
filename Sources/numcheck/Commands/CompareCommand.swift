import ArgumentParser
import Foundation
import Guests
import NumKit
import NumKitNumbers
import Quant
import Reports
import SystemPackage
import TensorFiles

/// Compares two dumps of tensors by their names.
struct CompareCommand: Sharable {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two dumps of tensors by name: where they part, and by how much.",
    discussion: """
      Of each tensor the second (and any further file) is held against the first: in ulps of the coarser of both formats, as \
      relative L2, cosine and SQNR; ggml's blocks as what they decode to. Neither is proven; 'verify' holds results against the \
      truth. Of models the tensors that lost most come first; of other dumps the first that differs says where. With --budget \
      the first tensor, in order, that leaves it is named, and the exit status is 1.
      """)

  @Argument(help: ArgumentHelp("What is held to be right.", valueName: "A"))
  var first: String

  @Argument(help: ArgumentHelp("What is compared with it.", valueName: "B"))
  var second: String

  @Argument(help: ArgumentHelp("More of the same.", valueName: "C"))
  var others: [String] = []

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
      "Names of tensors in the order of the computation, one a line; the others follow.", valueName: "FILE"),
    completion: .file())
  var order: String?

  @Option(
    help: ArgumentHelp("Show the largest first: a figure like ulp.max or relativeL2.", valueName: "FIGURE"))
  var sort: String?

  @Option(
    help: ArgumentHelp("Show at most N tensors (default: all; 24 of whole models).", valueName: "N"),
    transform: Whole.number)
  var top: Int?

  @OptionGroup(title: "Machine") var threads: ThreadOptions

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
    try keepApart(outputs: report.files, inputs: [first, second, order] + others)
    let right = try Self.open(first)
    for text in map {
      if let rule = NameRule(text), !right.tensors.contains(where: { rule.apply($0.name) != nil }) {
        throw UsageError("--map '\(text)': no tensor of \(ArgumentText.shown(first)) is called so")
      }
    }
    let names = try order.map(Self.names) ?? []
    var lacks: [LeftOut] = []
    func note(_ file: TensorFile, _ text: String) {
      let name = ArgumentText.shown(text)
      for tensor in file.unreadable where tensor.lack != nil {
        var one = LeftOut(tensor.name, "\(name): \(tensor.reason)")
        one.lack = tensor.lack
        lacks.append(one)
      }
    }
    note(right, first)
    let comparisons = try ([second] + others).map { text -> (name: String, comparison: DumpComparison) in
      do {
        let file = try Self.open(text)
        note(file, text)
        return (
          ArgumentText.shown(text),
          try DumpComparison(
            right, file, order: names, map: map.compactMap { NameRule($0) },
            decoder: { SchemeDecoder($0) })
        )
      } catch let error as GuestError {
        throw UsageError("\(ArgumentText.shown(first)), \(ArgumentText.shown(text)): \(error)")
      }
    }
    let pairs = comparisons.enumerated().flatMap { k, one in one.comparison.pairs.map { (k, $0) } }
    let progress = Progress(total: max(1, pairs.reduce(0) { $0 + $1.1.first.count }), what: "numbers")
    defer { progress.finish() }
    final class Worker {
      var found: [(index: Int, entry: CompareReport.Entry)] = []
    }
    // Where several processes share the work each goes through all in order.
    let line = SharedLine(pairs.map(\.1.first.count))
    let worker = try ParallelRows(threads: Sharing.current == nil ? threads.count : 1, chunk: 1).reduce(
      count: pairs.count, progress: nil, make: { Worker() },
      body: { worker, index in
        let (k, pair) = pairs[index]
        let difference = try line.within(index) { try pair.difference() }
        worker.found.append(
          (index, CompareReport.Entry(pair: pair, file: comparisons[k].name, difference: difference)))
        progress.add(pair.first.count)
      }, merge: { $0.found += $1.found })
    progress.finish()
    try SharedRun.end()
    let isSeveral = comparisons.count > 1
    let made = CompareReport(
      first: ArgumentText.shown(first), seconds: comparisons.map(\.name),
      entries: worker.found.sorted { $0.index < $1.index }.map(\.entry),
      leftOut: comparisons.flatMap { name, one in
        one.leftOut.map {
          ($0.tensor, isSeveral && !$0.reason.contains(name) ? "\(name): \($0.reason)" : $0.reason)
        }
      }, lacks: lacks)
    let limits = try budget.map { try Limit(parsing: $0) }
    try report.finish(try made.report(limits: limits, sort: sort, top: top), limits: limits)
  }

  /// A file, or what a folder or a pattern leads to: one, or the shards of one model.
  private static func open(_ text: String) throws -> TensorFile {
    let paths = try ModelFiles.of(FilePath(argument: text))
    if paths.count == 1 { return try TensorFile.open(paths[0]) }
    guard let model = try TensorFile.open(shards: paths, path: ArgumentText.shown(text)) else {
      throw UsageError(
        "\(ArgumentText.shown(text)): is \(paths.count) files, no shards of one model; name one of them")
    }
    return model
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
