import CProof
import NumKitQuestions

/// The tier of normalisations in pairs: section 16 of Documentation/CertifiedReference.md.
///
/// With any Double c, x − c = h + l exactly, T₁ = Σ (xⱼ − c) and T₂ = Σ (xⱼ − c)²: the variance is (T₂ − T₁²/n)/n and
/// xᵢ − μ = (h + l) − T₁/n. c near the mean keeps both from cancelling. In the RMS norm c = 0 and T₁ counts as 0.
final class NormPairs {
  private let high = Buffer<Double>()
  private let low = Buffer<Double>()
  private let ones: UnsafeMutablePointer<Double> = {
    let ones = UnsafeMutablePointer<Double>.allocate(capacity: chunk)
    ones.initialize(repeating: 1, count: chunk)
    return ones
  }()
  private static let chunk = 512
  /// T₁/n and a bound on its absolute error.
  private var rest = Pair(0)
  private var restError = 0.0
  /// 1/√(variance + ε) and a bound on its relative error.
  private var inverse = Pair(0)
  private var inverseError = 0.0

  deinit { ones.deallocate() }

  /// Looks at a row of finite numbers that is not level; false where too little is known of it.
  func prepare(_ row: UnsafeBufferPointer<Double>, _ operation: Normalization, epsilon: Double) -> Bool {
    let largest = row.reduce(0) { Swift.max($0, $1.magnitude) }
    guard largest > 0x1p-400, largest < 0x1p400, row.count < 1 << 32, epsilon == 0 || epsilon > 0x1p-800,
      epsilon < 0x1p800
    else { return false }
    let n = row.count
    high.reserve(n)
    low.reserve(n)
    let (h, l) = (high.base, low.base)
    let center = operation.isCentered ? row.reduce(0, +) / Double(n) : 0
    var isExact = true
    for i in 0..<n {
      let d = Pair(sum: row[i], -center)
      h[i] = d.high
      l[i] = d.low
      isExact = isExact && d.low == 0
    }
    var (squares, error) = sum(h, h, n)
    if !isExact {
      let (mixed, mixedError) = sum(h, l, n)
      // Σ l² is below u² Σ h².
      error += 2 * mixedError + 0x1p-102 * (squares.high + mixed.high.magnitude)
      squares = squares + Pair(2 * mixed.high, 2 * mixed.low)
    }
    (rest, restError) = (Pair(0), 0)
    if operation.isCentered { subtractMean(n, isExact: isExact, &squares, &error) }
    return takeRoot(squares, error, n, epsilon)
  }

  /// T₂ − T₁²/n in place of T₂, and T₁/n.
  private func subtractMean(_ n: Int, isExact: Bool, _ squares: inout Pair, _ error: inout Double) {
    var (total, totalError) = sum(high.base, ones, n, ones: true)
    if !isExact {
      let (more, moreError) = sum(low.base, ones, n, ones: true)
      totalError += moreError + 0x1p-103 * (total.high.magnitude + more.high.magnitude)
      total = total + more
    }
    let count = Pair(Double(n))
    rest = total / count
    restError = 1.01 * totalError / count.high + 0x1p-101 * rest.high.magnitude
    let square = total * rest
    let size = square.high.magnitude
    let squareError =
      1.02 * (total.high.magnitude * restError + rest.high.magnitude * totalError + totalError * restError)
      + 0x1p-102 * size
    error += squareError + 0x1p-102 * (squares.high.magnitude + size)
    squares = squares + -square
  }

  /// 1/√(squares/n + ε).
  private func takeRoot(_ squares: Pair, _ error: Double, _ n: Int, _ epsilon: Double) -> Bool {
    let count = Pair(Double(n))
    let variance = squares / count
    let d = variance + Pair(epsilon)
    let dError =
      1.01 * error / count.high + 0x1p-101 * variance.high.magnitude
      + 0x1p-102 * (variance.high.magnitude + epsilon)
    guard d.high > 0x1p-850, d.high < 0x1p850, dError < 0x1p-30 * d.high else { return false }
    inverse = Pair(1) / PairFunctions.squareRoot(d)
    inverseError = 0.51 * dError / d.high + 0x1p-100
    return true
  }

  /// y of element i, and a bound on its absolute error.
  func result(_ i: Int, weight: Double, bias: Double) -> (Pair, error: Double) {
    let d = Pair(high.base[i], low.base[i])
    let deviation = d + -rest
    let deviationError = restError + 0x1p-103 * (d.high.magnitude + rest.high.magnitude)
    let scaled = deviation * inverse
    let scaledError =
      1.01 * deviationError * inverse.high
      + scaled.high.magnitude * (1.01 * inverseError + 0x1p-102)
    var y = scaled
    var error = scaledError
    if weight != 1 {
      y = scaled * Pair(weight)
      error = 1.01 * scaledError * weight.magnitude + 0x1p-102 * y.high.magnitude
    }
    if bias != 0 {
      y = y + Pair(bias)
      error += 0x1p-103 * (bias.magnitude + y.high.magnitude + error)
    }
    // What underflows on the way.
    return (y, 1.01 * error + 0x1p-1000 * (1 + weight.magnitude))
  }

  /// Σ aᵢbᵢ and a bound on its absolute error, `chunk` terms at a time; `ones`, b is as long as a chunk.
  private func sum(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, ones: Bool = false
  ) -> (Pair, error: Double) {
    var total = Pair(0)
    var error = 0.0
    for start in stride(from: 0, to: n, by: Self.chunk) {
      let count = Swift.min(Self.chunk, n - start)
      let s = nc_dot2(a + start, ones ? b : b + start, count)
      error += SumReference.dotError(s, count) + 0x1p-103 * (total.high.magnitude + s.high.magnitude)
      total = total + Pair(s.high, s.low)
    }
    return (total, error)
  }
}
