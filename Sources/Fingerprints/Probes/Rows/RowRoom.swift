import NumKit

/// What all probes of rows are built from.
struct RowRoom {
  let box: any RowBox
  var format: NumberFormat { box.format }
  var n: Int { box.length }
  var kind: RowKind { box.kind }

  /// An input without a term beside inputs of about `x`.
  func none(_ x: Double = 0) -> Double { kind.isExponential ? format.round(x - 800) : 0 }

  /// A row of `rest` but for some.
  func row(_ some: [Int: Double], rest: Double, place: Int) -> RowProbe {
    var values = [Double](repeating: rest, count: n)
    for (k, x) in some { values[k] = x }
    return RowProbe(values, place: kind == .logSumExp ? 0 : place)
  }

  /// Significant bits of a number.
  static func bits(_ x: Double) -> Int {
    guard x.isFinite, x != 0 else { return 0 }
    return 53 - (x.significandBitPattern | 1 << 52).trailingZeroBitCount
  }
}
