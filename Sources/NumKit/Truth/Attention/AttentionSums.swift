import CProof

/// From one query's scores to its weights, their sum and the weighted sums of values, as pairs with proven bounds: section 12 of
/// Documentation/CertifiedReference.md.
final class AttentionSums {
  private let differenceHigh = Buffer<Double>()
  private let differenceLow = Buffer<Double>()
  let weightHigh = Buffer<Double>()
  let weightLow = Buffer<Double>()
  private let exponents = Buffer<Double>()
  private let high = Buffer<Double>()
  private let low = Buffer<Double>()
  private let magnitude = Buffer<Double>()
  private let columnMagnitude = Buffer<Double>()
  private let gathered = Buffer<Double>()

  /// Σ e^(s − max s) over keys and sink, and its relative error.
  private(set) var total = Pair(0)
  private(set) var totalError = 0.0
  /// The largest score with a bound on its absolute error.
  private(set) var maximum = Pair(0)
  private(set) var maximumError = 0.0
  /// The relative error of each weight that counts.
  private(set) var weightError = 0.0
  /// The absolute error of each weight, where weights have been clipped.
  private var clipError: Double?
  private var count = 0
  private var keyCount = 0

  /// Weights below 2⁻⁹⁰⁰ are left out.
  private static let farthest = -1000.0

  /// Computes the weights and their sum; false where the scores are not known well enough.
  func weigh(_ scores: AttentionScores) -> Bool {
    count = scores.count
    keyCount = scores.profile.keys.count
    clipError = nil
    for buffer in [differenceHigh, differenceLow, weightHigh, weightLow, exponents] { buffer.reserve(count) }
    let (h, l, e) = (scores.high.base, scores.low.base, scores.error.base)
    var top = 0
    for i in 1..<Swift.max(count, 1) where (h[i], l[i]) > (h[top], l[top]) { top = i }
    guard count > 0, h[top].isFinite else { return false }
    maximum = Pair(h[top], l[top])
    maximumError = e[top]
    var worst = 0.0
    var spread = 0.0
    for i in 0..<count {
      let d = Pair(h[i], l[i]) + -maximum
      guard e[i] < .infinity, !d.high.isNaN else { return false }
      guard d.high + e[i] + maximumError > Self.farthest else {
        differenceHigh.base[i] = -0x1p28
        differenceLow.base[i] = 0
        continue
      }
      differenceHigh.base[i] = d.high
      differenceLow.base[i] = d.low
      spread = Swift.max(spread, -d.high)
      worst = Swift.max(worst, e[i] + maximumError + 0x1p-103 * (h[i].magnitude + maximum.high.magnitude))
    }
    guard worst < 0x1p-20 else { return false }
    // e^x − 1 ≤ 1.01 x. Weights that count have |d| ≤ 640.
    weightError =
      2 * CertifiedBounds.exponential2 + Swift.min(spread, 640) * 4 * CertifiedBounds.exponential2Slope
      + 1.01 * worst
    nc_exponentials2(
      differenceHigh.base, differenceLow.base, PairFunctions.table.baseAddress, weightHigh.base,
      weightLow.base, exponents.base, count)
    let s = nc_sum2(weightHigh.base, weightLow.base, exponents.base, count)
    total = Pair(s.high, s.low)
    totalError = weightError + (Double(count) / 8 + 16) * 0x1p-102 + Double(count) * 0x1p-899
    nc_scale2(weightHigh.base, weightLow.base, exponents.base, count)
    return true
  }

  /// log Σ e^s and a bound on its absolute error.
  func logSumExp() -> (Pair, error: Double)? {
    guard let log = PairFunctions.log(total) else { return nil }
    let y = maximum + log
    let size = maximum.high.magnitude + log.high.magnitude
    return (y, maximumError + 1.01 * totalError + CertifiedBounds.logarithm(log.high) + 0x1p-100 * size)
  }

  /// The probability of the visible key at `place`, in Double.
  func probability(_ place: Int) -> Double { weightHigh.base[place] / total.high }

  /// Replaces the weights by clipped probabilities: (upper − lower)p + lower held between 0 and 1, which brings points no farther
  /// apart.
  func clip(lower: Double, upper: Double) {
    let stretch = Pair(sum: upper, -lower)
    for j in 0..<keyCount {
      let p = Pair(weightHigh.base[j], weightLow.base[j]) / total
      var w = p * stretch + Pair(lower)
      if w.high <= 0 { w = Pair(0) }
      if w.high > 1 || w.high == 1 && w.low > 0 { w = Pair(1) }
      weightHigh.base[j] = w.high
      weightLow.base[j] = w.low
    }
    clipError =
      1.01 * stretch.high * (weightError + totalError + 0x1p-99)
      + 0x1p-101 * (stretch.high + lower.magnitude + 1)
  }

  /// The weighted sums of the columns of `v`, a row of `width` for each key of the head; of those that are not in `columns`, ascending,
  /// nothing is said.
  func sum(_ v: UnsafePointer<Double>, _ scores: AttentionScores, width: Int, columns: [Int]) {
    for buffer in [high, low, magnitude] { buffer.reserve(width) }
    let keys = scores.profile.keys
    guard let first = keys.first, let last = keys.last else { return }
    let rows: UnsafePointer<Double>
    if last - first + 1 == keys.count {
      rows = v + first * width
    } else {
      gathered.reserve(keys.count * width)
      for (place, j) in keys.enumerated() {
        (gathered.base + place * width).update(from: v + j * width, count: width)
      }
      rows = UnsafePointer(gathered.base)
    }
    var done = 0
    for c in columns where c >= done {
      // Eight at a time are no dearer than one.
      let start = columns.count * 8 >= width ? 0 : Swift.min(c, Swift.max(width - 8, 0))
      done = start == 0 && columns.count * 8 >= width ? width : Swift.min(start + 8, width)
      nc_weighted2(
        weightHigh.base, weightLow.base, rows + start, keyCount, done - start, width, high.base + start,
        low.base + start, magnitude.base + start)
    }
    guard clipError != nil else { return }
    columnMagnitude.reserve(width)
    columnMagnitude.base.update(repeating: 0, count: width)
    for j in 0..<keyCount {
      for c in 0..<width { columnMagnitude.base[c] += rows[j * width + c].magnitude }
    }
  }

  /// Result `c` and a bound on its absolute error: of the weights, the summation, what is left out, the division.
  func result(_ c: Int, largest: Double) -> (Pair, error: Double) {
    let sum = Pair(high.base[c], low.base[c])
    let flushes = Double(keyCount / 64 + 1)
    let summation = 1.02 * (68 * 68 + flushes * (68 + flushes)) * 0x1p-106
    let underflow = Double(keyCount) * 0x1p-1073
    if let clipError {
      return (sum, 1.01 * (summation * magnitude.base[c] + clipError * columnMagnitude.base[c]) + underflow)
    }
    let value = sum / total
    let error =
      1.01 * (summation + weightError) * magnitude.base[c] + Double(keyCount) * 0x1p-899 * largest + underflow
    return (value, error / total.high * 1.01 + value.high.magnitude * (totalError + 0x1p-101))
  }
}
