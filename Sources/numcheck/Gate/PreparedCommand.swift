import ArgumentParser
import Gate
import Reports

/// A command whose flags are parsed, run within this process.
///
/// `@unchecked`: a command is a value that its one run copies; none keeps state outside it.
struct PreparedCommand: GateSubject, @unchecked Sendable {
  private let root: any ParsableCommand.Type
  private let command: any ParsableCommand

  /// A command of the program whose first one `root` is; throws what the command line of its own would end with.
  init(_ arguments: [String], of root: any ParsableCommand.Type) throws {
    self.root = root
    let list = try Arguments(arguments, commands: root.configuration.subcommands).list
    do {
      command = try root.parseAsRoot(list)
    } catch { throw UsageError(root.line(of: error)) }
  }

  func run(threads: Int) throws -> Report? {
    var own = command
    do {
      return try ReportTaker.report(threads: threads) { try own.run() }
    } catch {
      throw UsageError(root.line(of: error))
    }
  }
}
