import CMPFR
import NumKit
import Testing

/// The largest errors as reports print them: never below the exact ones, and above them by no more than the digits show.
@Suite struct ProvenErrorTests {
  /// |y − exact| of softmax in ulps, relative and absolute, by MPFR.
  private func exactErrors(_ x: [Double], _ y: [Double], _ format: NumberFormat) -> [(Double, Double, Double)]
  {
    let p = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2)
    defer { p.deallocate() }
    let (sum, t) = (p, p + 1)
    mpfr_init2(sum, 200)
    mpfr_init2(t, 200)
    mpfr_set_zero(sum, 1)
    for v in x {
      mpfr_set_d(t, v, MPFR_RNDN)
      mpfr_exp(t, t, MPFR_RNDN)
      mpfr_add(sum, sum, t, MPFR_RNDN)
    }
    return x.indices.map { i in
      mpfr_set_d(t, x[i], MPFR_RNDN)
      mpfr_exp(t, t, MPFR_RNDN)
      mpfr_div(t, t, sum, MPFR_RNDN)
      let near = mpfr_get_d(t, MPFR_RNDN)
      mpfr_sub_d(t, t, y[i], MPFR_RNDN)
      // Rounded up: still at most what is claimed, if that is right.
      let error = abs(mpfr_get_d(t, MPFR_RNDA))
      return (error / format.ulp(of: near), error / near * (1 + 0x1p-50), error)
    }
  }

  @Test(arguments: [NumberFormat.f16, .f32, .f64])
  func printedDigitsAreProven(_ format: NumberFormat) {
    let reference = Reference(.softmax, format: format)
    var truth = Truth()
    var cut = 0
    for row in 0..<300 {
      var random = RandomSource(seed: 31, row: row)
      let x = (0..<7).map { _ in format.round(6 * random.normal()) }
      x.withUnsafeBufferPointer { reference.answer($0, parameters: OperationParameters(), into: &truth) }
      // Results a few ulps off.
      let y = truth.rounded.map { $0 + format.ulp(of: $0) * (8 * random.uniform() - 4).rounded() }
      var statistics = ErrorStatistics()
      y.withUnsafeBufferPointer {
        statistics.add(row: 0, computed: $0, truth: truth, unit: .ulp(format), bounds: nil)
      }
      let exact = exactErrors(x, y, format)
      let largest = (exact.map(\.0).max()!, exact.map(\.1).max()!, exact.map(\.2).max()!)
      let proven = statistics.proven
      #expect(
        proven.maxUlp >= largest.0 && proven.maxRelative >= largest.1 && proven.maxAbsolute >= largest.2)
      // The last bit printed is above the truth's error, and the whole within four of it.
      let doubt = truth.relativeError * .powerOfTwo(format.precision) + largest.0 * 0x1p-50
      #expect(proven.maxUlp <= largest.0 + 8 * doubt)
      #expect(
        proven.maxUlp.ulp * .powerOfTwo(proven.maxUlp.significandBitPattern.trailingZeroBitCount) >= doubt / 4
      )
      if proven.maxUlp != statistics.maxUlp { cut += 1 }
    }
    #expect(cut > 250)
  }

  @Test func outwardKeepsWhatIsKnownExactly() {
    #expect(ProvenErrors.outward(0, error: 0) == 0)
    #expect(ProvenErrors.outward(.infinity, error: 1) == .infinity)
    #expect(ProvenErrors.outward(1, error: 0x1p-20) == 1 + 0x1p-19)
    #expect(ProvenErrors.outward(0x1.fffffp-1, error: 0x1p-10) == 1 + 0x1p-9)
    #expect(ProvenErrors.outward(0, error: 0x1p-30) == 0x1p-29)
    #expect(ErrorStatistics().proven.maxUlp == 0)
  }

  /// A subnormal Double has lost bits that the truth has: the error is measured before they are lost.
  @Test func subnormalResultsAreMeasuredWhole() {
    let reference = Reference(.softmax, format: .f64)
    var truth = Truth()
    var worst = 0.0
    for row in 0..<200 {
      var random = RandomSource(seed: 5, row: row)
      let x = [0, -730 - 14 * random.uniform()]
      x.withUnsafeBufferPointer { reference.answer($0, parameters: OperationParameters(), into: &truth) }
      var statistics = ErrorStatistics()
      truth.rounded.withUnsafeBufferPointer {
        statistics.add(row: 0, computed: $0, truth: truth, unit: .ulp(.f64), bounds: nil)
      }
      worst = max(worst, statistics.maxUlp)
      #expect(statistics.maxUlp <= 0.5)
    }
    // Correctly rounded, and off by nearly half an ulp in the worst of two hundred.
    #expect(worst > 0.45)
  }
}
