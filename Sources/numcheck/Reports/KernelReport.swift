import NumKit

/// All that a report says of one experiment: what was asked and what was found. Emitters turn it into text and do no
/// arithmetic.
struct KernelReport {
  let command: String
  let operation: RowOperation
  let configuration: KernelConfiguration
  let parameters: OperationParameters
  /// `uniform in [-1000, 1000], seed 1` or a file's name.
  let origin: Origin
  let result: ExperimentResult
  let checks: [Check]

  enum Origin {
    case generated(Distribution, range: Double, seed: UInt64)
    case file(String, shape: [Int])
    case exhaustive
  }

  /// What the kernels were given for the row and index of an algorithm's witness: the input as rounded, and its row's
  /// largest.
  let witnessInputs: [WitnessInput?]

  struct WitnessInput {
    /// The input at the witness's index; nil where results have no input of their own.
    let input: Double?
    let rowMaximum: Double
  }
}
