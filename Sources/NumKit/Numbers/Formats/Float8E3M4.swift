extension NumberFormat {
  /// IEEE-like E3M4, largest 15.5: more digits and less range than E4M3 (Noune et al., arXiv 2206.02915; ml_dtypes'
  /// `float8_e3m4`).
  @inlinable @inline(__always) public static var f8e3m4: NumberFormat {
    NumberFormat(name: "f8e3m4", exponentBits: 3, significandBits: 4, hasInfinity: true, nanEncoding: .ieee)
  }
}

/// Names `NumberFormat.f8e3m4` at compile time.
public enum Float8E3M4Format: SimulatedFormat {
  @inlinable @inline(__always) public static var format: NumberFormat { .f8e3m4 }
}

/// IEEE-like E3M4, largest 15.5.
public typealias Float8E3M4 = Simulated<Float8E3M4Format>
