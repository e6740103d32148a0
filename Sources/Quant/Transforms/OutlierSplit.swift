/// The largest elements kept aside as they are, with their places; the tensor has zeros there. (SpQR, arXiv 2306.03078, and
/// SqueezeLLM, arXiv 2306.07629, keep outliers of weights so.)
struct OutlierSplit: Transform {
  let share: Double
  var name: String { "split:\(shortName(share))" }

  init(_ number: Double?) throws {
    share = number ?? 0.001
    guard share > 0, share <= 1 else {
      throw CureError.parameter("split: the share must be above 0 and at most 1")
    }
  }

  func prepare(_ tensor: TensorBands, scheme: any Scheme, context: CureContext) throws
    -> any PreparedTransform
  {
    let total = tensor.rows * tensor.columns
    let count = min(total, max(1, Int((share * Double(total)).rounded(.up))))
    guard total > 0 else { return KeptElements(count: 0, limit: .max, last: -1) }
    let rank = total - count
    var search = RankSearch(ranks: [rank])
    try search.run(tensor, GroupLayout(.tensor, rows: tensor.rows, columns: tensor.columns))
    let limit = search.found[0]
    // Of equal ones the first are kept.
    var rest = count - (total - rank + search.rests[0] - search.equals[0])
    var last = Int.max
    if rest < search.equals[0] {
      try tensor.forEach { first, band in
        if rest == 0 { return }
        for (i, x) in band.values.enumerated() where x.magnitude.bitPattern == limit {
          rest -= 1
          if rest == 0 {
            last = first * band.columns + i
            return
          }
        }
      }
    }
    return KeptElements(count: count, limit: limit, last: last)
  }
}

/// The elements beyond a magnitude, and of those that have it the first ones.
private struct KeptElements: PreparedTransform {
  let count: Int
  /// The magnitude's bits.
  let limit: UInt32
  /// The number of the last element of that magnitude that is kept.
  let last: Int

  /// A value and a place, 32 bits each.
  var storedBits: Int { 64 * count }

  private func keeps(_ x: Float, at index: Int) -> Bool {
    let bits = x.magnitude.bitPattern
    return bits > limit || bits == limit && index <= last
  }

  func apply(_ band: inout TensorMatrix, firstRow: Int) {
    let start = firstRow * band.columns
    for i in band.values.indices where keeps(band.values[i], at: start + i) { band.values[i] = 0 }
  }

  /// The elements kept are multiplied as they are, beside the rest.
  func applyOpposite(_ activations: inout TensorMatrix) {}
  func undoOpposite(_ activations: inout TensorMatrix) {}

  func undo(_ band: inout TensorMatrix, given: TensorMatrix, firstRow: Int) {
    let start = firstRow * band.columns
    for i in given.values.indices where keeps(given.values[i], at: start + i) {
      band.values[i] = given.values[i]
    }
  }
}
