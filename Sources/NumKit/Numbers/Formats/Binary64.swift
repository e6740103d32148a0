extension NumberFormat {
  /// IEEE 754 binary64 (double precision).
  @inlinable @inline(__always) public static var f64: NumberFormat {
    NumberFormat(name: "f64", exponentBits: 11, significandBits: 52, hasInfinity: true, nanEncoding: .ieee)
  }
}
