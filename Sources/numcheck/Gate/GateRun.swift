import ArgumentParser
import Foundation
import Gate
import Reports
import Shards
import SystemPackage
import TensorFiles

/// A run of the gate: what flags, the environment and the file say, in that order.
struct GateRun {
  let gate: GateFile
  let selection: GateSelection
  let lock: LockOptions
  let history: HistoryOptions
  private let commands: any ParsableCommand.Type
  private let runner: GateRunner
  private let filter: [String]
  private let shard: Shard?
  /// The lockfile's path, as this process sees it.
  let lockPath: String
  private let lockIsNamed: Bool
  private let historyPath: String?

  init(
    gate: GateFile, commands: any ParsableCommand.Type, selection: GateSelection, lock: LockOptions,
    history: HistoryOptions, threads: Int?
  ) throws {
    (self.gate, self.selection, self.lock, self.history) = (gate, selection, lock, history)
    self.commands = commands
    let folder = FilePath(argument: gate.path).removingLastComponent()
    func beside(_ path: String) -> String {
      let own = FilePath(argument: path)
      return own.isAbsolute || folder.isEmpty ? path : folder.appending(own.components).string
    }
    typealias S = Surroundings
    let count =
      try threads
      ?? S.variable("NUMCHECK_THREADS", "a number from 1 to 1024") { text in
        Int(text).flatMap { (1...1024).contains($0) ? $0 : nil }
      } ?? gate.settings.threads ?? ProcessInfo.processInfo.activeProcessorCount
    var runner = GateRunner(threads: count)
    runner.timeLimit =
      try selection.timeLimit?.value
      ?? S.variable("NUMCHECK_TIME_LIMIT", "a number of seconds above 0") { text in
        Double(text).flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
      } ?? gate.settings.timeLimit
    let isFast = try S.variable("NUMCHECK_FAIL_FAST", "true or false") { text in
      ["true": true, "1": true, "false": false, "0": false][text]
    }
    runner.failFast = selection.failFast || (isFast ?? gate.settings.failFast ?? false)
    self.runner = runner
    filter = selection.filter.isEmpty ? S.variable("NUMCHECK_FILTER").map { [$0] } ?? [] : selection.filter
    shard =
      try selection.shard.flatMap { Shard($0) }
      ?? S.variable("NUMCHECK_SHARD", "I/N, like 2/5") { Shard($0) }
    let named = lock.lock ?? S.variable("NUMCHECK_LOCK") ?? gate.settings.lock.map(beside)
    lockPath = named ?? beside("numcheck.lock")
    lockIsNamed = named != nil
    historyPath = history.history ?? S.variable("NUMCHECK_HISTORY") ?? gate.settings.history.map(beside)
  }

  /// The numbers of the checks that are asked for.
  private func chosen() throws -> [Int] {
    let found = gate.selected(filter, shard: shard)
    // More shards than checks leave some without any, which is no mistake.
    if found.isEmpty, shard == nil || gate.selected(filter, shard: nil).isEmpty {
      throw UsageError(
        gate.checks.isEmpty
          ? "\(gate.path): it has no check"
          : "no check matches \(filter.joined(separator: ", ")); nothing was checked")
    }
    return found
  }

  private func commandLine(_ check: GateCheck) -> String { Invocation.line(check.arguments) }

  /// What there is to run.
  func list() throws -> Report {
    let checks = try chosen().map { gate.checks[$0] }
    var report = Report("gate --list", title: "\(gate.path): \(checks.count) of \(gate.checks.count) checks")
    var table = Table(rows: checks.count)
    table.add(GateColumns.check) { .text(checks[$0].name) }
    table.add(GateColumns.limit) { i in
      .text(checks[i].limits.map(\.written).joined(separator: ", "))
    }
    table.add(GateColumns.line) { .text("\(checks[$0].location.file):\(checks[$0].location.line)") }
    table.add(GateColumns.command) { .text(commandLine(checks[$0])) }
    report.add(table)
    return report
  }

