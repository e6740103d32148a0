import ArgumentParser
import CFiles
import CLoops
import Foundation
import NumKit
import TensorFiles

/// The command: parsing and exit statuses.
@main
struct Numcheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "numcheck",
    abstract: "How wrong low-precision numbers are, against the proven answer.",
    discussion: """
      Runs softmax and its relatives in any number format, and holds every result against a truth that is \
      proven, not approximated: errors in ulps, overflow, NaN, and a verdict whether kernel or input is to \
      blame.

      Exit status: 0 all held, 1 a check failed (see --check, --max-ulp and their like), 2 wrong usage, unreadable \
      input, or nothing to check.
      """,
    version: toolVersion,
    subcommands: [
      KernelCommand<SoftmaxQuestion>.self,
      KernelCommand<LogSoftmaxQuestion>.self,
      KernelCommand<LogSumExpQuestion>.self,
      KernelCommand<SigmoidQuestion>.self,
      KernelCommand<CrossEntropyQuestion>.self,
      KernelCommand<CrossEntropyGradientQuestion>.self,
      KernelCommand<SoftmaxJacobianQuestion>.self,
      KernelCommand<SoftmaxVJPQuestion>.self,
      AttentionCommand.self,
      MatmulCommand.self,
      NormCommand<RMSNormQuestion>.self,
      NormCommand<LayerNormQuestion>.self,
      ReferenceCommand.self,
      AttentionReferenceCommand.self,
      MatmulReferenceCommand.self,
      NormReferenceCommand<RMSNormQuestion>.self,
      NormReferenceCommand<LayerNormQuestion>.self,
      VerifyCommand.self,
      FingerprintCommand.self,
      CompareCommand.self,
      MutateCommand.self,
      ToleranceCommand.self,
      AttentionToleranceCommand.self,
      SampleCommand.self,
      CacheCommand.self,
      QuantizeCommand.self,
      ActivationsCommand.self,
      DialectCommand.self,
      GateCommand.self,
      HistoryCommand.self,
      ListCommand.self,
      ServeLibraryCommand.self,
    ])

  static func main() {
    nc_reserve_standard_descriptors()
    UnfinishedFiles.removeOnSignals()
    guard nc_processor_suffices() else {
      fail("this build needs an x86-64-v3 processor (AVX2, FMA, F16C, BMI2)")
    }
    if let fault = ArithmeticFault.here { fail(fault.description) }
    do {
      let arguments = try Arguments(ArgumentText.given, commands: configuration.subcommands)
      if arguments.asksForHelp { Arguments.widenHelp() }
      var command = try parseAsRoot(arguments.list)
      try command.run()
    } catch let error as CheckFailed {
      if !error.message.isEmpty { note(error.message) }
      Foundation.exit(1)
    } catch {
      if exitCode(for: error) == .success {
        // --help, --version, completion scripts.
        do { try emit(fullMessage(for: error) + "\n") } catch { fail("\(error)") }
        Foundation.exit(0)
      }
      fail(message(of: error))
    }
  }

  /// One line for a usage error or an unreadable input.
  static func message(of error: any Error) -> String {
    // The parser's own messages may take several lines; ours are lines, whatever names are in them.
    guard String(reflecting: type(of: error)).hasPrefix("ArgumentParser.") else { return "\(error)" }
    let text = message(for: error)
    var known = text.isEmpty ? "\(error)" : text
    // What is no number, of the flags that do not say so themselves.
    if known.wholeMatch(of: /The value '.*' is invalid for '--[a-z-]+ <[^>]*>'/) != nil {
      known += ": must be a number"
    }
    let lines = known.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    return lines.map { $0.hasPrefix("- ") ? String($0.dropFirst(2)) + "," : $0 }.joined(separator: " ")
      .trimmingCharacters(in: CharacterSet(charactersIn: ","))
  }

  private static func fail(_ message: String) -> Never {
    note(message)
    Foundation.exit(2)
  }
}
