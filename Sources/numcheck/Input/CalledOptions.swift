import ArgumentParser
import Foundation
import Guests
import NumKit
import TensorFiles

/// A kernel that is called, and what is tried with it.
struct CalledOptions: ParsableArguments {
  @OptionGroup var callee: GuestKernelOptions

  @Flag(help: "Call once for the results, and try nothing else with it.")
  var noHygiene = false

  @Flag(
    help:
      "Ask again in other company: alone, moved, permuted, padded, repeated, on other numbers of threads; and count bits that change."
  )
  var invariance = false

  @Option(
    help: ArgumentHelp(
      "For --invariance: numbers of parts that keys are split into, given as the parameter 'splits'.",
      valueName: "N,..."))
  var splits: String?

  /// Whether there is a kernel to call.
  var isCalled: Bool { callee.isCalled }

  func validate() throws {
    if !isCalled {
      for (flag, isGiven) in [
        ("--invariance", invariance), ("--no-hygiene", noHygiene), ("--splits", splits != nil),
      ] where isGiven {
        throw ValidationError("\(flag) is for a kernel that is called: --exec or --plugin")
      }
    }
    if splits != nil && !invariance { throw ValidationError("--splits is for --invariance") }
    _ = try splitCounts()
  }

  private func splitCounts() throws -> [Int] {
    try (splits ?? "").split(separator: ",").map {
      guard let n = Int($0), (1...4096).contains(n) else {
        throw ValidationError("--splits must be whole numbers from 1 to 4096, with commas between them")
      }
      return n
    }
  }

  /// Calls the kernel about all of a problem, then tries what hygiene and --invariance try; `judge` holds results of calls against the
  /// truth.
  func run(_ problem: GuestProblem, seed: UInt64, judge: @escaping CallJudge) throws -> CalledResults {
    let kernel = try callee.start(
      arrays: problem.inputs.map(\.array.name),
      parameters: problem.parameters.map(\.name) + (splits == nil ? [] : ["splits"]),
      results: problem.outputs.map(\.result).filter { !$0.isOptional }.map(\.name),
      optional: problem.outputs.map(\.result).filter(\.isOptional).map(\.name))
    defer { kernel.close() }
    let progress = Progress(total: problem.itemCount, what: "\(problem.itemName)s called")
    let answer: WholeAnswer
    do throws(GuestFault) {
      answer = try WholeAnswer(kernel, problem, progress: progress.callback)
    } catch {
      throw UsageError("\(callee.flag): \(error)")
    }
    progress.finish()
    if let fault = answer.fault, !fault.kind.isOfTheKernel {
      throw UsageError("\(callee.flag): \(fault)")
    }
    var results = CalledResults(
      name: callee.exec == nil ? kernel.name : "program", line: callee.exec ?? callee.plugin ?? "",
      arrays: answer.results,
      given: answer.given)
    results.findings = answer.findings
    results.isEmpty = answer.fault != nil
    results.callCount = answer.callCount
    guard answer.findings.isEmpty else { return results }
    if !noHygiene {
      var hygiene = Hygiene(kernel, problem, seed: seed, judge: judge)
      results.findings += try hygiene.run()
      results.callCount += hygiene.callCount
    }
    if invariance {
      do throws(GuestFault) {
        results.invariance = try Invariance(kernel, problem, seed: seed, splits: (try? splitCounts()) ?? [])
          .run()
      } catch {
        results.findings.append(GuestFinding(error.kind.rawValue, "--invariance: \(error)"))
      }
    }
    return results
  }
}

/// What a called kernel gave, and what was found of how it did.
struct CalledResults {
  /// What reports call it.
  let name: String
  /// The line, or the library.
  let line: String
  /// Each output.
  let arrays: [GuestArray]
  /// The outputs that were given.
  let given: Set<String>
  /// The results of that name, as if they were read from a file.
  func file(_ output: String) throws -> GuestFile {
    let array = try array(output)
    return try GuestFile(array.view(), name: name, shapes: [array.shape])
  }

  /// The output of that name.
  func array(_ output: String) throws -> GuestArray {
    guard let array = arrays.first(where: { $0.name == output }) else {
      throw UsageError("\(name): gave no \(output)")
    }
    return array
  }

  /// Whether no call gave any: there is nothing to judge.
  var isEmpty = false
  var findings: [GuestFinding] = []
  var invariance: [InvarianceCell] = []
  var callCount = 0
}
