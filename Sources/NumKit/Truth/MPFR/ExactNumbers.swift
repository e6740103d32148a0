import CMPFR

/// Owner of a few MPFR numbers in which sums of products of two Doubles, and those times counts, are exact.
final class ExactNumbers {
  /// From 2^−2148 to beyond 2^2048 times a count of 2^60; and room for a third factor.
  static let precision: mpfr_prec_t = 6500
  private let numbers: UnsafeMutablePointer<__mpfr_struct>
  private let count: Int

  init(_ count: Int) {
    self.count = count
    numbers = .allocate(capacity: count)
    for i in 0..<count {
      mpfr_init2(numbers + i, Self.precision)
      mpfr_set_zero(numbers + i, 1)
    }
  }

  deinit {
    for i in 0..<count { mpfr_clear(numbers + i) }
    numbers.deallocate()
  }

  subscript(index: Int) -> mpfr_ptr {
    precondition(index >= 0 && index < count)
    return numbers + index
  }
}
