import NumKit

/// Where rows come from, for a report to say.
enum RowOrigin {
  case generated(Distribution, range: Double, seed: UInt64)
  case file(String, shape: [Int])
  case exhaustive
}

/// What the kernel was given where a witness stands.
struct WitnessInput {
  /// The input at the witness's index; nil where results have no input of their own.
  let input: Double?
  let rowMaximum: Double
}
