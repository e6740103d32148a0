#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Where numbers stand along an axis, and which of them are named. Figures of errors span many orders: where all are positive and the
/// largest is 50 times the smallest and more, the axis counts powers of ten.
struct ChartScale {
  let isLogarithmic: Bool
  private let low: Double
  private let high: Double
  private let start: Double
  private let end: Double
  /// Numbers that are named.
  let ticks: [Double]

  /// - Parameters:
  ///   - values: what must find a place; finite.
  ///   - start, end: the ends of the axis on the page.
  ///   - fromZero: whether lengths are compared, so that a plain axis must begin at 0.
  ///   - isPlain: whether it must not count powers.
  init(_ values: [Double], from start: Double, to end: Double, fromZero: Bool = false, plain isPlain: Bool) {
    (self.start, self.end) = (start, end)
    let least = values.min() ?? 0
    let most = values.max() ?? 1
    let positive = values.filter { $0 > 0 }
    let smallest = positive.min() ?? 1
    // Zeros have no logarithm: they stand at the axis's beginning.
    isLogarithmic = !isPlain && least >= 0 && !positive.isEmpty && most >= 50 * smallest
    if isLogarithmic {
      let (a, b) = (log10(smallest).rounded(.down), log10(most).rounded(.up))
      (low, high) = (least == 0 || fromZero ? a - 1 : a, b == a ? a + 1 : b)
      let step = max(1, ((high - low) / 8).rounded(.up))
      ticks = stride(from: low + (least == 0 || fromZero ? 1 : 0), through: high, by: step).map {
        pow(10, $0)
      }
    } else {
      var (a, b) = (fromZero ? min(0, least) : least, fromZero ? max(0, most) : most)
      if a == b { (a, b) = (a - (fromZero ? 0 : 0.5), b + 0.5) }
      let step = Self.step((b - a) / 6)
      a = (a / step).rounded(.down) * step
      b = (b / step).rounded(.up) * step
      (low, high) = (a, b)
      let count = min(12, Int(((b - a) / step).rounded()))
      ticks = (0...max(0, count)).map { k in
        let x = a + Double(k) * step
        // What is 0 but for rounding.
        return x.magnitude < step / 1000 ? 0 : x
      }
    }
  }

  /// 1, 2 or 5 times a power of ten, at least `x`.
  private static func step(_ x: Double) -> Double {
    let power = pow(10, log10(x).rounded(.down))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= x * 0.999 } ?? power * 10
  }

  /// Where `x` stands.
  func place(_ x: Double) -> Double {
    let at = isLogarithmic ? (x > 0 ? log10(x) : low) : x
    return start + (min(max(at, low), high) - low) / (high - low) * (end - start)
  }
}
