extension NumberFormat {
  /// E5M2 with bias 16, one NaN (the code of −0), no infinity, largest 57344.
  @inlinable @inline(__always) public static var f8e5m2fnuz: NumberFormat {
    NumberFormat(
      name: "f8e5m2fnuz", exponentBits: 5, significandBits: 2, bias: 16, hasInfinity: false,
      nanEncoding: .negativeZero)
  }
}

/// Names `NumberFormat.f8e5m2fnuz` at compile time.
public enum Float8E5M2FNUZFormat: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f8e5m2fnuz }
}

/// E5M2 with bias 16, one NaN (the code of −0), no infinity, largest 57344.
public typealias Float8E5M2FNUZ = Simulated<Float8E5M2FNUZFormat>
