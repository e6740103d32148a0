import NumKit
import NumKitNumbers

/// Blocks of which something that is stored beside the codes (a scale, an offset, a sum) is not what it should be. The decoded
/// numbers need not show it: a sum is read by products alone.
public struct ScaleFaults: Sendable, Hashable {
  /// Blocks that store an infinity.
  public package(set) var overflowed = 0
  /// Blocks of numbers other than 0 whose scale is so small that nothing is left of them.
  public package(set) var underflowed = 0
  /// Blocks that store a NaN.
  public package(set) var nan = 0

  /// None.
  public init() {}

  /// Blocks with a fault.
  public var count: Int { overflowed + underflowed + nan }

  /// Adds those of other blocks.
  mutating func merge(_ other: ScaleFaults) {
    overflowed += other.overflowed
    underflowed += other.underflowed
    nan += other.nan
  }

  /// Counts a block that stores `scales`; `vanished` where all its numbers became 0 and were not.
  mutating func add(_ scales: some Sequence<Float>, vanished: Bool) {
    if scales.contains(where: \.isNaN) {
      nan += 1
    } else if scales.contains(where: \.isInfinite) {
      overflowed += 1
    } else if vanished {
      underflowed += 1
    }
  }
}

extension ScaleFaults: Portable {
  package mutating func carry(_ c: inout Carrier) throws {
    try c.carry(count: &overflowed)
    try c.carry(count: &underflowed)
    try c.carry(count: &nan)
  }
}

/// A scheme that stores something for each block of elements beside their codes.
protocol ScaledScheme: Scheme {
  /// The faults of what `bytes` hold beside codes; `values` were encoded into them, `decoded` came out.
  func scaleFaults(
    _ bytes: UnsafeRawBufferPointer, _ values: UnsafeBufferPointer<Float>,
    decoded: UnsafeBufferPointer<Float>, rows: Int, columns: Int
  ) throws -> ScaleFaults
}

/// Whether elements that are not all 0 all became 0; those that are no numbers are left out.
func hasVanished(_ x: UnsafeBufferPointer<Float>, _ y: UnsafeBufferPointer<Float>, _ range: Range<Int>)
  -> Bool
{
  var isEmpty = true
  for i in range where x[i].isFinite {
    if y[i] != 0 { return false }
    if x[i] != 0 { isEmpty = false }
  }
  return !isEmpty
}
