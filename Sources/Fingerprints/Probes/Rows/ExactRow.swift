import NumKit

/// Proven answers that results are held against: Double's own rounding is as large as that of results in f64.
struct ExactRow {
  private let reference: Reference

  init(_ operation: RowOperation) { reference = Reference(operation, format: .f64) }

  /// Result `i` of a row, as a number and what it lacks.
  func result(_ i: Int, of row: [Double]) -> (high: Double, low: Double) {
    var truth = Truth()
    row.withUnsafeBufferPointer { reference.answer($0, parameters: OperationParameters(), into: &truth) }
    let flat = FlatTruth(truth)
    return (flat.value[i], flat.remainder[i])
  }

  /// e^x, of a softmax in which it is nearly alone beside 1.
  func exponential(_ x: Double) -> (high: Double, low: Double) {
    let (high, low) = result(1, of: [0, x])
    // e^x/(1 + e^x), times 1 + e^x.
    return (high, low + high * high)
  }
}
