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

/// The parameters of any operation.
typealias ParameterOptions = ParametersFor<AnyParameters>

/// Which parameters a command shows in its help.
protocol ParameterUse {
  static var takesTarget: Bool { get }
  static var takesCotangent: Bool { get }
}

/// Those of any operation.
enum AnyParameters: ParameterUse {
  static let takesTarget = true
  static let takesCotangent = true
}

/// Those of one.
enum ParametersOf<Q: NamedOperation<RowOperation>>: ParameterUse {
  static var takesTarget: Bool { Q.operation == .crossEntropy || Q.operation == .crossEntropyGradient }
  static var takesCotangent: Bool { Q.operation == .softmaxVJP }
}

/// What a question needs beside its rows, as it was asked.
protocol ParameterChoice {
  var temperature: NumberArgument { get }
  var policy: SpecialValues { get }
  var target: String { get }
  var cotangent: String? { get }
}

/// What the question needs beside its rows. What the command does not take is understood, to be refused in its own words.
struct ParametersFor<Use: ParameterUse>: ParsableArguments, ParameterChoice {
  @Option(help: "Temperature: logits are divided by it; 0 and inf are the limits.")
  var temperature: NumberArgument = NumberArgument(1)

  @Option(help: "Rows without an answer (fully masked, +inf present): 'ieee' (NaN), 'safe' (0) or 'uniform'.")
  var policy: SpecialValues = .ieee

  @Option(
    help: ArgumentHelp(
      "Target of the cross-entropy: an index for all rows, or a tensor of indices, one a row.",
      valueName: "N|FILE[:TENSOR]", visibility: Use.takesTarget ? .default : .hidden))
  var target: String = "0"

  @Option(
    help: ArgumentHelp(
      "Cotangent v of the vector-Jacobian product (default: N(0,1) from the seed).",
      valueName: "FILE[:TENSOR]", visibility: Use.takesCotangent ? .default : .hidden))
  var cotangent: String?

  /// The tensors that are read.
  var files: [String?] { [Int(target) == nil ? target : nil, cotangent] }

  func validate() throws {
    guard temperature.value >= 0 else { throw ValidationError("--temperature must be 0 or more") }
  }
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
