extension NumberFormat {
  /// OCP MX FP6 E3M2: no NaN, no infinity, largest 28.
  @inlinable @inline(__always) public static var f6e3m2: NumberFormat {
    NumberFormat(name: "f6e3m2", exponentBits: 3, significandBits: 2, hasInfinity: false, nanEncoding: .none)
  }
}

/// Names `NumberFormat.f6e3m2` at compile time.
public enum Float6E3M2Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f6e3m2 }
}

/// OCP MX FP6 E3M2: no NaN, no infinity, largest 28.
public typealias Float6E3M2 = Simulated<Float6E3M2Format>
