import ArgumentParser
import Guests
import NumKit
import Reports

/// A formula's command: its name, its own flags, and what its report says beside what all say.
protocol FormulaFlags: ParsableArguments {
  associatedtype F: SuspectedFormula
  static var commandName: String { get }
  static var abstract: String { get }
  static var discussion: String { get }
  /// What rows hold, as help and reports call it, and one of them.
  static var noun: String { get }
  static var place: String { get }
  /// Numbers in a generated row unless told.
  static var length: Int { get }
  /// Rows to generate unless told.
  var rows: Int { get }
  /// The tensors that are read beside the rows.
  var files: [String?] { get }
  /// The flags of tensors that are not given, and drawn.
  var drawn: [String] { get }
  /// What a called kernel gets beside the rows.
  func call(_ formula: F, rows: Int, length: Int) -> FormulaCall
  /// The formula that a call asks about, some of the rows or a part of their length.
  func formula(_ asked: F, of call: GuestCall, length: Int) -> F
  /// The rows that are asked about, of those drawn or read.
  func transformed(_ source: RowInput) -> RowInput
  /// The formula for these rows.
  func formula(_ source: RowInput, seed: UInt64) throws -> F
  /// What was asked, for machines; the paths begin with `formula.`.
  func facts(_ formula: F) -> [Fact]
  /// The same in a few words.
  func described(_ formula: F) -> String
  /// Whether sums are taken in the accumulator: then a finer one may help.
  static var hasSums: Bool { get }
  /// What results hold instead of the formula's numbers: sets of places, judged as masks.
  var kept: KeptForm? { get }
  /// What else there is to say of results that were judged.
  func extend(
    _ report: inout VerifyReport, _ formula: F, _ guest: JudgedResults<F>, on rows: any RowSource) throws
  /// What else there is to say of a run, in further sections.
  func extend(_ report: inout Report, _ run: FormulaRun<Self>) throws
}

extension FormulaFlags {
  static var discussion: String {
    "Errors are against the proven answer: the kernel's own, for numbers as stored, and in all, for those given."
  }
  static var noun: String { "numbers" }
  static var place: String { "element" }
  static var length: Int { 1024 }
  var rows: Int { 256 }
  var files: [String?] { [] }
  var drawn: [String] { [] }
  func transformed(_ source: RowInput) -> RowInput { source }
  func formula(_ asked: F, of call: GuestCall, length: Int) -> F { asked }
  func described(_ formula: F) -> String { "" }
  static var hasSums: Bool { true }
  func extend(_ report: inout Report, _ run: FormulaRun<Self>) throws {}
  var kept: KeptForm? { nil }
  func extend(
    _ report: inout VerifyReport, _ formula: F, _ guest: JudgedResults<F>, on rows: any RowSource
  ) throws {}
}

/// Results of a formula that are judged, however they came.
struct JudgedResults<F: SuspectedFormula> {
  /// What reports call them.
  let name: String
  /// What they are numbers of.
  let format: NumberFormat
  let source: any ResultSource<FormulaQuestion<F>>
  let claims: Claims
  let threads: Int
}

/// What the rows of a formula hold, for help.
enum NumbersOf<O: FormulaFlags>: InputUse {
  static var noun: String { O.noun }
  static var length: String { "\(O.length)" }
  static var distribution: String { FormulaInput<O>.distribution.rawValue }
  static var range: String { Figures.number(FormulaInput<O>.range) }
}

/// Rows as asked for, of the formula's own shape where nothing was said.
struct FormulaInput<O: FormulaFlags>: InputChoice {
  let options: RowOptions<NumbersOf<O>>
  let flags: O

  static var distribution: Distribution { .normal }
  static var range: Double { 1 }

  var input: String? { options.input }
  var axis: Int { options.axis }
  var distribution: Distribution { options.givenDistribution ?? Self.distribution }
  var range: Double { options.givenRange?.value ?? Self.range }
  var rows: Int? { options.rows ?? (options.input == nil ? flags.rows : nil) }
  var length: Int? { options.length ?? O.length }
  var seed: UInt64 { options.seed }
}

/// Algorithms of a formula on rows: what a report is of.
struct FormulaRun<O: FormulaFlags> {
  let algorithms: [FormulaAlgorithm<O.F>]
  let configuration: KernelConfiguration
  let formula: O.F
  let source: RowInput
  let seed: UInt64
  let threads: Int
}

/// Drawn numbers as probabilities: their sigmoids.
struct ProbabilityRows: RowSource {
  let source: any RowSource
  var rowCount: Int { source.rowCount }
  var length: Int { source.length }

  func read(_ row: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    try source.read(row, into: buffer)
    for i in buffer.indices { buffer[i] = 1 / (1 + Double.exp(-buffer[i])) }
  }
}

extension RowInput {
  /// The same, rows that were drawn taken for logits of probabilities.
  var asProbabilities: RowInput {
    if case .file = origin { return self }
    return RowInput(self, rows: ProbabilityRows(source: rows))
  }

  private init(_ other: RowInput, rows: any RowSource) {
    self.rows = rows
    (origin, otherShape, axis) = (other.origin, other.otherShape, other.axis)
  }
}
