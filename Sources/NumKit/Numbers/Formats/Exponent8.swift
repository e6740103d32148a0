extension NumberFormat {
  /// OCP MX E8M0: powers of two from 2^−127 to 2^127, one NaN; a scale, not something to compute in.
  @inlinable @inline(__always) public static var e8m0: NumberFormat {
    NumberFormat(
      name: "e8m0", exponentBits: 8, significandBits: 0, hasInfinity: false, nanEncoding: .allOnes,
      hasSign: false, hasZero: false)
  }
}
