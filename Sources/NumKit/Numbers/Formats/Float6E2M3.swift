extension NumberFormat {
  /// OCP MX FP6 E2M3: no NaN, no infinity, largest 7.5.
  @inlinable @inline(__always) public static var f6e2m3: NumberFormat {
    NumberFormat(name: "f6e2m3", exponentBits: 2, significandBits: 3, hasInfinity: false, nanEncoding: .none)
  }
}

/// Names `NumberFormat.f6e2m3` at compile time.
public enum Float6E2M3Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f6e2m3 }
}

/// OCP MX FP6 E2M3: no NaN, no infinity, largest 7.5.
public typealias Float6E2M3 = Simulated<Float6E2M3Format>