  func run(_ options: ReportOptions) throws {
    let old = try lock.noLock ? nil : self.oldLock()
    let results = try selection.merge.isEmpty ? measured() : merged()
    var report = GateReport(
      path: gate.path, version: toolVersion, results: results,
      // Who asks for some of them is not told that others are missing.
      total: selection.merge.isEmpty ? results.count : gate.checks.count)
    var files: [(path: String, text: String)] = []
    if lock.update {
      files.append((lockPath, newLock(old, results).text))
    } else if let old {
      let judge = LockJudge(
        old, slack: gate.settings.slack ?? LockJudge.usualSlack, file: ArgumentText.shown(lockPath))
      for result in results {
        let check = gate.checks[result.index]
        report.lock[result.index] = judge.judged(result, pinned: check.pinned, slack: check.slack)
      }
    } else {
      // Checks without a limit of their own pass by a lock alone.
      report.lock = [:]
    }
    if let save = selection.save {
      let record = GateRecord(
        path: gate.path, version: toolVersion, fingerprint: gate.fingerprint, total: gate.checks.count,
        results: results)
      files.append((save, try record.text()))
    }
    var made = report.report
    if let old, filter.isEmpty, shard == nil, !lock.update {
      let names = Set(gate.checks.map(\.name))
      made.findings += old.checks.filter { !names.contains($0.name) }.map {
        Finding(
          "pinned-no-more", $0.name,
          "stands in \(ArgumentText.shown(lockPath)) and is no check of the file: 'numcheck gate --update' drops it",
          warns: true)
      }
    }
    let whole = made
    var isShown = false
    do {
      try deliver(files.map { try RawWriter($0.path, text: $0.text) }) {
        if let historyPath, selection.merge.isEmpty || !results.isEmpty {
          try History(ArgumentText.shown(historyPath), creating: true).add(
            results, commit: history.commit ?? Surroundings.commit, version: toolVersion,
            status: whole.status.rawValue, at: Surroundings.time)
        }
        isShown = true
        try options.finish(whole)
      }
    } catch {
      // What could not be kept hides no verdict.
      if !isShown { try? options.finish(whole) }
      throw error
    }
  }

  /// Runs what is asked for, in the file's folder.
  private func measured() throws -> [CheckResult] {
    // Every command line is parsed before the first runs: what is wrong in the file is said at once.
    let items = try chosen().map { k in
      let check = gate.checks[k]
      do {
        return GateRunner.Item(
          index: k, check: check, subject: try PreparedCommand(check.arguments, of: commands),
          commandLine: commandLine(check))
      } catch {
        throw GateError("\(error)", at: place("\(error)", check))
      }
    }
    return try gate.inItsFolder {
      let progress = Progress(total: items.count, what: "checks")
      defer { progress.finish() }
      return runner.run(items, progress: progress.callback)
    }
  }

  /// Where the flag stands that a message of the parser names.
  private func place(_ message: String, _ check: GateCheck) -> Location {
    for (flag, location) in check.places.sorted(by: { $0.key.count > $1.key.count })
    where message.contains("--\(flag)") {
      return location
    }
    return check.places["run"] ?? check.location
  }

  private func merged() throws -> [CheckResult] {
    let records = try selection.merge.map { path in
      (
        ArgumentText.shown(path),
        try GateRecord(
          parsing: Data(SmallFile.bytes(FilePath(argument: path))), file: ArgumentText.shown(path))
      )
    }
    let whole = try GateRecord.merged(records)
    guard whole.total == gate.checks.count, whole.path == gate.path,
      whole.results.allSatisfy({
        gate.checks.indices.contains($0.index) && gate.checks[$0.index].name == $0.name
      }), whole.version == toolVersion, whole.fingerprint == gate.fingerprint
    else {
      throw UsageError(
        whole.version == toolVersion
          ? "the shards are not of \(gate.path) as it is now"
          : "the shards are of version \(whole.version), this is \(toolVersion)")
    }
    return whole.results
  }

  private func oldLock() throws -> Lockfile? {
    let path = FilePath(argument: lockPath)
    guard FileIdentity(path) != nil else {
      if lockIsNamed && !lock.update { throw UsageError("\(ArgumentText.shown(lockPath)): no such lockfile") }
      return nil
    }
    // It is written anew by --update.
    let bytes = try SmallFile.bytes(path, kept: false)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("\(ArgumentText.shown(lockPath)): not UTF-8")
    }
    return try Lockfile(parsing: text, file: ArgumentText.shown(lockPath))
  }

  private func newLock(_ old: Lockfile?, _ results: [CheckResult]) -> Lockfile {
    (old ?? Lockfile()).updated(
      results, all: gate.checks.map(\.name),
      unpinned: Set(gate.checks.filter { $0.pinned?.isEmpty == true }.map(\.name)), rebasing: lock.rebase)
  }
}
