import NumKit

/// What probes of dot products are built from.
struct DotRoom {
  let box: any DotBox
  var format: NumberFormat { box.format }
  var n: Int { box.length }

  /// Sums of terms, as if nothing were multiplied by `factor`.
  func sums(_ terms: [[Double]]) throws -> [Double] {
    try box.products(terms.map { DotProbe($0) }).map { $0 / box.factor }
  }

  /// Terms of 0 but for some.
  func terms(_ some: [Int: Double]) -> [Double] {
    var values = [Double](repeating: 0, count: n)
    for (k, x) in some { values[k] = x }
    return values
  }
}
