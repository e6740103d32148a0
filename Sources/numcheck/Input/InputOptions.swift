import ArgumentParser
import NumKit

/// What a command calls the numbers that it takes, in its help.
protocol InputUse {
  /// `logits`.
  static var noun: String { get }
  /// How many a generated row has unless told.
  static var length: String { get }
  /// Whether several inputs may be named.
  static var takesSeveral: Bool { get }
  /// What generated numbers come from unless told, and R.
  static var distribution: String { get }
  static var range: String { get }
}

extension InputUse {
  static var takesSeveral: Bool { false }
  static var distribution: String { "uniform" }
  static var range: String { "10" }
}

/// Numbers that may be anything: weights, activations.
enum AnyNumbers: InputUse {
  static let noun = "numbers"
  static let length = "1024"
}

/// The same of whole models, in as many files as they have.
enum ModelNumbers: InputUse {
  static let noun = "numbers"
  static let length = "1024"
  static let takesSeveral = true
}

/// Logits of any operation.
enum AnyLogits: InputUse {
  static let noun = "logits"
  static let length = "1024; 32 for the Jacobian"
}

/// Logits of one operation.
enum LogitsOf<Q: NamedOperation<RowOperation>>: InputUse {
  static var noun: String { "logits" }
  static var length: String { Q.operation == .softmaxJacobian ? "32" : "1024" }
}

/// Where rows come from, whatever they are called.
protocol InputChoice {
  /// The tensor to read; nil for generated rows.
  var input: String? { get }
  /// The axis that rows run along.
  var axis: Int { get }
  /// What generated numbers come from, and R.
  var distribution: Distribution { get }
  var range: Double { get }
  /// Rows to generate, or to read at most; numbers in a generated row.
  var rows: Int? { get }
  var length: Int? { get }
  var seed: UInt64 { get }
}

/// Where rows come from.
struct RowOptions<Use: InputUse>: ParsableArguments, InputChoice {
  @Argument(help: ArgumentHelp("The same as --input.", valueName: "FILE[:TENSOR]"), completion: .file())
  var file: String?

  @Option(
    name: .customLong("input"), parsing: .singleValue,
    help: ArgumentHelp(
      "Read the tensor of a .npy, .npz, .safetensors (or its index.json) or .gguf file; '-' is standard input.",
      valueName: "FILE[:TENSOR]"), completion: .file())
  var givenInputs: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The axis that rows run along; negative counts from the last.", valueName: "k"),
    transform: Whole.number)
  var axis: Int = -1

  @Option(
    name: .customLong("distribution"),
    help: ArgumentHelp(
      "Generate \(Use.noun) from: \(Distribution.allCases.map(\.rawValue).joined(separator: ", ")) (default: \(Use.distribution))."
    ))
  var givenDistribution: Distribution?

  @Option(
    name: .customLong("range"),
    help: ArgumentHelp(
      "Range R of the generated \(Use.noun): [-R, R], or the scale of the distribution (default: \(Use.range))."
    ))
  var givenRange: NumberArgument?

  @Option(
    help: ArgumentHelp("Rows to generate, or to read at most (default: 256, or all of a file)."),
    transform: Whole.number)
  var rows: Int?

  @Option(
    help: ArgumentHelp(
      "\(Use.noun.prefix(1).uppercased() + Use.noun.dropFirst()) in a generated row (default: \(Use.length))."
    ),
    transform: Whole.number)
  var length: Int?

  @Option(help: "Seed of everything random.", transform: Whole.seed)
  var seed: UInt64 = 1

  func validate() throws {
    if !Use.takesSeveral, inputs.count > 1 {
      throw ValidationError("'\(inputs[0])' and '\(inputs[1])' are two inputs: name one")
    }
    if let rows, rows < 1 { throw ValidationError("--rows must be 1 or more") }
    if let rows, rows > 1 << 40 { throw ValidationError("--rows must be at most \(1 << 40)") }
    if let length, length < 1 { throw ValidationError("--length must be 1 or more") }
    if let length, length > 1 << 28 { throw ValidationError("--length must be at most \(1 << 28)") }
    guard range.isFinite else { throw ValidationError("--range must be finite") }
    for (flag, isGiven) in [
      ("--length", length != nil), ("--distribution", givenDistribution != nil),
      ("--range", givenRange != nil),
    ] where isGiven && input != nil {
      throw ValidationError("\(flag) is for generated rows, not for --input")
    }
    if input == nil && axis != -1 { throw ValidationError("--axis is for --input") }
  }

  /// Whether nothing was asked for.
  var isDefault: Bool {
    input == nil && axis == -1 && givenDistribution == nil && givenRange == nil && rows == nil
      && length == nil
      && seed == 1
  }

  /// Everything that is named, each once.
  var inputs: [String] {
    var list: [String] = []
    for text in [file].compactMap({ $0 }) + givenInputs where !list.contains(text) { list.append(text) }
    return list
  }

  /// The first of what is named.
  var input: String? { inputs.first }

  /// Throws where several inputs are named: `what` takes one.
  func requireOne(_ what: String) throws {
    if inputs.count > 1 { throw UsageError("\(what) takes one input, not \(inputs.count): name one") }
  }
  var distribution: Distribution { givenDistribution ?? .uniform }
  var range: Double { givenRange?.value ?? 10 }
}

/// Rows of logits of any operation.
typealias InputOptions = RowOptions<AnyLogits>

/// Every row there is.
struct ExhaustiveOptions: ParsableArguments {
  @Flag(
    help:
      "Instead of a sample run every row of --length finite numbers of the dtype: up to all pairs in 16 bits."
  )
  var exhaustive = false

  /// Throws where `input` asks for other rows too.
  func check(_ input: any InputChoice) throws {
    if exhaustive && (input.length == nil || input.rows != nil || input.input != nil) {
      throw UsageError("--exhaustive needs --length, and neither --rows nor --input")
    }
  }
}
