extension NumberFormat {
  /// IEEE 754 binary32 (single precision).
  @inlinable @inline(__always) public static var f32: NumberFormat {
    NumberFormat(name: "f32", exponentBits: 8, significandBits: 23, hasInfinity: true, nanEncoding: .ieee)
  }
}
