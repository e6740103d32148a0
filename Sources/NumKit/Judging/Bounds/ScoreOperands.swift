import NumKitNumbers
import NumKitQuestions
import RealModule

/// A query or a key on its way into products: what its numbers are off by, relative to each and in all, and how large they are at most.
struct Operand {
  var relative = 0.0
  private(set) var absolute = 0.0
  /// No number of it is larger, exactly.
  private(set) var largest: Double

  init(largest: Double) { self.largest = largest }

  /// Nothing is known: scores made of it have no bound.
  static let unknown = Operand(largest: .nan)

  /// The same without its errors.
  var exact: Operand { isKnown ? Operand(largest: largest) : .unknown }

  var isKnown: Bool { largest.isFinite && relative.isFinite && absolute.isFinite }

  /// No number that was computed is larger.
  var upper: Double { largest * (1 + relative) + absolute }

  /// Multiplied by a number, with a relative error of the product.
  func multiplied(by factor: Double, _ rounding: Double, _ c: Precision) -> Operand {
    var x = self
    x.relative = compounded(relative, rounding)
    x.absolute = absolute * factor * (1 + rounding) + c.tiny
    x.largest = largest * factor
    return c.overflows(x.upper) ? .unknown : x
  }

  func converted(_ way: Conversion) -> Operand {
    if way.overflows(upper) { return .unknown }
    var x = self
    x.relative = compounded(relative, way.relative)
    x.absolute = absolute * (1 + way.relative) + way.absolute
    return x
  }

  /// The rows of `x`, of `d` numbers each, divided by their norms.
  static func normed(_ x: [Double], _ d: Int, _ norm: QueryKeyNorm, _ p: Precisions) -> [Operand] {
    stride(from: 0, to: x.count, by: d).map { normed(x[$0..<$0 + d], norm, p) }
  }

  /// Squares are summed in the accumulator, divided by d, ε is added, the root is taken there; numbers are divided by it in the wider of the
  /// two formats.
  private static func normed(_ x: ArraySlice<Double>, _ norm: QueryKeyNorm, _ p: Precisions) -> Operand {
    let (a, c, way) = (p.accumulator, p.compute, p.widening)
    let n = Double(x.count)
    let g = a.growth(x.count)
    var s = Computed(exact: 0, error: 0)
    var (peak, lost) = (0.0, 0.0)
    for v in x {
      s.exact += v * v
      peak = Swift.max(peak, v.magnitude)
      lost += 2 * v.magnitude * way.absolute * (1 + way.relative) + way.absolute * way.absolute + a.tiny
    }
    s.error = s.exact * compounded(way.relative * (2 + way.relative), g) + lost * (1 + g)
    guard s.exact.isFinite, !a.overflows(s.upper), !way.overflows(peak) else { return .unknown }
    if norm.kind == .rms {
      let count = Computed(exact: n, error: (a.format.round(n) - n).magnitude)
      s = a.rounded(s.quotient(by: count))
    }
    let epsilon = Computed(
      exact: norm.epsilon, error: (a.format.round(norm.epsilon) - norm.epsilon).magnitude)
    s = a.roundedSum(Computed(exact: s.exact + epsilon.exact, error: s.error + epsilon.error))
    let r = s.error / s.exact
    guard r < 1 else { return .unknown }
    let root = s.exact.squareRoot()
    // |√(v + e) − √v| ≤ √v·r/(1 + √(1 − r)).
    var divisor = a.rounded(Computed(exact: root, error: root * r / (1 + (1 - r).squareRoot())))
    if !p.isWide { divisor = p.narrowing(divisor) }
    guard divisor.error < divisor.exact else { return .unknown }
    var y = Operand(largest: peak / root)
    y.relative = divisor.error / (divisor.exact - divisor.error)
    // What converting a number loses is divided too.
    if p.isWide { y.relative = compounded(compounded(y.relative, way.relative), a.u) }
    y.relative = compounded(y.relative, p.isWide ? p.narrowing.relative : c.u)
    y.absolute =
      p.isWide ? way.absolute / (divisor.exact - divisor.error) + a.tiny + p.narrowing.absolute : c.tiny
    // The squares' own sum in Double.
    y.relative += 0x1p-52 * n
    let format = p.isWide ? a : c
    return format.overflows(y.upper) || p.narrowing.overflows(y.upper) ? .unknown : y
  }
}
