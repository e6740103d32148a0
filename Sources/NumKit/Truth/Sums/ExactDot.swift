import CMPFR

/// Sums of products of Doubles, and means, without any rounding: what is rational is answered exactly.
final class ExactDot {
  /// Room for every bit of Σ aᵢbᵢ (from 2^−2148 to n·2^2048) and of its product with one more Double.
  private static let precision: mpfr_prec_t = 6500
  private let numbers = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 4)
  private var total: mpfr_ptr { numbers }
  private var product: mpfr_ptr { numbers + 1 }
  private var first: mpfr_ptr { numbers + 2 }

  init() {
    for k in 0..<4 { mpfr_init2(numbers + k, k == 1 ? 106 : Self.precision) }
  }

  deinit {
    for k in 0..<4 { mpfr_clear(numbers + k) }
    numbers.deallocate()
  }

  /// scale·Σ aᵢbᵢ, both ends equal but for the precision of `result`.
  func dot(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ n: Int, scale: Double, into result: Enclosure
  ) {
    mpfr_set_zero(total, 1)
    for i in 0..<n {
      mpfr_set_d(product, a[i], MPFR_RNDN)
      mpfr_mul_d(product, product, b[i], MPFR_RNDN)
      mpfr_add(total, total, product, MPFR_RNDN)
    }
    mpfr_mul_d(total, total, scale, MPFR_RNDN)
    result.set(exact: total)
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
