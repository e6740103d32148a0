import ArgumentParser
import Foundation
import Gate
import Shards
import SystemPackage
import TensorFiles

/// Which checks run, and until when.
struct GateSelection: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Run checks whose name has this in it, or matches it with '*' and '?'; repeatable.", valueName: "name"))
  var filter: [String] = []

  @Option(help: ArgumentHelp("Run the I-th of N parts of the checks.", valueName: "I/N"))
  var shard: String?

  @Flag(help: "End with the first check that fails.") var failFast = false

  @Option(help: ArgumentHelp("Seconds that a check may take.", valueName: "s")) var timeLimit: NumberArgument?

  @Option(help: ArgumentHelp("Write what was found, for --merge.", valueName: "FILE"), completion: .file())
  var save: String?

  @Option(
    help: ArgumentHelp("Instead of running report what shards saved; repeatable.", valueName: "FILE"),
    completion: .file())
  var merge: [String] = []

  func validate() throws {
    if let shard, Shard(shard) == nil {
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
    help: ArgumentHelp("The lockfile (default: numcheck.lock beside the file).", valueName: "FILE"),
    completion: .file())
  var lock: String?

  @Flag(help: "Hold figures to no lockfile.") var noLock = false

  @Flag(help: "Pin today's figures in the lockfile.") var update = false

  @Flag(help: "With --update: forget what figures first were, and measure drift from today's.")
  var rebase = false
}

/// Where runs are kept.
struct HistoryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Add this run's figures to an SQLite file.", valueName: "FILE.db"), completion: .file()
  )
  var history: String?

  @Option(help: ArgumentHelp("What is checked out (default: what CI or git says).", valueName: "name"))
  var commit: String?
}

extension GateFile {
  /// Does `body` where the file's paths count from.
  func inItsFolder<R>(_ body: () throws -> R) throws -> R {
    let folder = FilePath(argument: path).removingLastComponent()
    if folder.isEmpty { return try body() }
    let home = FileManager.default.currentDirectoryPath
    guard FileManager.default.changeCurrentDirectoryPath(folder.string) else {
      throw UsageError("\(folder.string): cannot be entered")
    }
    defer { _ = FileManager.default.changeCurrentDirectoryPath(home) }
    return try body()
  }

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
