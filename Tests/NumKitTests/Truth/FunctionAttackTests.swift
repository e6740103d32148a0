import CMPFR
import NumKit
import RealModule
import Testing

/// Attacks on the bounds of what is made of exponentials: logarithm, sigmoid, weighted sums.
@Suite struct FunctionAttackTests {
  private final class Number {
    let p = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 1)
    init(bits: Int = 240) { mpfr_init2(p, bits) }
    deinit {
      mpfr_clear(p)
      p.deallocate()
    }

    /// |high + low − self|.
    func distance(_ high: Double, _ low: Double, _ work: Number) -> Double {
      mpfr_set_d(work.p, high, MPFR_RNDN)
      mpfr_add_d(work.p, work.p, low, MPFR_RNDN)
      mpfr_sub(work.p, work.p, p, MPFR_RNDN)
      return mpfr_get_d(work.p, MPFR_RNDA).magnitude
    }
  }

  private func show(_ what: String, _ worst: Double) {
    print("\(what): largest error 2^\((Double.log2(worst) * 100).rounded() / 100) of its bound")
  }

  /// Section 6: log s to the absolute error that the code takes for it, for sums near 1, of any size, beside powers of e and of 2.
  @Test func logarithm() {
    let (exact, work) = (Number(), Number())
    var random = RandomSource(seed: 17, row: 0)
    var worst = 0.0
    for i in 0..<400_000 {
      let high: Double
      switch i % 5 {
      case 0: high = 1 + Double.exp2(-52 * random.uniform())
      case 1: high = Double.exp2(60 * random.uniform())
      case 2: high = Double.exp(Double(random.next() % 600)) * (1 + 0x1p-50 * random.uniform())
      case 3: high = Double.exp2(Double(random.next() % 800)) * (1 - 0x1p-50 * random.uniform())
      default: high = 1 + 4000 * random.uniform()
      }
      let low = high.ulp * (random.uniform() - 0.5)
      guard let log = certifiedLogarithm(high, low) else {
        Issue.record("no logarithm of \(high)")
        continue
      }
      mpfr_set_d(exact.p, high, MPFR_RNDN)
      mpfr_add_d(exact.p, exact.p, low, MPFR_RNDN)
      mpfr_log(exact.p, exact.p, MPFR_RNDN)
      worst = max(worst, exact.distance(log.high, log.low, work) / CertifiedBounds.logarithm(log.high))
    }
    show("logarithm", worst)
    #expect(worst <= 1 && worst >= 0x1p-8)
  }

  /// Section 9, as `answer` states it.
  @Test func sigmoid() {
    let (exact, work) = (Number(), Number())
    let reference = Reference(.sigmoid, format: .f64)
    var truth = Truth()
    var random = RandomSource(seed: 19, row: 0)
    var worst = 0.0
    for round in 0..<400 {
      let x = (0..<500).map { i in
        let z = [40 * random.uniform(), 600 * random.uniform(), Double.exp2(-60 * random.uniform())][i % 3]
        return i % 2 == 0 ? z : -z
      }
      let tau = round % 2 == 0 ? 1.0 : 0.5 + random.uniform()
      x.withUnsafeBufferPointer {
        reference.answer($0, parameters: OperationParameters(temperature: tau), into: &truth)
      }
      for i in x.indices where truth.exponent[i] == 0 {
        mpfr_set_d(exact.p, -x[i], MPFR_RNDN)
        mpfr_div_d(exact.p, exact.p, tau, MPFR_RNDN)
        mpfr_exp(exact.p, exact.p, MPFR_RNDN)
        mpfr_add_ui(exact.p, exact.p, 1, MPFR_RNDN)
        mpfr_ui_div(exact.p, 1, exact.p, MPFR_RNDN)
        let bound =
          (CertifiedBounds.sigmoid + (x[i] / tau).magnitude * CertifiedBounds.sigmoidSlope) * truth.high[i]
        worst = max(worst, exact.distance(truth.high[i], truth.low[i], work) / bound)
      }
    }
    show("sigmoid", worst)
    #expect(worst <= 1 && worst >= 0x1p-8)
  }

  /// Section 10: weighted sums of values of one sign, long enough that the inner sums move outwards several times.
  @Test func weightedSum() {
    let (sum, total, term, work) = (Number(), Number(), Number(), Number())
    let reference = SumReference(format: .f64)
    var truth = Truth()
    var worst = 0.0
    for index in 0..<120 {
      var random = RandomSource(seed: 23, row: index)
      let n = [3, 8, 40, 64, 65, 130, 400][index % 7]
      let width = 8
      let logits = (0..<n).map { _ in [0.01, 1, 500][index % 3] * random.uniform() }
      // As large as their weights are small: far logits count, whose exponentials err most.
      let values = (0..<n * width).map { (1 + random.uniform()) * Double.exp(-logits[$0 / width]) }
      logits.withUnsafeBufferPointer { l in
        values.withUnsafeBufferPointer {
          reference.weightedSums(l, values: $0, parameters: .init(), into: &truth)
        }
      }
      for k in 0..<width {
        mpfr_set_zero(sum.p, 1)
        mpfr_set_zero(total.p, 1)
        for j in 0..<n {
          mpfr_set_d(term.p, logits[j], MPFR_RNDN)
          mpfr_exp(term.p, term.p, MPFR_RNDN)
          mpfr_add(total.p, total.p, term.p, MPFR_RNDN)
          mpfr_mul_d(term.p, term.p, values[j * width + k], MPFR_RNDN)
          mpfr_add(sum.p, sum.p, term.p, MPFR_RNDN)
        }
        mpfr_div(sum.p, sum.p, total.p, MPFR_RNDN)
        let bound = truth.relativeError * truth.high[k].magnitude
        worst = max(worst, sum.distance(truth.high[k], truth.low[k], work) / bound)
      }
    }
    show("weighted sum", worst)
    #expect(worst <= 1 && worst >= 0x1p-8)
  }
}
