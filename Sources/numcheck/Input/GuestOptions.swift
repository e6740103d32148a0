import ArgumentParser
import Guests
import NumKit
import TensorFiles

/// Where a guest's results come from, and what it promises of them.
struct GuestOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What the kernel computed, in the shape that the operation's results have.", valueName: "FILE[:TENSOR]"),
    completion: .file()
  )
  var results: String?

  @Option(
    help:
      "Number format of the results, where it is not their elements' own: each must be a number of it.")
  var dtype: DType?

  @Option(
    help: ArgumentHelp(
      "What the kernel promises, like accumulate=f32,compute=f32,algorithm=shifted: then that plan's bound counts, otherwise the "
        + "widest of those that subtract the maximum and compute in f32 or the dtype.",
      valueName: "NAME=VALUE,..."))
  var claims: String?

  @Option(help: ArgumentHelp("Round the inputs to this format first.", valueName: "dtype"))
  var roundInputs: DType?

  @Option(
    help: "What becomes of results too large: 'special' (infinity or NaN) or 'saturate' (infinities too).")
  var overflow: Overflow = .special

  func validate() throws {
    for (flag, dtype) in [("--dtype", dtype), ("--round-inputs", roundInputs)] {
      if let dtype, dtype.numberFormat == nil {
        throw ValidationError(
          "\(flag) \(dtype): an integer grid has no correctly rounded results without a scale")
      }
    }
    if called.isCalled && results != nil {
      throw ValidationError("--results is a file that there is: --exec and --plugin make their own")
    }
  }

  @OptionGroup var called: CalledOptions

  /// The tensors that are read.
  var files: [String?] { [results] }
  /// What inputs are rounded to.
  var inputFormat: NumberFormat? { roundInputs?.numberFormat }
  /// What is promised.
  var claimed: Claims {
    get throws { try Claims(argument: claims) }
  }

  /// The results' file, of one of these shapes; or what a kernel gave that was called.
  func file(shapes: [[Int]], axis: Int? = nil, called answer: CalledResults? = nil) throws -> GuestFile {
    if let answer { return try answer.file("results") }
    let results = try resultsFile
    return try GuestFile(
      TensorSpecifier(argument: results).open(), name: ArgumentText.shown(results), shapes: shapes,
      axis: axis,
      format: dtype?.numberFormat)
  }

  /// The tensor of the results and its name, whatever its elements are; or what a kernel gave that was called.
  func tensor(_ output: String, called answer: CalledResults? = nil) throws -> (TensorView, name: String) {
    if let answer { return (try answer.array(output).view(), answer.name) }
    let results = try resultsFile
    return (try TensorSpecifier(argument: results).open(), ArgumentText.shown(results))
  }

  /// The results of an operation on the rows of `input`; or what a kernel gave that was called.
  func rows(_ operation: RowOperation, _ input: RowInput, called answer: CalledResults? = nil) throws
    -> GuestRows
  {
    let rows = input.rows.rowCount
    if let answer, let array = answer.arrays.first {
      let file = try RowFile(
        array.view(), name: answer.name, operation: operation, shape: [rows, input.rows.length], axis: 1)
      return GuestRows(name: answer.name, format: file.file.format, source: file)
    }
    let results = try resultsFile
    let name = ArgumentText.shown(results)
    let file = try RowFile(
      TensorSpecifier(argument: results).open(), name: name, operation: operation, shape: input.shape,
      axis: input.givenAxis, rows: rows, format: dtype?.numberFormat)
    return GuestRows(name: name, format: file.file.format, source: file)
  }

  private var resultsFile: String {
    get throws {
      guard let results else {
        throw UsageError(
          "what the kernel computed is missing: --results FILE, or a kernel to call by --exec or --plugin")
      }
      return results
    }
  }
}

/// A guest's results of rows, wherever they come from.
struct GuestRows {
  /// What reports call them.
  let name: String
  /// What they are numbers of.
  let format: NumberFormat
  let source: any ResultSource<RowQuestion>
}

extension RowInput {
  /// The shape that inputs have.
  var shape: [Int] {
    if case .file(_, let shape) = origin { return shape }
    return [rows.rowCount, rows.length]
  }

  /// The axis of that shape which rows run along.
  var givenAxis: Int { (rows as? TensorRows)?.axis ?? axis }

  /// What inputs are numbers of: f64 where their file holds whole numbers; nil where they are generated.
  var format: NumberFormat? { (rows as? TensorRows).map { $0.type.numberFormat ?? .f64 } }
}
