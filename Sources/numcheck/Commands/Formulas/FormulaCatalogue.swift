import ArgumentParser
import NumKit

/// Every formula that has a command: one line each.
enum FormulaCatalogue {
  static let all: [any FormulaFlags.Type] = [
    RopeFlags.self,
    SinusoidalFlags.self,
    AlibiFlags.self,
    ExponentialFlags<NaturalExponential>.self,
    ExponentialFlags<BinaryExponential>.self,
    BinaryCrossEntropyFlags<OnLogits>.self,
    BinaryCrossEntropyFlags<OnProbabilities>.self,
    SigmoidGradientFlags.self,
    SmoothedCrossEntropyFlags.self,
    ZLossFlags.self,
    ScoreFlags.self,
    LinearAttentionFlags.self,
    SigmoidAttentionFlags.self,
  ]

  /// Their commands, and those that write their proven results.
  static var commands: [any ParsableCommand.Type] {
    func commands<O: FormulaFlags>(_: O.Type) -> [any ParsableCommand.Type] {
      [FormulaCommand<O>.self, FormulaReferenceCommand<O>.self]
    }
    return all.flatMap { commands($0) }
  }

  /// Those that judge results of others.
  static var verifying: [any ParsableCommand.Type] {
    func command<O: FormulaFlags>(_: O.Type) -> any ParsableCommand.Type { VerifyFormula<O>.self }
    return (all + [RoutingFlags.self, SamplingFlags.self]).map { command($0) }
  }

  /// Their kernels, for `list kernels`.
  static var kernels: [(command: String, name: String, dtypes: String, summary: String)] {
    func kernels<O: FormulaFlags>(_: O.Type) -> [(String, String, String, String)] {
      O.F.algorithms.map { (O.commandName, $0.name, "all but integers", $0.summary) }
    }
    return all.flatMap { kernels($0) }
  }
}
