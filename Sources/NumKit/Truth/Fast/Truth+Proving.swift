import NumKitNumbers

/// What a prover of one's own writes its answers with.
extension Truth {
  /// Makes room for `count` results, none of which is known yet.
  public mutating func begin(count: Int) { reset(count: count) }

  /// Enters result `i` as high + low to within `error`, absolute; returns whether all numbers that near round to one number of
  /// `format` and the error is small enough to measure against. If not, the result is left for something more precise: enter it
  /// again, or call `leaveOpen`.
  ///
  /// - Precondition: |low| is at most half an ulp of high.
  public mutating func prove(
    _ high: Double, _ low: Double = 0, error: Double, at i: Int, in format: NumberFormat
  ) -> Bool {
    accept(Pair(high, low), error, at: i, format)
  }

  /// Enters result `i`, known exactly.
  public mutating func know(_ value: Double, at i: Int, in format: NumberFormat) {
    setKnown(value, at: i, format)
  }

  /// Says that result `i` could not be proven: `value` is the best guess, and the certificate counts it as undecided.
  public mutating func leaveOpen(_ value: Double, at i: Int, in format: NumberFormat) {
    set(format.round(value), ScaledValue(high: value), at: i)
    certificate.undecided += 1
  }
}
