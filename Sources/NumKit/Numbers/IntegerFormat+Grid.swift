/// A row on an integer grid: codes, and the scale and zero point that make numbers of them.
public struct IntegerGrid: Sendable {
  /// The grid's codes.
  public let format: IntegerFormat
  /// What a code of 1 is worth.
  public private(set) var scale: Float = 1
  /// The code of 0.
  public private(set) var zeroPoint: Int32 = 0

  /// A grid of unit scale.
  public init(_ format: IntegerFormat) { self.format = format }

  /// Chooses scale and zero point for `count` values: signed grids are symmetric with scale max|x| / max code; unsigned
  /// ones span the values and 0 (ONNX DynamicQuantizeLinear). Values that are not finite do not count; a row of zeros
  /// has scale 1.
  public mutating func fit(count: Int, _ value: (Int) -> Double) {
    var low = 0.0
    var high = 0.0
    for i in 0..<count {
      let x = value(i)
      guard x.isFinite else { continue }
      low = Swift.min(low, x)
      high = Swift.max(high, x)
    }
    let range = format.isSigned ? Swift.max(-low, high) : high - low
    scale = Float(range / Double(format.max))
    if !(scale > 0) { scale = 1 }
    if scale.isInfinite { scale = .greatestFiniteMagnitude }
    zeroPoint =
      format.isSigned
      ? 0
      : Int32(Swift.min(Swift.max((-low / Double(scale)).rounded(.toNearestOrEven), 0), Double(format.max)))
  }

  /// The code of `x`: nearest, ties to even, clamped; NaN, which no code can say, is the code of 0.
  public func code(_ x: Double) -> Int32 {
    if x.isNaN { return zeroPoint }
    let q = (x / Double(scale)).rounded(.toNearestOrEven) + Double(zeroPoint)
    return Int32(Swift.min(Swift.max(q, Double(format.min)), Double(format.max)))
  }

  /// The number that `code` stands for.
  public func value(_ code: Int32) -> Double { Double(scale) * Double(code - zeroPoint) }
}
