import ArgumentParser
import Guests
import NumKit
import Reports

/// Angles of positions: base, scaling, ids.
struct FrequencyOptions: ParsableArguments {
  @Option(help: ArgumentHelp("theta_i = base^(-2i/d).", valueName: "X"))
  var base: NumberArgument = NumberArgument(10000)

  enum Scaling: String, CaseIterable, ExpressibleByArgument { case none, linear, ntk, yarn }

  @Option(help: "For longer contexts: none, linear (theta/s), ntk (a larger base) or yarn.")
  var scaling: Scaling = .none

  @Option(help: ArgumentHelp("The factor s of --scaling.", valueName: "S"))
  var factor: NumberArgument?

  @Option(
    help: ArgumentHelp("The context trained on, for yarn (default: 4096).", valueName: "N"),
    transform: Whole.number)
  var originalContext: Int?

  @Option(help: ArgumentHelp("Format that positions come in (default: whole numbers).", valueName: "dtype"))
  var ids: DType?

  @Option(
    help: ArgumentHelp("Positions 0 to N - 1 (default: 131072).", valueName: "N"), transform: Whole.number)
  var positions: Int = 131072

  @Option(
    help: ArgumentHelp(
      "The position of the first row of --input; one follows the other along the axis before the last.",
      valueName: "N"), transform: Whole.number)
  var start: Int?

  @Option(help: ArgumentHelp("The position of each row.", valueName: "FILE[:TENSOR]"), completion: .file())
  var positionIds: String?

  func validate() throws {
    if !(2...(1 << 30)).contains(positions) {
      throw ValidationError("--positions must be 2 to \(1 << 30)")
    }
    if let start, !(0...(1 << 30)).contains(start) {
      throw ValidationError("--start must be 0 to \(1 << 30)")
    }
    if let ids, ids.numberFormat == nil || ids == .float(.e8m0) {
      throw ValidationError("--ids \(ids): needs a floating-point format")
    }
    if (factor != nil) != (scaling != .none) {
      throw ValidationError(
        factor == nil ? "--scaling \(scaling.rawValue) needs --factor" : "--factor is for --scaling")
    }
    if originalContext != nil && scaling != .yarn {
      throw ValidationError("--original-context is for --scaling yarn")
    }
  }

  var frequencies: Frequencies {
    let s = factor?.value ?? 1
    let scaling: Frequencies.Scaling =
      switch scaling {
      case .none: .none
      case .linear: .linear(s)
      case .ntk: .ntk(s)
      case .yarn: .yarn(s, original: originalContext ?? 4096)
      }
    return Frequencies(base: base.value, scaling: scaling)
  }

  /// The tensors that are read.
  var files: [String?] { [positionIds] }

  /// As a called kernel gets them.
  func call(_ frequencies: Frequencies, _ positions: RowPositions, rows: Int) -> FormulaCall {
    let code = Double(Scaling.allCases.firstIndex(of: scaling) ?? 0)
    var numbers = [("base", frequencies.base), ("scaling", code), ("factor", frequencies.scaling.factor)]
    if case .yarn(_, let original) = frequencies.scaling {
      numbers.append(("original_context", Double(original)))
    }
    return FormulaCall(
      [
        FormulaCall.Array(
          name: "positions", values: positions.first(rows), shape: [rows], isWhole: true, isPerRow: true)
      ], numbers)
  }

  /// Where each row stands: those of a file one after the other, generated ones all over the context.
  func rowPositions(_ source: RowInput, seed: UInt64) throws -> RowPositions {
    if let positionIds {
      if start != nil { throw UsageError("--position-ids and --start: take one") }
      return RowPositions(try Self.read(positionIds, "--position-ids", rows: source.rows.rowCount))
    }
    if case .file = source.origin {
      return RowPositions(from: start ?? 0, period: max(1, source.otherShape.last ?? source.rows.rowCount))
    }
    if start != nil { throw UsageError("--start is for --input") }
    return RowPositions(Self.spread(source.rows.rowCount, over: positions, seed: seed))
  }

