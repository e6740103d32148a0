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

  @Argument(help: ArgumentHelp("The file.", valueName: "FILE"))
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
    let catalogue = try CommandCatalogue.made()
    if schema { return try emit(GateSchema.text(catalogue)) }
    if begins { return try begin() }
    let gate = try GateFile.read(file, catalogue)
    let run = try GateRun(
      gate: gate, selection: selection, lock: lock, history: history, threads: threads.threads)
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

/// Which checks run, and until when.
struct GateSelection: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run checks whose name has this in it, or matches it with '*' and '?'; repeatable.", valueName: "name"))
  var filter: [String] = []

  @Option(help: ArgumentHelp("Run the I-th of N parts of the checks.", valueName: "I/N"))
  var shard: String?

  @Flag(help: "End with the first check that fails.") var failFast = false

  @Option(help: ArgumentHelp("Seconds that a check may take.", valueName: "s")) var timeLimit: Number?

  @Option(help: ArgumentHelp("Write what was found, for --merge.", valueName: "FILE")) var save: String?

  @Option(
    help: ArgumentHelp("Instead of running report what shards saved; repeatable.", valueName: "FILE"))
  var merge: [String] = []

  func validate() throws {
    if let shard, GateShard(shard) == nil {
      throw ValidationError("--shard '\(shard)' must be I/N, like 2/5")
    }
    if let limit = timeLimit?.value, !(limit > 0 && limit.isFinite) {
      throw ValidationError("--time-limit must be a number of seconds above 0")
    }
  }
}

/// What later runs are held to.
struct LockOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The lockfile (default: numcheck.lock beside the file).", valueName: "FILE"))
  var lock: String?

  @Flag(help: "Hold figures to no lockfile.") var noLock = false

  @Flag(help: "Pin today's figures in the lockfile.") var update = false

  @Flag(help: "With --update: forget what figures first were, and measure drift from today's.")
  var rebase = false
}

/// Where runs are kept.
struct HistoryOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Add this run's figures to an SQLite file.", valueName: "FILE.db"))
  var history: String?

  @Option(help: ArgumentHelp("What is checked out (default: what CI or git says).", valueName: "name"))
  var commit: String?
}

extension GateFile {
  /// Reads the file that an argument names.
  static func read(_ path: String, _ catalogue: Catalogue) throws -> GateFile {
    let bytes: [UInt8]
    do {
      bytes = try SmallFile.bytes(FilePath(argument: path))
    } catch {
      let more = path == "numcheck.yml" ? "; 'numcheck gate --init' writes one" : ""
      throw UsageError("\(error)\(more)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(ArgumentText.shown(path)): not UTF-8")
    }
    return try GateReader.read(text, path: ArgumentText.shown(path), catalogue)
  }
}
