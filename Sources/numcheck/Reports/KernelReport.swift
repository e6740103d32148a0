import NumKit

/// All that a report says of one experiment: what was asked and what was found. Emitters turn it into text and do no
/// arithmetic.
struct KernelReport: CheckedReport {
  let command: String
  let operation: RowOperation
  let configuration: KernelConfiguration
  let parameters: OperationParameters
  /// `uniform in [-1000, 1000], seed 1` or a file's name.
  let origin: RowOrigin
  let result: ExperimentResult
  let checks: [Check]

  /// What the kernels were given for the row and index of an algorithm's witness: the input as rounded, and its row's
  /// largest.
  let witnessInputs: [WitnessInput?]
}
