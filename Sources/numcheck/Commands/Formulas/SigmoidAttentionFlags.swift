import ArgumentParser
import NumKit
import Reports

/// Sigmoid attention: rows are queries.
struct SigmoidAttentionFlags: FormulaFlags {
  static let commandName = "sigmoid-attention"
  static let abstract =
    "Sigmoid attention: the sum of sigmoid(scale q.k + b) v over keys, b = -log of their number; weights need not add up to 1."
  static let discussion = """
    Weights are near 1/n each, far down the sigmoid's tail: a form that makes them of tanh keeps only what is left of 1. \
    Scores and weights are made in the compute format, sums over dimensions and keys in the accumulator.
    """
  static let noun = "numbers of a query"
  static let place = "dimension"
  static let length = 64
  var rows: Int { 64 }

  @Option(
    help: ArgumentHelp(
      "The keys, one a row (default: as many as --key-count, N(0,1) from the seed).",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var keys: String?

  @Option(
    help: ArgumentHelp("The values, one a row (default: likewise).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var values: String?

  @Option(
    help: ArgumentHelp("Keys to draw (default: 256, or with --causal as many as rows).", valueName: "N"),
    transform: Whole.number)
  var keyCount: Int?

  @Option(help: ArgumentHelp("What scores are multiplied by (default: 1/sqrt(d)).", valueName: "X"))
  var scale: NumberArgument?

  @Option(help: ArgumentHelp("The bias b (default: -log of the number of keys).", valueName: "X"))
  var bias: NumberArgument?

  @Flag(help: "Row t meets the first t + 1 keys alone.")
  var causal = false

  var files: [String?] { [keys, values] }
  var drawn: [String] { (keys == nil ? ["--keys"] : []) + (values == nil ? ["--values"] : []) }

  func validate() throws {
    if let keyCount, !(1...16384).contains(keyCount) {
      throw ValidationError("--key-count must be 1 to 16384")
    }
    if keyCount != nil && (keys != nil || values != nil) {
      throw ValidationError("--key-count is for keys that are drawn")
    }
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> SigmoidAttentionFormula {
    let (rows, d) = (source.rows.rowCount, source.rows.length)
    let given = (try keys.map { try WholeTensor.matrix($0) }, try values.map { try WholeTensor.matrix($0) })
    let count = given.0?.count ?? given.1?.count ?? keyCount ?? (causal ? rows : 256)
    func drawn(_ stream: Int) -> [[Double]] {
      var random = RandomSource(seed: seed, row: stream)
      return (0..<count).map { _ in (0..<d).map { _ in random.normal() } }
    }
    guard count <= 1 << 14 else { throw UsageError("\(count) keys: at most \(1 << 14)") }
    if causal && count != rows { throw UsageError("--causal: \(count) keys for \(rows) queries") }
    return SigmoidAttentionFormula(
      keys: given.0 ?? drawn(-12), values: given.1 ?? drawn(-13), scale: scale?.value, bias: bias?.value,
      isCausal: causal)
  }

  func call(_ formula: SigmoidAttentionFormula, rows: Int, length: Int) -> FormulaCall {
    let numbers = formula.numbers(dimensions: length)
    var call = FormulaCall(
      [FormulaCall.matrix("keys", formula.keys), FormulaCall.matrix("values", formula.values)],
      [("scale", numbers.scale), ("bias", numbers.bias), ("causal", causal ? 1 : 0)])
    call.isCutByRows = !causal
    return call
  }

  func facts(_ formula: SigmoidAttentionFormula) -> [Fact] {
    [
      Fact("formula.keys", .integer(formula.keys.count)),
      Fact("formula.scale", formula.scale.map { .number($0) } ?? .text("1/sqrt(d)")),
      Fact("formula.bias", formula.bias.map { .number($0) } ?? .text("-log n")),
      Fact("formula.causal", .flag(causal)),
    ]
  }

  func described(_ formula: SigmoidAttentionFormula) -> String {
    "\(causal ? "causal " : "")over \(Figures.count(formula.keys.count)) keys, bias "
      + (formula.bias.map { Figures.number($0) } ?? "-log n")
  }
}
