extension NumberFormat {
  /// Whether `x` is a number of this format, or a special value that it has.
  public func holds(_ x: Double) -> Bool { x.isNaN ? hasNaN : round(x) == x }

  /// Whether every finite number of `other`, sign and zero aside, is one of this format.
  package func holdsNumbers(of other: NumberFormat) -> Bool {
    precision >= other.precision && smallestPositive <= other.smallestPositive
      && largestFinite >= other.largestFinite
  }

  /// Whether every value of `other` is one of this format: numbers, signs, zero and special values.
  package func holdsValues(of other: NumberFormat) -> Bool {
    holdsNumbers(of: other) && (hasInfinity || !other.hasInfinity) && (hasNaN || !other.hasNaN)
      && (hasSign || !other.hasSign) && (hasZero || !other.hasZero)
  }
}
