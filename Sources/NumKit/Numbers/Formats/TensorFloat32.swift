extension NumberFormat {
  /// NVIDIA's TF32: the exponent of binary32, the significand of binary16, 19 bits in all.
  @inlinable @inline(__always) public static var tf32: NumberFormat {
    NumberFormat(name: "tf32", exponentBits: 8, significandBits: 10, hasInfinity: true, nanEncoding: .ieee)
  }
}

/// Names `NumberFormat.tf32` at compile time.
public enum TensorFloat32Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .tf32 }
}

/// NVIDIA's TF32: the exponent of binary32, the significand of binary16, 19 bits in all.
public typealias TensorFloat32 = Simulated<TensorFloat32Format>
