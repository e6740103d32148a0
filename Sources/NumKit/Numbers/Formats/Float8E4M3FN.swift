extension NumberFormat {
  /// OFP8 E4M3: no infinity, one NaN a sign, largest 448.
  @inlinable @inline(__always) public static var f8e4m3fn: NumberFormat {
    NumberFormat(
      name: "f8e4m3fn", exponentBits: 4, significandBits: 3, hasInfinity: false, nanEncoding: .allOnes)
  }
}

/// Names `NumberFormat.f8e4m3fn` at compile time.
public enum Float8E4M3FNFormat: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f8e4m3fn }
}

/// OFP8 E4M3: no infinity, one NaN a sign, largest 448.
public typealias Float8E4M3FN = Simulated<Float8E4M3FNFormat>
