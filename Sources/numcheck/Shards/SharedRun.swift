import ArgumentParser
import Foundation
import NumKitNumbers
import Shards
import SystemPackage
import TensorFiles

/// Runs commands, whole or a part of them.
enum SharedRun {
  /// Runs `command`, or the part of it that its flags ask for; `arguments` are those that it was parsed from.
  static func run(_ command: inout any ParsableCommand, _ arguments: [String]) throws {
    guard let sharable = command as? any Sharable, let shard = sharable.shards.chosen else {
      return try command.run()
    }
    if ReportTaker.current != nil { throw UsageError("--shard is for runs of its own") }
    let line = Self.line(arguments)
    if let flag = sharable.unsharable.first { throw UsageError("--shard does not go with \(flag)") }
    if line.contains(where: { $0 == "-" || $0.hasPrefix("-:") || $0.hasSuffix("=-") }) {
      throw UsageError("--shard does not go with standard input: it could not be read again for all parts")
    }
    let save = sharable.shards.save
    try keepApart(outputs: [save], inputs: [])
    OpenedFiles.keepFingerprints()
    let recorder = PartRecorder(shard)
    do {
      try Sharing.with(recorder) { try command.run() }
    } catch is PartDone {
      guard recorder.records.contains(where: { $0.units > 0 }) else {
        throw UsageError("nothing of this run can be shared")
      }
      let part = PartFile(
        version: toolVersion, arguments: line, shard: shard, inputs: inputs, records: recorder.records)
      guard let save else { return try emit(part.text) }
      return try deliver([RawWriter(save, text: part.text)]) {}
    }
    throw UsageError("nothing of this run can be shared")
  }

  /// Ends a command that does a part only, or says that all parts are put together: before a report is shown.
  static func end() throws {
    if Sharing.isPartial { throw PartDone() }
    if let merger = Sharing.current as? PartMerger {
      do { try merger.finish(inputs: inputs) } catch let error as PartError { throw UsageError("\(error)") }
    }
  }

  /// The files that were read.
  private static var inputs: [PartFile.Input] {
    OpenedFiles.fingerprints.map {
      PartFile.Input(path: $0.path, bytes: $0.bytes, fingerprint: $0.fingerprint)
    }
  }

  /// The command line without --shard, --save and --threads: what all parts, and the run in one piece, have in common.
  static func line(_ arguments: [String]) -> [String] {
    let own = ["--shard", "--save", "--threads"]
    var kept: [String] = []
    var skips = false
    for argument in arguments {
      if skips {
        skips = false
      } else if own.contains(argument) {
        skips = true
      } else if !own.contains(where: { argument.hasPrefix($0 + "=") }) {
        kept.append(argument)
      }
    }
    return kept
  }
}

/// A part is done: what follows from the whole is not looked at.
struct PartDone: Error {}
