import CMPFR
import CProof
import NumKit
import RealModule
import Testing

/// Dot products and weighted sums against direct MPFR at 3000 bits, and what is rational.
@Suite struct SumReferenceTests {
  private final class Exact {
    let x = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 4)
    init() { for k in 0..<4 { mpfr_init2(x + k, 3000) } }
    deinit {
      for k in 0..<4 { mpfr_clear(x + k) }
      x.deallocate()
    }

    /// x[0] = scale·Σ aᵢbᵢ.
    func dot(_ a: [Double], _ b: ArraySlice<Double>, _ scale: Double) {
      mpfr_set_zero(x, 1)
      for (p, q) in zip(a, b) {
        mpfr_set_d(x + 1, p, MPFR_RNDN)
        mpfr_mul_d(x + 1, x + 1, q, MPFR_RNDN)
        mpfr_add(x, x, x + 1, MPFR_RNDN)
      }
      mpfr_mul_d(x, x, scale, MPFR_RNDN)
    }

    /// x[0] = Σ e^(lᵢ/τ) vᵢ / Σ e^(lᵢ/τ).
    func weighted(_ logits: [Double], _ tau: Double, _ v: (Int) -> Double) {
      mpfr_set_zero(x, 1)
      mpfr_set_zero(x + 1, 1)
      for i in logits.indices where logits[i] > -.infinity {
        mpfr_set_d(x + 2, logits[i], MPFR_RNDN)
        mpfr_div_d(x + 2, x + 2, tau, MPFR_RNDN)
        mpfr_exp(x + 2, x + 2, MPFR_RNDN)
        mpfr_add(x + 1, x + 1, x + 2, MPFR_RNDN)
        mpfr_mul_d(x + 2, x + 2, v(i), MPFR_RNDN)
        mpfr_add(x, x, x + 2, MPFR_RNDN)
      }
      mpfr_div(x, x, x + 1, MPFR_RNDN)
    }

    /// |high + low − x[0]|, the pair scaled by 2^exponent.
    func distance(_ high: Double, _ low: Double, _ exponent: Int32 = 0) -> Double {
      mpfr_set_d(x + 3, high, MPFR_RNDN)
      mpfr_add_d(x + 3, x + 3, low, MPFR_RNDN)
      mpfr_mul_2si(x + 3, x + 3, Int(exponent), MPFR_RNDN)
      mpfr_sub(x + 3, x + 3, x, MPFR_RNDN)
      return mpfr_get_d(x + 3, MPFR_RNDA).magnitude
    }

