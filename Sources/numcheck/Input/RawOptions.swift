import ArgumentParser
import NumKit
import SystemPackage
import TensorFiles

/// What a file without a header holds.
struct RawOptions: ParsableArguments {
  @Option(
    name: .customLong("dtype"),
    help: ArgumentHelp(
      "The elements of a raw binary file, in row-major order; with --shape.", valueName: "dtype"))
  var dtype: DType?

  @Option(
    help: ArgumentHelp(
      "The shape of a raw binary file, outermost dimension first; with --dtype.", valueName: "R,C"))
  var shape: String?

  func validate() throws {
    if (dtype == nil) != (shape == nil) {
      throw ValidationError("--dtype and --shape describe a raw file together")
    }
    _ = try layout()
  }

  /// nil where no raw file is described.
  func layout() throws -> RawLayout? {
    guard let dtype, let shape else { return nil }
    guard let type = ElementType(dtype) else {
      throw ValidationError("--dtype \(dtype): no type of a file's elements")
    }
    let parts = shape.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard let numbers = parts as? [Int], !numbers.isEmpty, numbers.allSatisfy({ $0 > 0 }) else {
      throw ValidationError(
        "--shape '\(shape)': must be whole numbers above 0 with commas between them, like 64,576")
    }
    return RawLayout(type: type, shape: numbers)
  }
}

/// How a file without a header is read.
struct RawLayout {
  let type: ElementType
  let shape: [Int]

  /// The file that an argument names.
  func open(_ text: String) throws -> TensorFile {
    try TensorFile.openRaw(FilePath(argument: text), type: type, shape: shape)
  }
}
