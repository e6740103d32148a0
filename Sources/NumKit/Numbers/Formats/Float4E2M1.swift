extension NumberFormat {
  /// OCP MX FP4 E2M1: no NaN, no infinity, largest 6.
  @inlinable @inline(__always) public static var f4e2m1: NumberFormat {
    NumberFormat(name: "f4e2m1", exponentBits: 2, significandBits: 1, hasInfinity: false, nanEncoding: .none)
  }
}

/// Names `NumberFormat.f4e2m1` at compile time.
public enum Float4E2M1Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f4e2m1 }
}

/// OCP MX FP4 E2M1: no NaN, no infinity, largest 6.
public typealias Float4E2M1 = Simulated<Float4E2M1Format>
