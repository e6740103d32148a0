import ArgumentParser
import Foundation
import NumKitNumbers
import Reports
import Shards
import SystemPackage
import TensorFiles

/// Puts the parts of a run together.
struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Put together what the parts of a run have found: the report of one run.",
    discussion: """
      Takes what 'numcheck ... --shard I/N --save FILE' wrote, all N of it, or what 'numcheck gate --save FILE' did. The report is, \
      byte for byte, that of the same command in one piece, with its limits and exit status. Inputs must be where they were: their \
      headers and the worst rows are read again. A part that is missing, of another run or from another version is an error. \
      Files are written where this command's own flags say, never where a part does.
      """)

  @Argument(help: ArgumentHelp("The parts, in any order.", valueName: "FILE"), completion: .file())
  var parts: [String]

  @Option(
    help: ArgumentHelp(
      "Report as \(ReportFormat.names), instead of what the parts' command says.", valueName: "format"))
  var format: ReportFormat?

  @Option(
    help: ArgumentHelp(
      "Write the report to a file as well, in any of these formats; repeatable.", valueName: "FORMAT=FILE"))
  var report: [ReportFile] = []

  @Option(
    help: ArgumentHelp(
      "Show these columns of a table, by title or path, or 'all'.", valueName: "name,..."))
  var columns: String?

  func run() throws {
    let read = try parts.map { path in
      (
        file: ArgumentText.shown(path),
        data: Data(try SmallFile.bytes(FilePath(argument: path), limit: 1 << 30))
      )
    }
    try keepApart(outputs: report.map(\.path), inputs: parts)
    if let gate = gatePath(read.map(\.data)) {
      return try run(["gate", gate] + parts.flatMap { ["--merge", $0] } + shown) { $0 is GateCommand }
    }
    do {
      let merger = try PartMerger(
        read.map { ($0.file, try PartFile(parsing: $0.data, file: $0.file, version: toolVersion)) })
      OpenedFiles.keepFingerprints()
      let line = merger.arguments
      try Sharing.with(merger) {
        // A part is data: its line may ask a question of its files, and nothing else.
        try Invocation.with(line) {
          try run(replacing(line) + shown) { ($0 as? any Sharable)?.unsharable.isEmpty == true }
        }
      }
    } catch let error as PartError {
      throw UsageError("\(error)")
    }
  }

  /// Runs another command's line, where `isAllowed` has nothing against it.
  private func run(_ line: [String], _ isAllowed: (any ParsableCommand) -> Bool) throws {
    guard line.first?.hasPrefix("-") == false else { throw UsageError("a part names no command") }
    let list = try Arguments(line, commands: Numcheck.configuration.subcommands).list
    var command: any ParsableCommand
    do { command = try Numcheck.parseAsRoot(list) } catch { throw UsageError(Numcheck.line(of: error)) }
    guard isAllowed(command) else {
      throw UsageError("'\(ArgumentText.shown(line.first ?? ""))' has no parts")
    }
    try command.run()
  }

  /// What this command's own flags say of the report.
  private var shown: [String] {
    (format.map { ["--format", $0.emitter.name] } ?? [])
      + report.flatMap { ["--report", "\($0.format.emitter.name)=\($0.path)"] }
      + (columns.map { ["--columns", $0] } ?? [])
  }

  /// The line without the flags that are given here instead.
  private func replacing(_ line: [String]) -> [String] {
    var list = line
    func drop(_ flag: String) {
      while let k = list.firstIndex(of: flag) { list.removeSubrange(k..<min(k + 2, list.count)) }
      list.removeAll { $0.hasPrefix(flag + "=") }
    }
    drop("--report")
    if format != nil { drop("--format") }
    if columns != nil {
      drop("--columns")
      list.removeAll { $0 == "--wide" }
    }
    return list
  }

  /// The gate that records are of; nil where they are none.
  private func gatePath(_ files: [Data]) -> String? {
    struct Head: Decodable { let schema: String, path: String }
    let heads = files.map { try? JSONDecoder().decode(Head.self, from: $0) }
    guard let first = heads.first ?? nil, first.schema.hasPrefix("numcheck-gate/") else { return nil }
    return first.path
  }
}
