import CMPFR

/// Sums of products of Doubles, and means, without any rounding: what is rational is answered exactly.
final class ExactDot {
  /// Room for every bit of Σ aᵢbᵢ (from 2^−2148 to n·2^2048) and of its product with one more Double.
  static let precision = 6500
  private let numbers = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 5)
  private var total: mpfr_ptr { numbers }
  private var product: mpfr_ptr { numbers + 1 }
  private var first: mpfr_ptr { numbers + 2 }
  private var kept: mpfr_ptr { numbers + 4 }

  init() {
    for k in 0..<5 { mpfr_init2(numbers + k, mpfr_prec_t(k == 1 ? 106 : Self.precision)) }
    mpfr_set_zero(kept, 1)
  }

  deinit {
    for k in 0..<5 { mpfr_clear(numbers + k) }
    numbers.deallocate()
  }

  /// scale·Σ aᵢbᵢ, both ends equal but for the precision of `result`.
  func dot(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, scale: Double, into result: Enclosure
  ) {
    sum(a, b, n)
    mpfr_mul_d(total, total, scale, MPFR_RNDN)
    result.set(exact: total)
  }

  /// Keeps Σ aᵢbᵢ, or 0 where there is no b, for `differenceFromKept`.
  func keep(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>?, _ n: Int) {
    mpfr_set_zero(kept, 1)
    guard let b else { return }
    sum(a, b, n)
    mpfr_swap(kept, total)
  }

  /// Σ aᵢbᵢ, or 0 where there is no b, less what is kept: both ends equal but for the precision of `result`.
  func differenceFromKept(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>?, _ n: Int, into result: Enclosure
  ) {
    if let b { sum(a, b, n) } else { mpfr_set_zero(total, 1) }
    mpfr_sub(total, total, kept, MPFR_RNDN)
    result.set(exact: total)
  }

  /// Whether Σ aᵢbᵢ is what is kept, but for its sign.
  func isKeptMagnitude(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int) -> Bool {
    sum(a, b, n)
    return mpfr_cmpabs(total, kept) == 0
  }

  private func sum(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int) {
    mpfr_set_zero(total, 1)
    for i in 0..<n where a[i] != 0 && b[i] != 0 {
      mpfr_set_d(product, a[i], MPFR_RNDN)
      mpfr_mul_d(product, product, b[i], MPFR_RNDN)
      mpfr_add(total, total, product, MPFR_RNDN)
    }
  }

  /// Whether the means of v (every `stride`-th) over each group of equal finite logits are one number, which `result` then
  /// encloses as the quotient of two exact ones. `order` lists the finite logits ascending.
  func commonMean(
    _ order: [Int], _ logits: UnsafeBufferPointer<Double>, _ v: UnsafePointer<Double>, stride: Int,
    into result: Enclosure
  ) -> Bool {
    var firstCount = 0
    var start = 0
    while start < order.count {
      var end = start
      mpfr_set_zero(total, 1)
      while end < order.count && logits[order[end]] == logits[order[start]] {
        mpfr_add_d(total, total, v[order[end] * stride], MPFR_RNDN)
        end += 1
      }
      if firstCount == 0 {
        firstCount = end
        _ = nc_mpfr_set(first, total, MPFR_RNDN)
      } else {
        // sum/count = first/firstCount, multiplied out.
        mpfr_mul_si(total, total, firstCount, MPFR_RNDN)
        mpfr_mul_si(numbers + 3, first, end - start, MPFR_RNDN)
        if nc_mpfr_cmp(total, numbers + 3) != 0 { return false }
      }
      start = end
    }
    result.setQuotient(exact: first, firstCount)
    return true
  }
}
