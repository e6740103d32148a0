import ArgumentParser
import Foundation
import NumKit
import TensorFiles

/// In which formats a kernel runs.
struct PrecisionOptions: ParsableArguments {
  @Option(help: "Number format of inputs and results; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(
    help: ArgumentHelp("Format of element-wise operations (default: the dtype; f32 for integer dtypes)."))
  var compute: DType?

  @Option(help: ArgumentHelp("Format of sums (default: the compute format)."))
  var accumulate: DType?

  @Option(help: "What becomes of numbers too large: 'special' (infinity or NaN) or 'saturate'.")
  var overflow: Overflow = .special

  /// Whether nothing was asked for.
  var isDefault: Bool {
    dtype == .float(.f32) && compute == nil && accumulate == nil && overflow == .special
  }

  func configuration() throws -> KernelConfiguration {
    func float(_ dtype: DType?, _ flag: String) throws -> NumberFormat? {
      guard let dtype else { return nil }
      guard let format = dtype.numberFormat, format != .e8m0 else {
        throw UsageError("--\(flag) \(dtype): not a format to compute in")
      }
      return format
    }
    if dtype == .float(.e8m0) { throw UsageError("--dtype e8m0: a format of scales, not one to compute in") }
    return KernelConfiguration(
      storage: dtype, compute: try float(compute, "compute"),
      accumulator: try float(accumulate, "accumulate"),
      overflow: overflow)
  }
}

/// What the question needs beside its rows.
struct ParameterOptions: ParsableArguments {
  @Option(help: "Temperature: logits are divided by it; 0 and inf are the limits.")
  var temperature: Number = Number(1)

  @Option(help: "Rows without an answer (fully masked, +inf present): 'ieee' (NaN), 'safe' (0) or 'uniform'.")
  var policy: SpecialValues = .ieee

  @Option(
    help: ArgumentHelp(
      "Target of the cross-entropy: an index for all rows, or a tensor of indices, one a row.",
      valueName: "N|FILE[:TENSOR]"))
  var target: String = "0"

  @Option(
    help: ArgumentHelp(
      "Cotangent v of the vector-Jacobian product (default: N(0,1) from the seed).",
      valueName: "FILE[:TENSOR]"))
  var cotangent: String?

  /// The tensors that are read.
  var files: [String?] { [Int(target) == nil ? target : nil, cotangent] }

  func validate() throws {
    guard temperature.value >= 0 else { throw ValidationError("--temperature must be 0 or more") }
  }
}

/// Where rows come from.
struct InputOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The same as --input.", valueName: "FILE[:TENSOR]"))
  var file: String?

  @Option(
    name: .customLong("input"),
    help: ArgumentHelp(
      "Read the tensor of a .npy, .npz, .safetensors (or its index.json) or .gguf file; '-' is standard input.",
      valueName: "FILE[:TENSOR]"))
  var givenInput: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The axis that rows run along; negative counts from the last.", valueName: "k"),
    transform: Whole.number)
  var axis: Int = -1

  @Option(
    name: .customLong("distribution"),
    help: ArgumentHelp(
      "Generate logits from: \(Distribution.allCases.map(\.rawValue).joined(separator: ", ")) (default: uniform)."
    ))
  var givenDistribution: Distribution?

  @Option(
    name: .customLong("range"),
    help: "Range R of the generated logits: [-R, R], or the scale of the distribution (default: 10).")
  var givenRange: Number?

  @Option(
    help: ArgumentHelp("Rows to generate, or to read at most (default: 256, or all of a file)."),
    transform: Whole.number)
  var rows: Int?

  @Option(
    help: "Logits in a generated row (default: 1024; 32 for the Jacobian).", transform: Whole.number)
  var length: Int?

  @Flag(
    help:
      "Instead of a sample run every row of --length finite numbers of the dtype: up to all pairs in 16 bits."
  )
  var exhaustive = false

  @Option(help: "Seed of everything random.", transform: Whole.seed)
  var seed: UInt64 = 1

  func validate() throws {
    if let file, let givenInput, file != givenInput {
      throw ValidationError("'\(file)' and --input '\(givenInput)' are two inputs: name one")
    }
    if let rows, rows < 1 { throw ValidationError("--rows must be 1 or more") }
    if let rows, rows > 1 << 40 { throw ValidationError("--rows must be at most \(1 << 40)") }
    if let length, length < 1 { throw ValidationError("--length must be 1 or more") }
    if let length, length > 1 << 28 { throw ValidationError("--length must be at most \(1 << 28)") }
    guard range.isFinite else { throw ValidationError("--range must be finite") }
    if exhaustive && (length == nil || rows != nil || input != nil) {
      throw ValidationError("--exhaustive needs --length, and neither --rows nor --input")
    }
    for (flag, isGiven) in [
      ("--length", length != nil), ("--distribution", givenDistribution != nil),
      ("--range", givenRange != nil),
    ] where isGiven && input != nil {
      throw ValidationError("\(flag) is for generated rows, not for --input")
    }
    if input == nil && axis != -1 { throw ValidationError("--axis is for --input") }
  }
}

extension InputOptions {
  /// The tensor to read; nil for generated rows.
  var input: String? { givenInput ?? file }
  /// What generated logits come from.
  var distribution: Distribution { givenDistribution ?? .uniform }
  /// R of generated logits.
  var range: Double { givenRange?.value ?? 10 }
}

/// How much of the machine is used.
struct ThreadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads (default: one a core); results do not depend on it."), transform: Whole.number
  )
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be 1 to 1024") }
  }

  var count: Int { count(each: 0) }

  /// As many as asked for, or as there is memory for where each takes `bytes`.
  func count(each bytes: Int) -> Int {
    let usual = ReportTaker.current?.threads ?? ProcessInfo.processInfo.activeProcessorCount
    return Memory.threads(threads ?? usual, each: bytes)
  }
}