  /// A whole number for each of `rows`.
  static func read(_ file: String, _ flag: String, rows: Int) throws -> [Int] {
    let given = try WholeTensor(file).values
    guard given.count == rows else {
      throw UsageError("\(flag) \(ArgumentText.shown(file)): \(given.count) numbers for \(rows) rows")
    }
    return try given.map { x in
      guard let n = Int(exactly: x), (0...1 << 30).contains(n) else {
        throw UsageError(
          "\(flag) \(ArgumentText.shown(file)): \(Figures.number(x)) is not a whole number from 0 to \(1 << 30)"
        )
      }
      return n
    }
  }

  /// `count` of the positions below `end`, ascending: all, or those around powers of two and others drawn as many an octave.
  static func spread(_ count: Int, over end: Int, seed: UInt64) -> [Int] {
    if count >= end { return (0..<count).map { $0 % end } }
    var chosen: Set<Int> = [0, end - 1]
    for k in 0..<40 {
      for m in [(1 << k) - 1, 1 << k, (1 << k) + 1] where m < end && chosen.count < count { chosen.insert(m) }
    }
    var random = RandomSource(seed: seed, row: -2)
    let octaves = Double.log2(Double(end))
    var tries = 0
    while chosen.count < count {
      // Below a few thousand all of an octave may be taken already.
      let m = Int(Double.exp2(octaves * random.uniform()))
      chosen.insert(tries < 100 * count ? min(m, end - 1) : tries % end)
      tries += 1
    }
    return Array(chosen.sorted().prefix(count))
  }

  func facts(_ formula: Frequencies) -> [Fact] {
    [
      Fact("formula.base", .number(formula.base)), Fact("formula.scaling", .text(scaling.rawValue)),
      Fact("formula.factor", .number(formula.scaling.factor)),
      Fact("formula.ids", ids.map { .text($0.name) } ?? .none),
      Fact("formula.positions", .integer(positions)),
    ]
  }

  func described(_ formula: Frequencies) -> String {
    var s = "base \(Figures.number(formula.base))"
    if scaling != .none { s += ", \(scaling.rawValue) by \(Figures.number(formula.scaling.factor))" }
    if let ids { s += ", ids in \(ids)" }
    return s
  }
}

extension RotaryPairing: ExpressibleByArgument {}

/// Rotary positions.
struct RopeFlags: FormulaFlags {
  static let commandName = "rope"
  static let abstract = "Rotary positions (RoPE): each pair of a row turned by position * theta_i."
  static let discussion = """
    Of every position: the error of its sines and cosines, the first that equals its neighbour, and the error of scores \
    of queries and keys, which in exact arithmetic depend on their distance alone. Rows stand at positions all over the \
    context. --compute is the format of angles, sines and cosines, --dtype that of tables and rows.
    """
  static let length = 64
  static let hasSums = false

  @OptionGroup var angles: FrequencyOptions

  @Option(help: "Which numbers are turned together: half (i and i + d/2) or interleaved (2i and 2i + 1).")
  var pairing: RotaryPairing = .half

  @Option(
    help: ArgumentHelp(
      "A sine, cosine, or score relative to |q||k|, that is off by more is a failure.", valueName: "X"))
  var limit: NumberArgument = NumberArgument(0.01)

  func validate() throws {
    if !(limit.value > 0 && limit.value.isFinite) {
      throw ValidationError("--limit must be above 0 and finite")
    }
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> RotaryFormula {
    RotaryFormula(
      angles.frequencies, pairing: pairing, positions: try angles.rowPositions(source, seed: seed),
      ids: angles.ids?.numberFormat)
  }

  var files: [String?] { angles.files }

  func call(_ formula: RotaryFormula, rows: Int, length: Int) -> FormulaCall {
    var call = angles.call(formula.frequencies, formula.positions, rows: rows)
    call.parameters.append(("interleaved", pairing == .interleaved ? 1 : 0))
    return call
  }

  func formula(_ asked: RotaryFormula, of call: GuestCall, length: Int) -> RotaryFormula {
    var formula = asked
    formula.positions = RowPositions((call.values("positions") ?? []).map { Int($0) })
    return formula
  }

  func facts(_ formula: RotaryFormula) -> [Fact] {
    angles.facts(formula.frequencies) + [
      Fact("formula.pairing", .text(pairing.rawValue)), Fact("formula.limit", .number(limit.value)),
    ]
  }

  func described(_ formula: RotaryFormula) -> String { angles.described(formula.frequencies) }

  func extend(_ report: inout Report, _ run: FormulaRun<RopeFlags>) throws {
    let study = RotaryStudy(
      run.formula, dimensions: run.source.rows.length, count: angles.positions, limit: limit.value,
      seed: run.seed, threads: run.threads)
    let outcomes = try run.algorithms.map { ($0.name, try study.run($0, run.configuration)) }
    RotaryReport(study: study, outcomes: outcomes).add(to: &report)
  }
}

/// Sinusoidal positions.
struct SinusoidalFlags: FormulaFlags {
  static let commandName = "sinusoidal"
  static let abstract = "Sinusoidal positions: sin and cos of position * theta_i, side by side."
  static let place = "dimension"
  static let length = 64
  static let hasSums = false

