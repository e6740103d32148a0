/// bitsandbytes' 8-bit dynamic map (Dettmers, arXiv 1511.04561): decades 10^−6 … 10^0, the decade 10^(i−6) with
/// 2^i values of either sign, midpoints of equal steps from 0.1 to 1; and 0 and 1.
///
/// Without signs: the same decades with twice as many values each.
enum DynamicMap {
  /// In ascending order; computed in f32, as its Python does.
  static let values: [Float] = map(isSigned: true)
  static let unsigned: [Float] = map(isSigned: false)

  private static func map(isSigned: Bool) -> [Float] {
    var values: [Float] = [0, 1]
    for i in 0..<7 {
      let steps = 1 << (isSigned ? i : i + 1)
      // linspace in f32 counts from both ends; torch's fuses product and sum where the processor can.
      let step = (1 - Float(0.1)) / Float(steps)
      let marks = (0...steps).map { k in
        k < (steps + 1) / 2
          ? Float(0.1).addingProduct(step, Float(k)) : Float(1).addingProduct(-step, Float(steps - k))
      }
      var decade: Double = 1
      for _ in i..<6 { decade *= 10 }
      for k in 0..<steps {
        let mean = (marks[k] + marks[k + 1]) / 2 * Float(1 / decade)
        values += isSigned ? [mean, -mean] : [mean]
      }
    }
    return values.sorted()
  }

  /// The code of `x` by the kernels' search: 7 halvings, then the nearer neighbour; the last value halved towards stays
  /// on a tie. NaN, from the one block of a group whose amax are all equal, follows the comparisons.
  static func code(_ x: Float) -> UInt8 {
    var pivot = 127
    var (lower, upper) = (0, 255)
    var (below, above): (Float, Float) = (-1, 1)
    var value = values[pivot]
    var width = 64
    while width > 0 {
      if x > value {
        (lower, below) = (pivot, value)
        pivot += width
      } else {
        (upper, above) = (pivot, value)
        pivot -= width
      }
      value = values[pivot]
      width >>= 1
    }
    if upper == 255 { above = values[255] }
    if lower == 0 { below = values[0] }
    if x > value { return UInt8(x > (above + value) * 0.5 ? upper : pivot) }
    return UInt8(x < (below + value) * 0.5 ? lower : pivot)
  }
}