    var double: Double { mpfr_get_d(x, MPFR_RNDN) }
  }

  /// Vectors with more and more cancellation: the second half nearly undoes the first.
  private func vectors(_ index: Int) -> (a: [Double], b: [Double]) {
    var random = RandomSource(seed: 5, row: index)
    let n = [1, 3, 8, 9, 31, 64, 128, 200][index % 8]
    var a = (0..<n).map { _ in random.normal() * .exp(Double(index % 5) * 4 * random.normal()) }
    var b = (0..<n).map { _ in random.normal() }
    if index % 3 == 1 {
      for i in n / 2..<n {
        a[i] = -a[i - n / 2]
        b[i] = b[i - n / 2] * (1 + (index % 2 == 0 ? 0x1p-50 : 0x1p-30) * random.normal())
      }
    }
    if index % 4 == 3 { a = a.map { Double(Float($0)) } }
    return (a, b)
  }

  @Test(arguments: [NumberFormat.f64, .f32, .f16, .bf16, .f8e4m3fn, .f4e2m1]) func dots(
    _ format: NumberFormat
  ) {
    let exact = Exact()
    let fast = SumReference(format: format)
    let slow = SumReference(format: format, usesFastTiers: false)
    var (s, t) = (Truth(), Truth())
    var counts = Certificate()
    for index in 0..<400 {
      let (a, b) = vectors(index)
      let rows = b + b.reversed() + a.map { -$0 }
      let scale = [1, 0.125, 0.08838834764831845, -3][index % 4]
      a.withUnsafeBufferPointer { p in
        rows.withUnsafeBufferPointer {
          fast.dots(p, $0, scale: scale, into: &s)
          slow.dots(p, $0, scale: scale, into: &t)
        }
      }
      counts.merge(s.certificate)
      #expect(s.certificate.total == 3 && t.certificate.exact == 3)
      for i in 0..<3 {
        #expect(s.rounded[i] == t.rounded[i] && s.rounded[i].sign == t.rounded[i].sign || s.rounded[i].isNaN)
        exact.dot(a, rows[i * a.count..<(i + 1) * a.count], scale)
        if format == .f64 { #expect(t.rounded[i] == exact.double) }
        #expect(
          exact.distance(s.high[i], s.low[i], s.exponent[i]) <= s.relativeError * exact.double.magnitude
            * 1.0001)
      }
    }
    #expect(counts.doubleDouble > 900, "\(counts)")
  }

  @Test func dotsThatAreSpecial() {
    let reference = SumReference(format: .f64)
    var truth = Truth()
    func dot(_ a: [Double], _ b: [Double], _ format: NumberFormat = .f64) -> Double {
      a.withUnsafeBufferPointer { p in
        b.withUnsafeBufferPointer { SumReference(format: format).dots(p, $0, into: &truth) }
      }
      return truth.rounded[0]
    }
    let big = Double.greatestFiniteMagnitude
    #expect(dot([big, 3, -big], [big, 2, big]) == 6)
    #expect(dot([big, big], [big, big]) == .infinity)
    #expect(dot([0x1p-600, 1], [0x1p-600, 0]) == 0)
    #expect(truth.high[0] == 0.5 && truth.exponent[0] == -1199)
    #expect(dot([1, -1], [2049, 1], .f16) == 2048)
    #expect(dot([1, 1], [2048, 1], .f16) == 2048)
    #expect(dot([1, 1, 0x1p-500], [2048, 1, 0x1p-500], .f16) == 2050)
    #expect(dot([1, 2], [2, -1]) == 0 && truth.high[0] == 0 && truth.certificate.exact == 1)
    #expect(dot([.infinity, 1], [1, -1]) == .infinity)
    #expect(dot([.infinity, 1], [0, -1]).isNaN)
    #expect(dot([.infinity, .infinity], [1, -1]).isNaN)
    #expect(dot([.nan], [1]).isNaN)
    [Double]().withUnsafeBufferPointer { reference.dots($0, $0, into: &truth) }
    #expect(truth.rounded.isEmpty)
  }

  /// Random, peaked, masked and cancelling rows, with a width that is no multiple of the vectors'.
  @Test(arguments: [NumberFormat.f64, .f32, .f16, .f8e5m2]) func weightedSums(_ format: NumberFormat) {
    let exact = Exact()
    let fast = SumReference(format: format)
    let slow = SumReference(format: format, usesFastTiers: false)
    var (s, t) = (Truth(), Truth())
    var counts = Certificate()
    for index in 0..<120 {
      var random = RandomSource(seed: 8, row: index)
      let n = [1, 2, 9, 63, 64, 65, 150][index % 7]
      let width = 11
      var logits = (0..<n).map { _ in [1, 10, 300, 1e-3][index % 4] * random.normal() }
      if index % 5 == 2 { for i in stride(from: 1, to: n, by: 2) { logits[i] = -.infinity } }
      var v = (0..<n * width).map { _ in random.normal() }
      for j in 0..<n { v[j * width + 3] = 1.25 }
      let parameters = OperationParameters(temperature: [1, 1.7][index % 2])
      logits.withUnsafeBufferPointer { l in
        v.withUnsafeBufferPointer {
          fast.weightedSums(l, values: $0, parameters: parameters, into: &s)
          slow.weightedSums(l, values: $0, parameters: parameters, into: &t)
        }
      }
      counts.merge(s.certificate)
      #expect(s.certificate.total == width && s.certificate.undecided + t.certificate.undecided == 0)
      #expect(s.rounded == t.rounded)
      for k in 0..<width {
        exact.weighted(logits, parameters.temperature) { v[$0 * width + k] }
        #expect(
          exact.distance(s.high[k], s.low[k], s.exponent[k]) <= s.relativeError * exact.double.magnitude
            * 1.0001)
        #expect(
          exact.distance(t.high[k], t.low[k], t.exponent[k]) <= t.relativeError * exact.double.magnitude
            * 1.0001)
        if format == .f64 { #expect(t.rounded[k] == exact.double) }
      }
    }
    #expect(counts.doubleDouble > counts.total / 2, "\(counts)")
  }

  @Test func weightedSumsThatAreRationalOrSpecial() {
    var truth = Truth()
    func sums(_ x: [Double], _ v: [Double], _ format: NumberFormat = .f64, _ p: OperationParameters = .init())
      -> [Double]
    {
      x.withUnsafeBufferPointer { l in
        v.withUnsafeBufferPointer {
          SumReference(format: format).weightedSums(l, values: $0, parameters: p, into: &truth)
        }
      }
      return truth.rounded
    }
    // The mean of each group of equal logits is 2049: a tie of f16, with groups that weigh differently.
    #expect(sums([0, 0, 3, -.infinity], [2048, 2050, 2049, .nan], .f16) == [2048])
    #expect(truth.certificate.exact == 1)
    // A hair above and below it.
    #expect(sums([0, 0, 3], [2048, 2050, 2049 + 0x1p-40], .f16) == [2050])
    #expect(sums([0, -1e300], [2049, 1e300], .f16) == [2050])
    #expect(sums([0, -1e300], [2049, -1e300], .f16) == [2048])
    #expect(sums([0, 0, 1], [1, -1, 0]) == [0] && truth.certificate.exact == 1)
    #expect(sums([1, 1, 1], [1, 0, 0]) == [1.0 / 3])
    #expect(sums([-.infinity, -.infinity], [1, 2])[0].isNaN)
    #expect(sums([-.infinity, -.infinity], [1, 2], .f64, .init(specialValues: .safe)) == [0])
    #expect(sums([-.infinity, -.infinity], [1, 2], .f64, .init(specialValues: .uniform)) == [1.5])
    #expect(sums([5, 5, 1], [1, 2, 9], .f64, .init(temperature: 0)) == [1.5])
    #expect(sums([1, .nan], [1, 2])[0].isNaN)
    #expect(sums([1, 2], [1, .infinity])[0].isNaN)
  }

  /// Section 10's bound against sums that cancel: found errors are below it, and not by more than 2⁸ where it is attacked.
  @Test func boundOfDotProducts() {
    let exact = Exact()
    var worst = 0.0
    for index in 0..<20_000 {
      var random = RandomSource(seed: 13, row: index)
      // Rising terms of one sign make every addition round at the size of the total.
      let n = 8 + index % 25
      let a = (0..<n).map { 1 + Double($0 / 8) + random.uniform() }
      let b = (0..<n).map { _ in 1 + random.uniform() }
      let s = nc_dot2(a, b, n)
      exact.dot(a, b[...], 1)
      worst = max(
        worst, exact.distance(s.high, s.low) / (SumReference.dotRoundings(n) * 0x1p-106 * s.magnitude))
    }
    print("dot product: largest error 2^\((Double.log2(worst) * 100).rounded() / 100) of its bound")
    #expect(worst <= 1 && worst >= 0x1p-8)
  }
}
