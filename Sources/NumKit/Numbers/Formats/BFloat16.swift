extension NumberFormat {
  /// bfloat16: the upper half of binary32.
  @inlinable @inline(__always) public static var bf16: NumberFormat {
    NumberFormat(name: "bf16", exponentBits: 8, significandBits: 7, hasInfinity: true, nanEncoding: .ieee)
  }
}

/// Names `NumberFormat.bf16` at compile time.
public enum BFloat16Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .bf16 }
}

/// bfloat16: the upper half of binary32.
public typealias BFloat16 = Simulated<BFloat16Format>
