extension NumberFormat {
  /// OFP8 E5M2: IEEE-like, largest 57344.
  @inlinable @inline(__always) public static var f8e5m2: NumberFormat {
    NumberFormat(name: "f8e5m2", exponentBits: 5, significandBits: 2, hasInfinity: true, nanEncoding: .ieee)
  }
}

/// Names `NumberFormat.f8e5m2` at compile time.
public enum Float8E5M2Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f8e5m2 }
}

/// OFP8 E5M2: IEEE-like, largest 57344.
public typealias Float8E5M2 = Simulated<Float8E5M2Format>
