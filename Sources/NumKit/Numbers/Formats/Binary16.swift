extension NumberFormat {
  /// IEEE 754 binary16 (half precision).
  @inlinable @inline(__always) public static var f16: NumberFormat {
    NumberFormat(name: "f16", exponentBits: 5, significandBits: 10, hasInfinity: true, nanEncoding: .ieee)
  }
}
