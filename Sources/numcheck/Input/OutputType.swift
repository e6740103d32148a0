import NumKit
import TensorFiles

/// Which element type results are written in: one rule for all commands.
enum OutputType {
  /// That of `dtype`, or `type` where it is asked for, which must hold every value of `dtype`.
  static func element(_ dtype: DType, as type: DType?) throws -> ElementType {
    let wanted = type ?? dtype
    guard let element = ElementType(wanted), wanted.numberFormat != nil else {
      throw UsageError("--output cannot hold \(wanted); write the exact values with --as f32 (or f64)")
    }
    if type != nil, !holds(wanted, dtype) {
      throw UsageError("--as \(wanted) cannot hold every value of \(dtype)")
    }
    return element
  }

  /// Whether every value of `dtype` is one of `wider`.
  static func holds(_ wider: DType, _ dtype: DType) -> Bool {
    guard let w = wider.numberFormat else { return false }
    guard let f = dtype.numberFormat else { return w == .f64 || w == .f32 }
    return w.holdsValues(of: f)
  }
}
