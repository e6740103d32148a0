import ArgumentParser
import Gate
import Reports

/// A command whose flags are parsed, run within this process.
///
/// `@unchecked`: a command is a value that its one run copies; none keeps state outside it.
struct PreparedCommand: GateSubject, @unchecked Sendable {
  private let command: any ParsableCommand

  /// Throws what the command line of its own would end with.
  init(_ arguments: [String]) throws {
    let list = try Arguments(arguments, commands: Numcheck.configuration.subcommands).list
    do {
      command = try Numcheck.parseAsRoot(list)
    } catch { throw UsageError(Numcheck.message(of: error)) }
  }

  func run(threads: Int) throws -> Report? {
    var own = command
    do {
      return try ReportTaker.report(threads: threads) { try own.run() }
    } catch {
      throw UsageError(Numcheck.message(of: error))
    }
  }
}
