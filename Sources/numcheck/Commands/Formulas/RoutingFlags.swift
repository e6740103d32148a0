import ArgumentParser
import Decoding
import Guests
import NumKit
import Reports

/// Routing as `verify` asks about it: a weight for each expert.
struct RoutingFlags: FormulaFlags {
  static let commandName = "routing"
  static let abstract = "Expert routing: a weight for each expert, 0 for those that are not kept."
  static let noun = "logits"
  static let place = "expert"
  static let length = 256

  @Option(help: "What scores are: sigmoid or softmax.")
  var scoring: RoutingRule.Scoring = .sigmoid

  @Option(help: ArgumentHelp("Keep the K largest.", valueName: "K"), transform: Whole.number)
  var topK: Int = 8

  @Option(
    help: ArgumentHelp(
      "A bias for each expert, which counts in the choice alone.", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var bias: String?

  @Flag(help: "Weights are the scores themselves, not their shares of the sum of those that are kept.")
  var unnormalized = false

  var files: [String?] { [bias] }

  func validate() throws {
    if topK < 1 { throw ValidationError("--top-k must be 1 or more") }
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> RoutingFormula {
    RoutingFormula(
      RoutingRule(scoring, topK: topK, bias: try bias.map { try WholeTensor($0).values } ?? []),
      isNormalized: !unnormalized)
  }

  func call(_ formula: RoutingFormula, rows: Int, length: Int) -> FormulaCall {
    let bias = formula.rule.bias
    return FormulaCall(
      bias.isEmpty ? [] : [FormulaCall.Array(name: "bias", values: bias, shape: [bias.count])],
      [
        ("top_k", Double(topK)), ("softmax", scoring == .softmax ? 1 : 0),
        ("normalized", unnormalized ? 0 : 1),
      ])
  }

  func facts(_ formula: RoutingFormula) -> [Fact] {
    [
      Fact("formula.scoring", .text(scoring.rawValue)), Fact("formula.topK", .integer(topK)),
      Fact("formula.bias", .text(bias == nil ? "none" : "file")),
      Fact("formula.normalized", .flag(!unnormalized)),
    ]
  }

  func described(_ formula: RoutingFormula) -> String { "\(scoring.rawValue) scores, \(topK) kept" }
}
