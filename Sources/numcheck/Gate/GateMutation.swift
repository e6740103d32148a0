import ArgumentParser
import Gate
import NumKit
import Reports
import Synchronization
import Tolerances

/// A gate, tried: each defect is planted in the kernels of each of its checks, and its own limits say whether anybody notices.
struct GateMutation {
  /// What became of one defect.
  struct Outcome {
    let defect: Defect
    /// Checks with a kernel to plant it in, those whose results it makes wrong, and those that fail with it.
    var planted = 0
    var harmful: [String] = []
    var caught: [String] = []

    /// Whether it does harm and no check fails.
    var passes: Bool { !harmful.isEmpty && caught.isEmpty }
  }

  let gate: GateFile
  let defects: [Defect]
  /// The checks that run a kernel in which defects can be planted.
  let checks: [Int]
  private let prepared: [PreparedCommand]
  private let threads: Int

  /// Throws where a check's command line is wrong, or no check has a kernel to plant anything in.
  init(
    _ gate: GateFile, commands: any ParsableCommand.Type, defects: [Defect], threads: Int
  ) throws {
    self.gate = gate
    self.defects = defects
    self.threads = threads
    let names = Set(Defect.operations.map(\.rawValue))
    checks = gate.checks.indices.filter { names.contains(gate.checks[$0].arguments.first ?? "") }
    guard !checks.isEmpty else {
      throw UsageError(
        "\(gate.path): no check runs \(Defect.operations.map(\.rawValue).joined(separator: ", ")), in whose kernels defects are planted"
      )
    }
    let all = gate.checks
    prepared = try checks.map { k in
      do {
        return try PreparedCommand(all[k].arguments, of: commands)
      } catch { throw GateError("\(error)", at: all[k].location) }
    }
  }

  /// Runs the checks as they are, which must hold, and then with each defect.
  func run() throws -> GateMutationReport {
    let right = try run(prepared.map { $0 as any GateSubject }, "checks")
    if let bad = right.first(where: { $0.outcome != .passed }) {
      throw UsageError("\(gate.path): '\(bad.name)' does not hold as it is; mend it first")
    }
    let subjects = defects.flatMap { defect in prepared.map { PlantedCommand($0, defect) } }
    let results = try run(subjects, "checks with a defect")
    let outcomes = defects.indices.map { d in
      var outcome = Outcome(defect: defects[d])
      for k in prepared.indices {
        let place = d * prepared.count + k
        let found = subjects[place].found
        guard found.wasPlanted else { continue }
        outcome.planted += 1
        if found.isHarmful { outcome.harmful.append(results[place].name) }
        if results[place].outcome != .passed { outcome.caught.append(results[place].name) }
      }
      return outcome
    }
    return GateMutationReport(
      path: gate.path, checks: gate.checks.count, tried: checks.count, outcomes: outcomes)
  }

  /// Runs the checks once or, one defect after another, several times.
  private func run(_ subjects: [any GateSubject], _ what: String) throws -> [CheckResult] {
    let items = subjects.enumerated().map { place, subject in
      let k = checks[place % checks.count]
      return GateRunner.Item(index: place, check: gate.checks[k], subject: subject, commandLine: "")
    }
    var runner = GateRunner(threads: threads)
    runner.timeLimit = gate.settings.timeLimit
    return try gate.inItsFolder {
      let progress = Progress(total: items.count, what: what)
      defer { progress.finish() }
      return runner.run(items, progress: progress.callback)
    }
  }
}

/// A check's command with a defect planted in its kernels.
final class PlantedCommand: GateSubject {
  struct Found {
    var wasPlanted = false
    /// Whether its results are not those of a right kernel: a verdict is `bug` that without the defect is not.
    var isHarmful = false
  }

  private let command: PreparedCommand
  private let defect: Defect
  private let state = Mutex(Found())

  init(_ command: PreparedCommand, _ defect: Defect) {
    self.command = command
    self.defect = defect
  }

  var found: Found { state.withLock { $0 } }

  func run(threads: Int) throws -> Report? {
    let planting = Planting(defect)
    let report = try planting.plant { try command.run(threads: threads) }
    let isHarmful = report.map { Self.hasBug($0) } ?? false
    state.withLock { $0 = Found(wasPlanted: planting.wasPlanted, isHarmful: isHarmful) }
    return report
  }

  private static func hasBug(_ report: Report) -> Bool {
    report.tables.filter { $0.key == "results" }.contains { table in
      guard let c = table.columns.firstIndex(where: { $0.path == ErrorColumns.verdict.path }) else {
        return false
      }
      return table.rows.contains { $0.cells[c].value == .text(Verdict.bug.rawValue) }
    }
  }
}
