import ArgumentParser
import Shards

/// Which part of a run is done, and where what it found goes.
struct ShardOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Do the I-th of N parts of the work, and write what it found instead of a report: 'numcheck merge' takes all N.",
      valueName: "I/N"))
  var shard: String?

  @Option(
    help: ArgumentHelp("Where --shard writes its part (default: standard output).", valueName: "FILE"),
    completion: .file())
  var save: String?

  func validate() throws {
    if let shard, Shard(shard) == nil {
      throw ValidationError("--shard '\(shard)' must be I/N, like 2/5, with N at most \(Shard.limit)")
    }
    if save != nil && shard == nil { throw ValidationError("--save is for --shard") }
  }

  var chosen: Shard? { shard.flatMap { Shard($0) } }
}

/// A command whose work several processes may share.
protocol Sharable: ParsableCommand {
  var shards: ShardOptions { get }
  /// Flags that were given and do what a part cannot: write files, answer other questions.
  var unsharable: [String] { get }
}
