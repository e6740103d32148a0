import NumKit

/// Where a cast to a format begins to lose: magnitudes as bits of a Float, which order as the numbers do.
struct FormatLimits: Sendable {
  let format: NumberFormat
  /// From here on a cast overflows (or, in a format without infinity and NaN, saturates). `Int32.max`: never.
  let overflow: Int32
  /// From here on a cast is not zero.
  let nonzero: Int32
  /// From here on at least the leading digit survives: what is below is rounded up to the smallest number, by up to its
  /// own size.
  let digits: Int32

  init(_ format: NumberFormat) {
    self.format = format
    let largest = format.largestFinite
    let spacing = format.ulp(of: largest)
    // A tie goes down where the last bit of the largest number is 0.
    let midpoint = largest + spacing / 2
    let isEven = (largest / spacing).truncatingRemainder(dividingBy: 2) == 0
    overflow = Self.bits(midpoint, isIncluded: !isEven)
    let smallest = format.smallestPositive
    // A tie between 0 and the smallest number goes to 0.
    nonzero = Self.bits(smallest / 2, isIncluded: false)
    digits = Self.bits(smallest, isIncluded: true)
  }

  /// The bits of the smallest Float that is at least `x`, or above it.
  private static func bits(_ x: Double, isIncluded: Bool) -> Int32 {
    guard x <= Double(Float.greatestFiniteMagnitude) else { return .max }
    var y = Float(x)
    if Double(y) < x || !isIncluded && Double(y) == x { y = y.nextUp }
    return y.isFinite ? Int32(bitPattern: y.bitPattern) : .max
  }
}

/// What a plain cast of a tensor to a format would lose.
public struct FormatLoss: Sendable, Hashable {
  /// The format.
  public let format: NumberFormat
  /// log2(largest number / largest |a|): negative where it overflows; ∞ for a tensor of zeros.
  public let headroom: Double
  /// Finite elements that overflow: become infinite or NaN, or the largest number in formats without those.
  public let overflowCount: Int
  /// Elements other than zero that become zero.
  public let flushedCount: Int
  /// Elements that are not flushed, yet keep no digit: below the smallest number, to which they are rounded up, by up to
  /// their own size.
  public let digitlessCount: Int
}
