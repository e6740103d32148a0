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
  /// The finite logits' places, from the largest logit down, and where in them each group of equal logits begins.
  private var order: [Int] = []
  private var starts: [Int] = []
  private var loaded = false
  private var lastAsked = Double.nan
  private var lastAnswer: Int?

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

  /// How many groups of equal finite logits there are; known after `lead`.
  var count: Int { starts.count }

  /// The place of one of a group's logits.
  func place(_ group: Int) -> Int { order[starts[group]] }

  /// The group of the largest logit over which Σ (x − vⱼ) ≠ 0; nil if there is none.
  func lead(at x: Double, _ logits: UnsafeBufferPointer<Double>, _ v: [Double]) -> Int? {
    if x == lastAsked { return lastAnswer }
    load(logits)
    lastAsked = x
    lastAnswer = starts.indices.first { sumDifferences($0, at: x, v) != 0 }
    return lastAnswer
  }

  /// Σ (x − vⱼ) over one group, divided by an exact positive number.
  func differences(
    _ group: Int, at x: Double, _ v: [Double], by divisor: Enclosure, into result: Enclosure
  ) {
    _ = sumDifferences(group, at: x, v)
    sums.quotient(by: divisor, into: result)
  }

  private func sumDifferences(_ group: Int, at x: Double, _ v: [Double]) -> Int32 {
    let end = group + 1 < starts.count ? starts[group + 1] : order.count
    sums.reset()
    for k in starts[group]..<end { sums.add(v[order[k]]) }
    return sums.compare(end - starts[group], times: x)
  }

  private func load(_ logits: UnsafeBufferPointer<Double>) {
    if loaded { return }
    loaded = true
    order.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
    for j in 0..<logits.count where logits[j] != -.infinity { order.append(j) }
    order.sort { logits[$0] > logits[$1] }
    for k in order.indices where k == 0 || logits[order[k]] != logits[order[k - 1]] { starts.append(k) }
  }
}
