import ArgumentParser
import Foundation
import Gate
import Reports
import SystemPackage
import TensorFiles

/// Holds a repository's numbers to what its `numcheck.yml` says.
struct GateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate",
    abstract: "Run the checks of a file, numcheck.yml: a gate for continuous integration.",
    discussion: """
      A check is a command of this program with its flags, and limits on the figures of its report; a matrix makes a check \
      of each combination. Paths in the file count from its folder. What a flag does not say the environment may \
      (NUMCHECK_THREADS, NUMCHECK_TIME_LIMIT, NUMCHECK_FAIL_FAST, NUMCHECK_FILTER, NUMCHECK_SHARD, NUMCHECK_LOCK, \
      NUMCHECK_HISTORY, NUMCHECK_COMMIT), then the file.
      """)

  @Argument(help: ArgumentHelp("The file.", valueName: "FILE"), completion: .file())
  var file: String = "numcheck.yml"

  @Flag(name: .customLong("init"), help: "Write a file to begin with, for the tensors in this folder.")
  var begins = false

  @Flag(help: "List the checks and run none.") var list = false

  @Flag(help: "Print the JSON Schema of the file, for editors.") var schema = false

  @OptionGroup(title: "Which and how") var selection: GateSelection
  @OptionGroup(title: "The lockfile") var lock: LockOptions
  @OptionGroup(title: "History") var history: HistoryOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions
  @OptionGroup(title: "Report") var report: ReportOptions

  func validate() throws {
    if [begins, list, schema, !selection.merge.isEmpty].count(where: { $0 }) > 1 {
      throw ValidationError("--init, --list, --schema and --merge exclude each other")
    }
    if !selection.merge.isEmpty
      && (!selection.filter.isEmpty || selection.shard != nil || selection.save != nil || lock.update)
    {
      throw ValidationError("--merge takes no --filter, --shard, --save or --update")
    }
    if lock.rebase && !lock.update { throw ValidationError("--rebase is for --update") }
    if lock.update && lock.noLock { throw ValidationError("--update and --no-lock exclude each other") }
  }

  func run() throws {
    let catalogue = try CommandCatalogue.made(of: Numcheck.self)
    if schema { return try emit(GateSchema.text(catalogue)) }
    if begins { return try begin() }
    let gate = try GateFile.read(file, catalogue)
    let run = try GateRun(
      gate: gate, commands: Numcheck.self, selection: selection, lock: lock, history: history,
      threads: threads.threads)
    try keepApart(
      outputs: report.files + [selection.save] + (lock.update ? [run.lockPath] : []),
      inputs: [file] + selection.merge)
    if list {
      let shown = try run.list()
      return try report.finish(shown)
    }
    try run.run(report)
  }

  /// Writes a starter beside what is here.
  private func begin() throws {
    let path = FilePath(argument: file)
    if FileIdentity(path) != nil {
      throw UsageError("\(ArgumentText.shown(file)) is there already; --init writes a new file")
    }
    let found = FolderScan.tensors(in: path.removingLastComponent())
    let text = Starter.text(found, schema: GateSchema.id)
    let writer = try RawWriter(file, text: text)
    try deliver([writer]) {
      try emit(
        "\(ArgumentText.shown(file)): a gate for \(found.count) \(found.count == 1 ? "tensor file" : "tensor files") found here; "
          + "'numcheck gate' runs it\n")
    }
  }
}
