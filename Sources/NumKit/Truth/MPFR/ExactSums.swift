import CMPFR

/// Sums of Doubles without any rounding, for the questions that need a yes or no.
final class ExactSums {
  /// Room for every bit from 2^−1074 to n·n·2^1024.
  private static let precision: mpfr_prec_t = 2240
  private let total = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2)
  private var scratch: mpfr_ptr { total + 1 }

  init() {
    mpfr_init2(total, Self.precision)
    mpfr_init2(scratch, Self.precision)
  }

  deinit {
    mpfr_clear(total)
    mpfr_clear(scratch)
    total.deallocate()
  }

  func reset() { mpfr_set_zero(total, 1) }

  func add(_ x: Double) { mpfr_add_d(total, total, x, MPFR_RNDN) }

  /// The sign of count·x − the total, which stays.
  func compare(_ count: Int, times x: Double) -> Int32 {
    mpfr_set_d(scratch, x, MPFR_RNDN)
    mpfr_mul_si(scratch, scratch, count, MPFR_RNDN)
    mpfr_sub(scratch, scratch, total, MPFR_RNDN)
    return nc_mpfr_sgn(scratch)
  }

  /// What `compare` last took the sign of, divided by an exact positive number.
  func quotient(by divisor: Enclosure, into result: Enclosure) {
    result.setQuotient(exact: scratch, exact: divisor.lower)
  }
}

/// What the vector–Jacobian product asks exactly of a row's cotangents v.
final class CotangentGroups {
  private let sums = ExactSums()
  private var order: [Int] = []
  private var loaded = false
  private var lastAsked = Double.nan
  private var lastAnswer = false

  /// Forgets the row.
  func reset() {
    loaded = false
    lastAsked = .nan
  }

  /// Sums v over the finite logits, for `differenceSign`.
  func sumAll(_ logits: UnsafeBufferPointer<Double>, _ v: [Double]) {
    sums.reset()
    for j in 0..<logits.count where logits[j] != -.infinity { sums.add(v[j]) }
  }

  /// The sign of count·x − Σv.
  func differenceSign(_ count: Int, times x: Double) -> Int32 { sums.compare(count, times: x) }

  /// (count·x − Σv) / divisor, for the count and x last asked about.
  func quotient(by divisor: Enclosure, into result: Enclosure) { sums.quotient(by: divisor, into: result) }

  /// Whether Σ (x − vⱼ) = 0 over every group of equal finite logits.
  func vanish(at x: Double, _ logits: UnsafeBufferPointer<Double>, _ v: [Double]) -> Bool {
    if x == lastAsked { return lastAnswer }
    if !loaded {
      order.removeAll(keepingCapacity: true)
      for j in 0..<logits.count where logits[j] != -.infinity { order.append(j) }
      order.sort { logits[$0] < logits[$1] }
      loaded = true
    }
    lastAsked = x
    lastAnswer = true
    var start = 0
    while start < order.count && lastAnswer {
      var end = start
      sums.reset()
      while end < order.count && logits[order[end]] == logits[order[start]] {
        sums.add(v[order[end]])
        end += 1
      }
      lastAnswer = sums.compare(end - start, times: x) == 0
      start = end
    }
    return lastAnswer
  }
}
