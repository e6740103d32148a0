import ArgumentParser
import NumKit
import Reports

extension LinearAttentionFormula.FeatureMap: ExpressibleByArgument {}

/// Linear attention: rows are the queries of a sequence's tokens, one after the other.
struct LinearAttentionFlags: FormulaFlags {
  static let commandName = "linear-attention"
  static let abstract =
    "Causal linear attention: sums of phi(k) v^T over the tokens so far, met by phi(q); row t is the query of token t."
  static let discussion = """
    The running sums never forget, so errors grow along the sequence: they are shown by octaves of the token too. The quadratic, \
    the running and the chunked form are one formula. Products are taken in the compute format, sums over tokens in the accumulator.
    """
  static let noun = "numbers of a query"
  static let length = 32

  @Option(help: "The positive feature map: elu (x + 1 above 0, e^x below), exp or relu.")
  var map: LinearAttentionFormula.FeatureMap = .elu

  @Option(
    help: ArgumentHelp("The keys, one a token (default: N(0,1) from the seed).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var keys: String?

  @Option(
    help: ArgumentHelp("The values, one a token (default: likewise).", valueName: "FILE[:TENSOR]"),
    completion: .file())
  var values: String?

  @Option(
    help: ArgumentHelp("Tokens that the chunked form takes at a time.", valueName: "N"),
    transform: Whole.number)
  var chunk: Int = 64

  var files: [String?] { [keys, values] }

  func validate() throws {
    if chunk < 1 { throw ValidationError("--chunk must be 1 or more") }
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> LinearAttentionFormula {
    let (tokens, d) = (source.rows.rowCount, source.rows.length)
    guard tokens <= 1 << 14 else { throw UsageError("\(tokens) tokens: at most \(1 << 14)") }
    func drawn(_ stream: Int) -> [[Double]] {
      var random = RandomSource(seed: seed, row: stream)
      return (0..<tokens).map { _ in (0..<d).map { _ in random.normal() } }
    }
    func read(_ file: String) throws -> [[Double]] {
      let rows = try WholeTensor.matrix(file)
      guard rows.count == tokens else {
        throw UsageError("\(ArgumentText.shown(file)): \(rows.count) rows for \(tokens) queries")
      }
      return rows
    }
    return LinearAttentionFormula(
      map, keys: try keys.map(read) ?? drawn(-10), values: try values.map(read) ?? drawn(-11), chunk: chunk)
  }

  var drawn: [String] { (keys == nil ? ["--keys"] : []) + (values == nil ? ["--values"] : []) }

  func call(_ formula: LinearAttentionFormula, rows: Int, length: Int) -> FormulaCall {
    let code = Double(LinearAttentionFormula.FeatureMap.allCases.firstIndex(of: formula.map) ?? 0)
    var call = FormulaCall(
      [FormulaCall.matrix("keys", formula.keys), FormulaCall.matrix("values", formula.values)],
      [("map", code)])
    // A row is one token of a sequence.
    call.isCutByRows = false
    return call
  }

  func facts(_ formula: LinearAttentionFormula) -> [Fact] {
    [Fact("formula.map", .text(map.rawValue)), Fact("formula.chunk", .integer(chunk))]
  }

  func described(_ formula: LinearAttentionFormula) -> String {
    "map \(map.rawValue), chunks of \(Figures.count(chunk))"
  }

  func extend(_ report: inout Report, _ run: FormulaRun<LinearAttentionFlags>) throws {
    let octaves = try SequenceStudy.run(run.formula, run.algorithms, run.configuration, on: run.source.rows)
    var section = Section()
    let table = SequenceTable(octaves: octaves).table
    section.blocks = [.table(table)]
    section.charts = [
      Chart.lines(
        "errors along the sequence", of: table, x: PositionColumns.from, y: PositionColumns.alongSequence,
        by: ErrorColumns.algorithm)
    ]
    report.sections.append(section)
  }
}
