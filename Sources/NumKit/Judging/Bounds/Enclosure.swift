import NumKitNumbers

/// Between which numbers a computed one lies.
struct Enclosure {
  var low: Double
  var high: Double

  init(_ low: Double, _ high: Double) { (self.low, self.high) = (low, high) }

  init(_ x: Double) { self.init(x, x) }

  var magnitude: Double { Swift.max(low.magnitude, high.magnitude) }

  static prefix func - (x: Enclosure) -> Enclosure { Enclosure(-x.high, -x.low) }
  static func + (x: Enclosure, y: Enclosure) -> Enclosure {
    Enclosure(x.low + y.low, x.high + y.high)
  }
  static func - (x: Enclosure, y: Enclosure) -> Enclosure {
    Enclosure(x.low - y.high, x.high - y.low)
  }

  static func * (x: Enclosure, y: Enclosure) -> Enclosure {
    let all = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high]
    return Enclosure(all.reduce(all[0], Swift.min), all.reduce(all[0], Swift.max))
  }

  /// By a number that is positive.
  static func / (x: Enclosure, y: Enclosure) -> Enclosure {
    Enclosure(x.low / (x.low < 0 ? y.low : y.high), x.high / (x.high < 0 ? y.high : y.low))
  }

  /// Either of two.
  func or(_ other: Enclosure) -> Enclosure {
    Enclosure(Swift.min(low, other.low), Swift.max(high, other.high))
  }

  /// The larger of two.
  func larger(_ other: Enclosure) -> Enclosure {
    Enclosure(Swift.max(low, other.low), Swift.max(high, other.high))
  }
}

/// Nothing is known of a number: it may overflow, or there may be none.
struct Unenclosed: Error {}

extension Precision {
  /// Rounded to this format. Rounding is monotone, and so are the operations before it, whose result in Double is rounded no other way than
  /// the exact one in any format of 24 digits or fewer.
  func enclosing(_ x: Enclosure) throws(Unenclosed) -> Enclosure {
    // NaN compares false.
    guard x.low <= x.high, !overflows(x.magnitude) else { throw Unenclosed() }
    return Enclosure(format.round(x.low), format.round(x.high))
  }

  /// A rising function with this relative error where the platform's is used, correctly rounded elsewhere.
  func enclosing(
    _ x: Enclosure, _ relative: Double, _ function: (Double) -> Double
  ) throws(Unenclosed) -> Enclosure {
    let (low, high) = (function(x.low), function(x.high))
    let error = format.significandBits >= 23 ? relative : 0x1p-51
    let lost = format.significandBits >= 23 ? tiny : 0
    return try enclosing(
      Enclosure(low - low.magnitude * error - lost, high + high.magnitude * error + lost))
  }
}

/// An integer grid whose scale and zero point depend on numbers that are not known exactly.
struct EnclosedGrid {
  private let format: IntegerFormat
  private var scale = Enclosure(1)
  private var zero = Enclosure(0)

  init(_ format: IntegerFormat) { self.format = format }

  /// As `IntegerGrid.fit` chooses them, each step of which is monotone.
  mutating func fit(_ x: [Enclosure]) throws(Unenclosed) {
    var (least, most) = (Enclosure(0), Enclosure(0))
    for v in x {
      guard v.magnitude < .infinity else { throw Unenclosed() }
      least = Enclosure(Swift.min(least.low, v.low), Swift.min(least.high, v.high))
      most = most.larger(v)
    }
    let range = format.isSigned ? (-least).larger(most) : most - least
    func fitted(_ range: Double) -> Double { Double(Float(range / Double(format.max))) }
    scale = Enclosure(fitted(range.low), fitted(range.high))
    if scale.high == 0 { scale = Enclosure(1) }
    // A scale of 0 stands for 1.
    guard scale.low > 0, scale.high < .infinity else { throw Unenclosed() }
    zero = Enclosure(0)
    if !format.isSigned {
      let codes = -least / scale
      func clamped(_ code: Double) -> Double {
        Swift.min(Swift.max(code.rounded(.toNearestOrEven), 0), Double(format.max))
      }
      zero = Enclosure(clamped(codes.low), clamped(codes.high))
    }
  }

  /// The code of a number, less that of 0.
  private func code(_ x: Enclosure) -> Enclosure {
    let nearest = x / scale
    let (low, high) = (Double(format.min), Double(format.max))
    return Enclosure(
      Swift.min(
        Swift.max(nearest.low.rounded(.toNearestOrEven), low - zero.high), high - zero.high),
      Swift.max(Swift.min(nearest.high.rounded(.toNearestOrEven), high - zero.low), low - zero.low))
  }

  /// What the grid makes of a number, in a compute format.
  func stored(_ x: Enclosure, in c: Precision) throws(Unenclosed) -> Enclosure {
    try c.enclosing(scale * code(x))
  }

  /// A sum of codes, in an accumulator.
  func sum(_ x: [Enclosure], in a: Precision) throws(Unenclosed) -> Enclosure {
    try a.enclosing(scale * x.reduce(Enclosure(0)) { $0 + code($1) })
  }
}
