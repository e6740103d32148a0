import CMPFR
import NumKitNumbers
import NumKitQuestions

/// The tier of normalisations that always answers: N and D without any rounding, their quotient as an enclosure.
///
/// √D is a dyadic number or irrational. In the first case it is exact once the precision holds it, and y = N·w/√D + b is the
/// quotient of two exact numbers: a tie or a number of the format is then met exactly. In the second y is irrational (N·w ≠ 0), so
/// no tie. Either way y is a root of (N·w)² = (t − b)²·D, whose terms are dyadic numbers of at most 2^15 bits, so that it differs
/// from any other t by more than 2^−2^15 of it and refining ends long before `Refinement.precisionLimit`.
final class NormEnclosures {
  private static let count = 6
  private let numbers = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: count)
  /// S; 0 for the RMS norm.
  private var sum: mpfr_ptr { numbers }
  /// D.
  private var square: mpfr_ptr { numbers + 1 }
  /// N.
  private var deviation: mpfr_ptr { numbers + 2 }
  /// N·w.
  private var weighted: mpfr_ptr { numbers + 3 }
  private var term: mpfr_ptr { numbers + 4 }
  private var product: mpfr_ptr { numbers + 5 }
  private var length = 0
  private var isCentered = false
  private var precision = 0
  private let storage = EnclosureStorage()
  private var root: Enclosure { storage[0] }

  init() { for k in 0..<Self.count { mpfr_init2(numbers + k, 64) } }

  deinit {
    for k in 0..<Self.count { mpfr_clear(numbers + k) }
    numbers.deallocate()
  }

  /// Computes S and D of a row of finite numbers.
  func load(_ row: UnsafeBufferPointer<Double>, _ operation: Normalization, epsilon: Double) {
    length = row.count
    isCentered = operation.isCentered
    var (low, high) = (Int.max, Int.min)
    for x in row where x != 0 {
      low = Swift.min(low, Self.lowestBit(x))
      high = Swift.max(high, Int(x.exponent) + 1)
    }
    if low > high { (low, high) = (0, 0) }
    let growth = Int.bitWidth - row.count.leadingZeroBitCount + 1
    mpfr_set_prec(sum, high - low + growth + 2)
    mpfr_set_prec(deviation, high - low + growth + 3)
    mpfr_set_prec(weighted, high - low + growth + 60)
    mpfr_set_prec(term, 53)
    mpfr_set_prec(product, 2 * (high - low + growth + 2))
    let top = Swift.max(2 * high, epsilon == 0 ? 2 * high : Int(epsilon.exponent) + 1) + 2 * growth + 2
    let bottom = Swift.min(2 * low, epsilon == 0 ? 2 * low : Self.lowestBit(epsilon))
    mpfr_set_prec(square, top - bottom)

    mpfr_set_zero(sum, 1)
    mpfr_set_zero(square, 1)
    for x in row where x != 0 {
      exactly(mpfr_set_d(term, x, MPFR_RNDN))
      exactly(mpfr_mul(product, term, term, MPFR_RNDN))
      exactly(mpfr_add(square, square, product, MPFR_RNDN))
      if isCentered { exactly(mpfr_add_d(sum, sum, x, MPFR_RNDN)) }
    }
    exactly(mpfr_mul_si(square, square, length, MPFR_RNDN))
    exactly(mpfr_mul(product, sum, sum, MPFR_RNDN))
    exactly(mpfr_sub(square, square, product, MPFR_RNDN))
    mpfr_set_prec(product, 53 + 2 * growth)
    exactly(mpfr_set_d(product, epsilon, MPFR_RNDN))
    exactly(mpfr_mul_si(product, product, length, MPFR_RNDN))
    exactly(mpfr_mul_si(product, product, length, MPFR_RNDN))
    exactly(mpfr_add(square, square, product, MPFR_RNDN))
  }

  /// Takes D's root at `precision` bits. D must not be 0.
  func prepare(precision: Int) {
    self.precision = precision
    storage.reserve(4, precision: precision)
    root.set(exact: square)
    root.takeSquareRoot()
  }

  /// The sign of N at an element x.
  func deviationSign(_ x: Double) -> Int32 {
    exactly(mpfr_set_d(deviation, x, MPFR_RNDN))
    exactly(mpfr_mul_si(deviation, deviation, length, MPFR_RNDN))
    exactly(mpfr_sub(deviation, deviation, sum, MPFR_RNDN))
    return nc_mpfr_sgn(deviation)
  }

  /// Whether y at an element x, where N·w ≠ 0, could be settled at this precision; at the limit it always is, decided or not.
  func decide(
    _ x: Double, weight: Double, bias: Double, at i: Int, _ format: NumberFormat, into truth: inout Truth
  ) -> Bool {
    _ = deviationSign(x)
    exactly(mpfr_mul_d(weighted, deviation, weight, MPFR_RNDN))
    let (numerator, result) = (storage[1], storage[2])
    numerator.set(exact: weighted)
    result.setQuotient(numerator, positive: root)
    if bias != 0 { result.add(bias) }
    return truth.settle(
      result, at: i, format, precision: precision, isLast: precision >= Refinement.precisionLimit,
      scratch: storage[3])
  }

  /// What nothing may be rounded in, since decisions are read out of it.
  private func exactly(_ ternary: Int32) { precondition(ternary == 0, "an exact number") }

  /// The exponent of the lowest bit that x ≠ 0 may have.
  private static func lowestBit(_ x: Double) -> Int { Swift.max(Int(x.exponent) - 52, -1074) }
}
