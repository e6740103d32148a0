import ArgumentParser
import NumKit
import Reports

extension ScoreFormula.Function: ExpressibleByArgument {}

/// Score functions: how well a query goes with keys.
struct ScoreFlags: FormulaFlags {
  static let commandName = "scores"
  static let abstract =
    "Score functions: dot product, general s^T W h (Luong) and additive v^T tanh(W s + U h) (Bahdanau), and attention's weights over them."
  static let noun = "numbers of a query"
  static let place = "key"
  static let length = 32
  var rows: Int { 32 }

  @Option(help: "From query and key to score: dot, general or additive.")
  var function: ScoreFormula.Function = .dot

  @Flag(help: "Results are the softmax of the scores, the weights of the keys.")
  var weights = false

  @Option(
    help: ArgumentHelp(
      "The keys, one a row (default: as many as --key-count, N(0,1) from the seed).",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var keys: String?

  @Option(help: ArgumentHelp("Keys to draw.", valueName: "N"), transform: Whole.number)
  var keyCount: Int = 32

  @Option(
    help: ArgumentHelp("W (default: N(0, 1/d) from the seed).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var queryMatrix: String?

  @Option(help: ArgumentHelp("U (default: likewise).", valueName: "FILE[:TENSOR]"), completion: .file())
  var keyMatrix: String?

  @Option(
    help: ArgumentHelp("v (default: N(0, 1) of as many as a key has).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var combination: String?

  var files: [String?] { [keys, queryMatrix, keyMatrix, combination] }

  func validate() throws {
    if !(1...4096).contains(keyCount) { throw ValidationError("--key-count must be 1 to 4096") }
    let unused = [
      ("--query-matrix", queryMatrix, function == .dot), ("--key-matrix", keyMatrix, function != .additive),
      ("--combination", combination, function != .additive),
    ]
    for (flag, given, isUnused) in unused where given != nil && isUnused {
      throw ValidationError("\(flag) is not for --function \(function.rawValue)")
    }
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> ScoreFormula {
    let d = source.rows.length
    guard d <= 4096 else { throw UsageError("queries of \(d) numbers: at most 4096") }
    func drawn(_ stream: Int, _ rows: Int, _ columns: Int, _ size: Double) -> [[Double]] {
      var random = RandomSource(seed: seed, row: stream)
      return (0..<rows).map { _ in (0..<columns).map { _ in size * random.normal() } }
    }
    let keys = try self.keys.map { try WholeTensor.matrix($0) } ?? drawn(-6, keyCount, d, 1)
    let width = keys.first?.count ?? d
    let v = try combination.map { try WholeTensor($0).values } ?? drawn(-7, 1, width, 1)[0]
    var formula = ScoreFormula(function, isNormalized: weights, keys: keys)
    let size = 1 / Double(d).squareRoot()
    switch function {
    case .dot: break
    case .general:
      formula.queryWeights = try queryMatrix.map { try WholeTensor.matrix($0) } ?? drawn(-8, d, width, size)
    case .additive:
      formula.queryWeights = try queryMatrix.map { try WholeTensor.matrix($0) } ?? drawn(-8, v.count, d, size)
      formula.keyWeights = try keyMatrix.map { try WholeTensor.matrix($0) } ?? drawn(-9, v.count, width, size)
      formula.combination = v
    }
    return formula
  }

  var drawn: [String] {
    var list = keys == nil ? ["--keys"] : []
    if function != .dot && queryMatrix == nil { list.append("--query-matrix") }
    if function == .additive && keyMatrix == nil { list.append("--key-matrix") }
    if function == .additive && combination == nil { list.append("--combination") }
    return list
  }

  func call(_ formula: ScoreFormula, rows: Int, length: Int) -> FormulaCall {
    var arrays = [FormulaCall.matrix("keys", formula.keys)]
    if formula.function != .dot { arrays.append(FormulaCall.matrix("query_matrix", formula.queryWeights)) }
    if formula.function == .additive {
      arrays.append(FormulaCall.matrix("key_matrix", formula.keyWeights))
      arrays.append(
        FormulaCall.Array(
          name: "combination", values: formula.combination, shape: [formula.combination.count]))
    }
    let code = Double(ScoreFormula.Function.allCases.firstIndex(of: formula.function) ?? 0)
    return FormulaCall(arrays, [("function", code), ("weights", formula.isNormalized ? 1 : 0)])
  }

  func facts(_ formula: ScoreFormula) -> [Fact] {
    [
      Fact("formula.function", .text(function.rawValue)), Fact("formula.weights", .flag(weights)),
      Fact("formula.keys", .integer(formula.keys.count)),
    ]
  }

  func described(_ formula: ScoreFormula) -> String {
    "\(function.rawValue)\(weights ? " weights" : "") over \(Figures.count(formula.keys.count)) keys"
  }
}
