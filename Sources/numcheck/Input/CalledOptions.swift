import ArgumentParser
import Foundation
import Guests
import NumKit
import TensorFiles

/// A kernel that is called, and what is tried with it.
struct CalledOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Run this line of the shell for the results: {results} is the file to write, {input} (or {q}, {k} ...) those to read.",
      valueName: "LINE"))
  var exec: String?

  @Option(
    help: ArgumentHelp(
      "Call the kernel in this shared library, built with numcheck_kernel.h, in a process of its own.",
      valueName: "FILE"))
  var plugin: String?

  @Option(help: "Files for --exec: 'npy' or 'safetensors' (bf16 and 8 bits always).")
  var exchange: ProgramGuest.Exchange = .npy

  @Option(help: ArgumentHelp("Seconds that a call may take.", valueName: "seconds"))
  var timeout: NumberArgument = NumberArgument(60)

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
  var isCalled: Bool { exec != nil || plugin != nil }

  func validate() throws {
    if exec != nil && plugin != nil { throw ValidationError("--exec and --plugin are two kernels: name one") }
    if !isCalled {
      for (flag, isGiven) in [
        ("--invariance", invariance), ("--no-hygiene", noHygiene), ("--splits", splits != nil),
      ] where isGiven {
        throw ValidationError("\(flag) is for a kernel that is called: --exec or --plugin")
      }
    }
    if splits != nil && !invariance { throw ValidationError("--splits is for --invariance") }
    guard timeout.value > 0, timeout.value < 1e6 else {
      throw ValidationError("--timeout must be above 0 and below 1000000")
    }
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

  /// The kernel, for calls as `problem`'s are; nil where none is called.
  private func kernel(_ problem: GuestProblem) throws -> any GuestKernel {
    do throws(GuestFault) {
      if let exec {
        return try ProgramGuest(
          exec, exchange: exchange, seconds: timeout.value, arrays: problem.inputs.map(\.array.name),
          parameters: problem.parameters.map(\.name) + (splits == nil ? [] : ["splits"]))
      }
      let path = plugin ?? ""
      let library = LibraryGuest(
        path.contains("/") ? path : "./" + path,
        program: [Invocation.executable, Invocation.libraryCommand],
        seconds: timeout.value)
      try library.load()
      return library
    } catch {
      throw UsageError("\(exec == nil ? "--plugin" : "--exec"): \(error)")
    }
  }

  /// Calls the kernel about all of a problem, then tries what hygiene and --invariance try; `judge` holds results of calls against the
  /// truth.
  func run(_ problem: GuestProblem, seed: UInt64, judge: @escaping CallJudge) throws -> CalledResults {
    let kernel = try kernel(problem)
    defer { kernel.close() }
    let progress = Progress(total: problem.itemCount, what: "\(problem.itemName)s called")
    let answer: WholeAnswer
    do throws(GuestFault) {
      answer = try WholeAnswer(kernel, problem, progress: progress.callback)
    } catch {
      throw UsageError("\(exec == nil ? "--plugin" : "--exec"): \(error)")
    }
    progress.finish()
    var results = CalledResults(
      name: exec == nil ? kernel.name : "program", line: exec ?? plugin ?? "", arrays: answer.results,
      given: answer.given)
    results.findings = answer.findings
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

extension ProgramGuest.Exchange: ExpressibleByArgument {}

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
    guard let array = arrays.first(where: { $0.name == output }) else {
      throw UsageError("\(name): gave no \(output)")
    }
    return try GuestFile(array.view(), name: name, shapes: [array.shape])
  }

  var findings: [GuestFinding] = []
  var invariance: [InvarianceCell] = []
  var callCount = 0
}
