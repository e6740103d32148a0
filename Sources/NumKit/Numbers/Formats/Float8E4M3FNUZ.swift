extension NumberFormat {
  /// E4M3 with bias 8, one NaN (the code of −0), no infinity, largest 240.
  @inlinable @inline(__always) public static var f8e4m3fnuz: NumberFormat {
    NumberFormat(
      name: "f8e4m3fnuz", exponentBits: 4, significandBits: 3, bias: 8, hasInfinity: false,
      nanEncoding: .negativeZero)
  }
}

/// Names `NumberFormat.f8e4m3fnuz` at compile time.
public enum Float8E4M3FNUZFormat: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f8e4m3fnuz }
}

/// E4M3 with bias 8, one NaN (the code of −0), no infinity, largest 240.
public typealias Float8E4M3FNUZ = Simulated<Float8E4M3FNUZFormat>
