/// Sums of products of a pair and a Double, side by side, each with what bounds its error: section 13 of
/// Documentation/CertifiedReference.md.
final class CompensatedColumns {
  private let high = Buffer<Double>()
  private let low = Buffer<Double>()
  private let magnitude = Buffer<Double>()
  private let spread = Buffer<Double>()

  /// Makes room and sets all to 0.
  func reset(_ count: Int) {
    for buffer in [high, low, magnitude, spread] {
      buffer.reserve(count)
      buffer.base.update(repeating: 0, count: count)
    }
  }

  /// Adds w·x to the `n` sums from `start` on, w known to within `error`.
  func add(_ w: Pair, _ error: Double, _ x: UnsafePointer<Double>, _ n: Int, from start: Int) {
    let (h, l) = (high.base + start, low.base + start)
    let (m, r) = (magnitude.base + start, spread.base + start)
    let (a, b) = (w.high, w.low)
    for c in 0..<n {
      let v = x[c]
      let p = a * v
      let e = (-p).addingProduct(a, v) + b * v
      let old = h[c]
      let s = old + p
      let z = s - old
      h[c] = s
      l[c] += ((old - (s - z)) + (p - z)) + e
      m[c] += p.magnitude
      // What underflows is below 2⁻¹⁰⁶⁰ a product.
      r[c] += error * v.magnitude + (v == 0 ? 0 : 0x1p-1060)
    }
  }

  /// The sum at `i` after at most `terms` products, and a bound on its absolute error; no error at 0 is an exact 0.
  func result(_ i: Int, terms: Int) -> (Pair, error: Double) {
    let n = Double(terms + 2)
    return (
      Pair(sum: high.base[i], low.base[i]),
      1.05 * n * n * 0x1p-106 * magnitude.base[i] + 1.01 * spread.base[i]
    )
  }
}
