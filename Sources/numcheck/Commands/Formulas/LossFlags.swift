import ArgumentParser
import Guests
import NumKit
import Reports

/// Of what binary cross-entropies are taken.
protocol BinaryCrossEntropyNaming {
  static var isOnProbabilities: Bool { get }
}

enum OnLogits: BinaryCrossEntropyNaming { static let isOnProbabilities = false }
enum OnProbabilities: BinaryCrossEntropyNaming { static let isOnProbabilities = true }

/// Binary cross-entropy.
struct BinaryCrossEntropyFlags<N: BinaryCrossEntropyNaming>: FormulaFlags {
  static var commandName: String { N.isOnProbabilities ? "bce-probabilities" : "bce" }
  static var abstract: String {
    N.isOnProbabilities
      ? "Binary cross-entropy of probabilities: -y log p - (1 - y) log(1 - p), element by element."
      : "Binary cross-entropy of logits: log(1 + e^x) - x y, element by element."
  }
  static var noun: String { N.isOnProbabilities ? "probabilities" : "logits" }
  static var length: Int { 256 }
  static var hasSums: Bool { false }

  @Option(
    help: ArgumentHelp(
      "Targets y from 0 to 1, as many as elements or as one row has (default: 0, 1 and some between, from the seed).",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var targets: String?

  init() {}

  var files: [String?] { [targets] }

  func formula(_ source: RowInput, seed: UInt64) throws -> BinaryCrossEntropyFormula {
    let y: [Double]
    if let targets {
      y = try WholeTensor(targets).values
      let n = source.rows.length
      guard y.count == n || y.count == n * source.rows.rowCount else {
        throw UsageError(
          "--targets \(ArgumentText.shown(targets)): \(y.count) targets for \(source.rows.rowCount) rows of \(n)"
        )
      }
    } else {
      var random = RandomSource(seed: seed, row: -3)
      y = (0..<source.rows.length).map { [0, 1, 0, 1, random.uniform()][$0 % 5] }
    }
    return BinaryCrossEntropyFormula(isOnProbabilities: N.isOnProbabilities, targets: y)
  }

  var drawn: [String] { targets == nil ? ["--targets"] : [] }

  func call(_ formula: BinaryCrossEntropyFormula, rows: Int, length: Int) -> FormulaCall {
    let isEach = formula.targets.count > length
    var call = FormulaCall([
      FormulaCall.Array(
        name: "targets", values: formula.targets, shape: isEach ? [rows, length] : [length], isPerRow: isEach,
        lengthAxes: [isEach ? 1 : 0])
    ])
    call.isCutByLength = true
    return call
  }

  func formula(_ asked: BinaryCrossEntropyFormula, of call: GuestCall, length: Int)
    -> BinaryCrossEntropyFormula
  {
    var formula = asked
    formula.targets = call.values("targets") ?? []
    return formula
  }

  func facts(_ formula: BinaryCrossEntropyFormula) -> [Fact] {
    [Fact("formula.targets", .text(targets == nil ? "generated" : "file"))]
  }

  /// Generated probabilities are drawn from the logits.
  func transformed(_ source: RowInput) -> RowInput {
    N.isOnProbabilities ? source.asProbabilities : source
  }
}

/// The sigmoid's derivative.
struct SigmoidGradientFlags: FormulaFlags {
  static let commandName = "sigmoid-gradient"
  static let abstract = "The sigmoid's derivative s (1 - s), element by element."
  static let noun = "logits"
  static let length = 256
  static let hasSums = false

  func formula(_ source: RowInput, seed: UInt64) throws -> SigmoidGradientFormula { SigmoidGradientFormula() }

  func call(_ formula: SigmoidGradientFormula, rows: Int, length: Int) -> FormulaCall {
    var call = FormulaCall()
    call.isCutByLength = true
    return call
  }

  func facts(_ formula: SigmoidGradientFormula) -> [Fact] { [] }
}

/// Cross-entropy with label smoothing and rows that do not count.
struct SmoothedCrossEntropyFlags: FormulaFlags {
  static let commandName = "smoothed-crossentropy"
  static let abstract =
    "Cross-entropy with label smoothing: lse - (1 - eps) x_t - eps mean(x); one result a row, 0 where the target is ignored."
  static let noun = "logits"

  @Option(help: ArgumentHelp("Label smoothing eps, 0 to 1.", valueName: "EPS"))
  var smoothing: NumberArgument = NumberArgument(0.1)

  @Option(
    help: ArgumentHelp(
      "Target: an index for all rows, or a tensor of indices, one a row (default: from the seed).",
      valueName: "N|FILE[:TENSOR]"))
  var target: String?

  @Option(
    help: ArgumentHelp("Rows with this target give 0.", valueName: "N"), transform: Whole.number)
  var ignoreIndex: Int = -100

  var files: [String?] { [target.flatMap { Int($0) == nil ? $0 : nil }] }

  func formula(_ source: RowInput, seed: UInt64) throws -> SmoothedCrossEntropyFormula {
    let rows = source.rows.rowCount
    var targets: [Int]
    if let target, let index = Int(target) {
      targets = [index]
    } else if let target {
      targets = try WholeTensor(target).values.map { value in
        guard let index = Int(exactly: value) else {
          throw UsageError("--target \(target): \(Figures.number(value)) is not an index")
        }
        return index
      }
      guard targets.count == rows else {
        throw UsageError("--target \(target): \(targets.count) indices for \(rows) rows")
      }
    } else {
      var random = RandomSource(seed: seed, row: -4)
      targets = (0..<rows).map { _ in Int(random.next() % UInt64(source.rows.length)) }
    }
    return SmoothedCrossEntropyFormula(smoothing: smoothing.value, targets: targets, ignored: ignoreIndex)
  }

  var drawn: [String] { target == nil ? ["--target"] : [] }

  func call(_ formula: SmoothedCrossEntropyFormula, rows: Int, length: Int) -> FormulaCall {
    let targets =
      formula.targets.count == 1 ? Array(repeating: formula.targets[0], count: rows) : formula.targets
    return FormulaCall(
      [
        FormulaCall.Array(
          name: "target", values: targets.map(Double.init), shape: [rows], isWhole: true, isPerRow: true)
      ], [("smoothing", formula.smoothing), ("ignore_index", Double(formula.ignored))])
  }

  func formula(_ asked: SmoothedCrossEntropyFormula, of call: GuestCall, length: Int)
    -> SmoothedCrossEntropyFormula
  {
    var formula = asked
    formula.targets = (call.values("target") ?? []).map { Int($0) }
    return formula
  }

  func facts(_ formula: SmoothedCrossEntropyFormula) -> [Fact] {
    [
      Fact("formula.smoothing", .number(formula.smoothing)),
      Fact("formula.ignoreIndex", .integer(ignoreIndex)),
    ]
  }

  func described(_ formula: SmoothedCrossEntropyFormula) -> String {
    "smoothing \(Figures.number(formula.smoothing))"
  }
}

/// The z-loss.
struct ZLossFlags: FormulaFlags {
  static let commandName = "z-loss"
  static let abstract = "The z-loss: weight times the square of the log-sum-exp; one result a row."
  static let noun = "logits"

  @Option(name: .customLong("loss-weight"), help: ArgumentHelp("The weight.", valueName: "X"))
  var weight: NumberArgument = NumberArgument(1e-4)

  func formula(_ source: RowInput, seed: UInt64) throws -> ZLossFormula { ZLossFormula(weight: weight.value) }

  func call(_ formula: ZLossFormula, rows: Int, length: Int) -> FormulaCall {
    var call = FormulaCall([], [("weight", formula.weight)])
    call.isCutByLength = true
    return call
  }

  func facts(_ formula: ZLossFormula) -> [Fact] { [Fact("formula.weight", .number(formula.weight))] }
  func described(_ formula: ZLossFormula) -> String { "weight \(Figures.number(formula.weight))" }
}
