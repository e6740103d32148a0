import NumKitTruth

/// The exact results of a row as plain Doubles, made once for all that is measured against them.
public struct FlatTruth: Sendable {
  /// The exact results, rounded to Double.
  public private(set) var value: [Double] = []
  /// What `value` lacks.
  package private(set) var remainder: [Double] = []
  /// 1 where `value` is 0 and the exact result is not, else 0; empty where that is nowhere so.
  package private(set) var tiny: [Double] = []

  /// Empty.
  public init() {}

  /// The exact results of one row.
  public init(_ truth: Truth) { update(truth) }

  /// Takes over another row, keeping storage.
  public mutating func update(_ truth: Truth) {
    value.removeAll(keepingCapacity: true)
    remainder.removeAll(keepingCapacity: true)
    tiny.removeAll(keepingCapacity: true)
    value.append(contentsOf: truth.high)
    remainder.append(contentsOf: truth.low)
    guard truth.exponent.reduce(0, |) != 0 else { return }
    var hasTiny = false
    for i in truth.exponent.indices where truth.exponent[i] != 0 {
      // Outside Double's comfort: scaled by the exponent, which rounds only what underflows.
      value[i] = Self.scaled(truth.high[i], truth.exponent[i])
      remainder[i] = Self.scaled(truth.low[i], truth.exponent[i])
      hasTiny = hasTiny || value[i] == 0 && truth.high[i] != 0
    }
    guard hasTiny else { return }
    tiny.append(contentsOf: repeatElement(0, count: value.count))
    for i in value.indices where value[i] == 0 && truth.high[i] != 0 { tiny[i] = 1 }
  }

  private static func scaled(_ x: Double, _ exponent: Int32) -> Double {
    // No Double is 2^1100 or more, nor half the least subnormal after 2^−2200.
    if exponent < -2200 { return x.isNaN ? x : x * 0 }
    return Double(sign: .plus, exponent: Int(exponent), significand: x)
  }

  /// |y − exact| for the result `i`.
  package func error(of y: Double, at i: Int) -> Double { ((y - value[i]) - remainder[i]).magnitude }

  /// |y − exact| / |exact| for the finite result `i`, given the error.
  func relative(_ error: Double, of y: Double, at i: Int) -> Double {
    if value[i] != 0 { return error / value[i].magnitude }
    return tiny.isEmpty || tiny[i] == 0 ? 0 : y == 0 ? 1 : .infinity
  }
}
