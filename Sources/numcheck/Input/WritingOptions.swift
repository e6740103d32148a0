import ArgumentParser
import NumKit

/// Where a command writes the results of one algorithm.
struct ResultFileOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write the results of exactly one --algorithm to a .npy or .safetensors file.", valueName: "FILE"),
    completion: .file())
  var output: String?

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  func validate() throws {
    if output == nil && outputType != nil { throw ValidationError("--as is for --output") }
  }

  /// Throws where several algorithms' results would have to go into one file.
  func check(algorithms count: Int) throws {
    if output != nil && count != 1 {
      throw UsageError("--output needs exactly one --algorithm, not \(count)")
    }
  }
}

/// What a command of proven results rounds, and where it writes them.
struct ReferenceOptions: ParsableArguments {
  @Option(help: "Number format of the results; see 'numcheck list formats'.")
  var dtype: DType = .float(.f32)

  @Option(help: ArgumentHelp("Round the inputs to this format first.", valueName: "dtype"))
  var roundInputs: DType?

  @Option(
    help: ArgumentHelp("The .npy or .safetensors file to write.", valueName: "FILE"), completion: .file())
  var output: String

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp("Element type of --output; values must fit it exactly.", valueName: "dtype"))
  var outputType: DType?

  /// The results' format; throws for an integer grid.
  func format() throws -> NumberFormat {
    guard let format = dtype.numberFormat else {
      throw UsageError("--dtype \(dtype): an integer grid has no correctly rounded result without a scale")
    }
    return format
  }

  /// The format that inputs are rounded to first, where that is a question of number formats alone; nil where they are not.
  func inputFormat() throws -> NumberFormat? {
    try roundInputs.map { dtype in
      guard let format = dtype.numberFormat else {
        throw UsageError("--round-inputs \(dtype): needs a floating-point format")
      }
      return format
    }
  }
}

/// What becomes of proven results that the format cannot hold.
struct OverflowOptions: ParsableArguments {
  @Option(
    help: "What becomes of results too large: 'special' (infinity or NaN) or 'saturate' (infinities too)."
  )
  var overflow: Overflow = .special
}