  @OptionGroup var angles: FrequencyOptions

  func formula(_ source: RowInput, seed: UInt64) throws -> SinusoidalFormula {
    SinusoidalFormula(
      angles.frequencies, positions: try angles.rowPositions(source, seed: seed),
      ids: angles.ids?.numberFormat)
  }

  var files: [String?] { angles.files }

  func call(_ formula: SinusoidalFormula, rows: Int, length: Int) -> FormulaCall {
    var call = angles.call(formula.frequencies, formula.positions, rows: rows)
    call.takesRows = false
    return call
  }

  func formula(_ asked: SinusoidalFormula, of call: GuestCall, length: Int) -> SinusoidalFormula {
    var formula = asked
    formula.positions = RowPositions((call.values("positions") ?? []).map { Int($0) })
    return formula
  }

  func facts(_ formula: SinusoidalFormula) -> [Fact] { angles.facts(formula.frequencies) }
  func described(_ formula: SinusoidalFormula) -> String { angles.described(formula.frequencies) }
}

/// Linear biases.
struct AlibiFlags: FormulaFlags {
  static let commandName = "alibi"
  static let abstract = "Linear biases (ALiBi): -slope * distance, a result for each of --length heads."
  static let place = "head"
  static let length = 12
  static let hasSums = false

  @Option(help: ArgumentHelp("Format that distances come in (default: whole numbers).", valueName: "dtype"))
  var ids: DType?

  @Option(help: ArgumentHelp("Distances 0 to N - 1.", valueName: "N"), transform: Whole.number)
  var positions: Int = 131072

  @Option(help: ArgumentHelp("The distance of each row.", valueName: "FILE[:TENSOR]"), completion: .file())
  var distances: String?

  var files: [String?] { [distances] }

  func validate() throws {
    if !(2...(1 << 30)).contains(positions) {
      throw ValidationError("--positions must be 2 to \(1 << 30)")
    }
    if let ids, ids.numberFormat == nil || ids == .float(.e8m0) {
      throw ValidationError("--ids \(ids): needs a floating-point format")
    }
  }

  func call(_ formula: AlibiFormula, rows: Int, length: Int) -> FormulaCall {
    var call = FormulaCall([
      FormulaCall.Array(
        name: "distances", values: formula.distances.first(rows), shape: [rows], isWhole: true, isPerRow: true
      )
    ])
    call.takesRows = false
    return call
  }

  func formula(_ asked: AlibiFormula, of call: GuestCall, length: Int) -> AlibiFormula {
    var formula = asked
    formula.distances = RowPositions((call.values("distances") ?? []).map { Int($0) })
    return formula
  }

  func formula(_ source: RowInput, seed: UInt64) throws -> AlibiFormula {
    if case .file = source.origin { throw UsageError("alibi has no --input: its rows are distances") }
    if let distances {
      let given = try FrequencyOptions.read(distances, "--distances", rows: source.rows.rowCount)
      return AlibiFormula(distances: RowPositions(given), ids: ids?.numberFormat)
    }
    let spread = FrequencyOptions.spread(source.rows.rowCount, over: positions, seed: seed)
    return AlibiFormula(distances: RowPositions(spread), ids: ids?.numberFormat)
  }

  func facts(_ formula: AlibiFormula) -> [Fact] {
    [
      Fact("formula.ids", ids.map { .text($0.name) } ?? .none),
      Fact("formula.positions", .integer(positions)),
    ]
  }

  func described(_ formula: AlibiFormula) -> String { ids.map { "distances in \($0)" } ?? "" }
}
