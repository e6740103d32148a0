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
      SearchCommand.self,
      MutateCommand.self,
      AttentionMutateCommand.self,
      MatmulMutateCommand.self,
      NormMutateCommand<RMSNormQuestion>.self,
      NormMutateCommand<LayerNormQuestion>.self,
      ToleranceCommand.self,
      AttentionToleranceCommand.self,
      MatmulToleranceCommand.self,
      NormToleranceCommand<RMSNormQuestion>.self,
      NormToleranceCommand<LayerNormQuestion>.self,
      SampleCommand.self,
      RoutingCommand.self,
      CacheCommand.self,
      QuantizeCommand.self,
      PlanCommand.self,
      ActivationsCommand.self,
      DialectCommand.self,
      GateCommand.self,
      HistoryCommand.self,
      MergeCommand.self,
      ListCommand.self,
      ServeLibraryCommand.self,
    ] + FormulaCatalogue.commands)

  static func main() {
    nc_reserve_standard_descriptors()
    UnfinishedFiles.removeOnSignals()
    guard nc_processor_suffices() else {
      fail("this build needs an x86-64-v3 processor (AVX2, FMA, F16C, BMI2)")
    }
    if let fault = ArithmeticFault.here { fail(fault.description) }
    var given: [String] = []
    do {
      let arguments = try Arguments(ArgumentText.given, commands: configuration.subcommands)
      given = arguments.list
      if arguments.asksForHelp { Arguments.widenHelp() }
      var command = try parseAsRoot(arguments.list)
      try SharedRun.run(&command, ArgumentText.given)
    } catch let error as CheckFailed {
      if !error.message.isEmpty { printNote(error.message) }
      Foundation.exit(1)
    } catch {
      if exitCode(for: error) == .success {
        // --help, --version, completion scripts.
        do { try emit(fullMessage(for: error) + "\n") } catch { fail("\(error)") }
        Foundation.exit(0)
      }
      let isOfParser = String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
      fail(
        isOfParser ? (try? ParserHelp(of: self))?.unknownOption(given) ?? line(of: error) : line(of: error))
    }
  }

  private static func fail(_ message: String) -> Never {
    printNote(message)
    Foundation.exit(2)
  }
}
