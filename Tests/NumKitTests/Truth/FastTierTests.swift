import CMPFR
import CProof
import NumKit
import RealModule
import Testing

/// Attacks on the bounds of Documentation/CertifiedReference.md: MPFR against each tier at random and structured arguments.
@Suite struct FastTierTests {
  /// One MPFR exponential after another, without allocation.
  private final class Exact {
    private let numbers = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2)
    init() { for k in 0..<2 { mpfr_init2(numbers + k, 160) } }
    deinit {
      for k in 0..<2 { mpfr_clear(numbers + k) }
      numbers.deallocate()
    }

    /// (high + low)·2^k / e^(dh + dl) − 1.
    func relativeError(_ high: Double, _ low: Double, _ k: Int, of dh: Double, _ dl: Double) -> Double {
      mpfr_set_d(numbers, dh, MPFR_RNDN)
      mpfr_add_d(numbers, numbers, dl, MPFR_RNDN)
      mpfr_exp(numbers, numbers, MPFR_RNDN)
      mpfr_set_d(numbers + 1, high, MPFR_RNDN)
      mpfr_add_d(numbers + 1, numbers + 1, low, MPFR_RNDN)
      mpfr_mul_2si(numbers + 1, numbers + 1, k, MPFR_RNDN)
      mpfr_div(numbers + 1, numbers + 1, numbers, MPFR_RNDN)
      mpfr_sub_ui(numbers + 1, numbers + 1, 1, MPFR_RNDN)
      return mpfr_get_d(numbers + 1, MPFR_RNDN).magnitude
    }
  }

  /// Exponents of every kind: uniform, small, near the breakpoints of a reduction by ln 2 / `parts`, near 0, float logits.
  private static func exponent(_ i: Int, _ random: inout RandomSource, parts: Double, reach: Double) -> Double
  {
    switch i % 6 {
    case 0: return -reach * random.uniform()
    case 1: return -40 * random.uniform()
    case 2:
      // Between two values of k, give or take some ulps.
      let k = (Double(random.next() % UInt64(reach * 1.44 * parts)) + 0.5)
      let d = -k * 0.6931471805599453 / parts
      return Double(bitPattern: d.bitPattern &+ UInt64(random.next() % 9) &- 4)
    case 3: return -Double(sign: .plus, exponent: -Int(random.next() % 60), significand: 1 + random.uniform())
    case 4: return Double(Float(10 * random.normal()) - Float(40))
    default: return -(Double(random.next() % UInt64(reach * 1.44 * parts))) * 0.6931471805599453 / parts
    }
  }

  private static func forChunks(_ count: Int, _ body: @escaping @Sendable (Range<Int>) -> Double) async
    -> Double
  {
    await withTaskGroup(of: Double.self) { group in
      let chunk = 50_000
      for start in stride(from: 0, to: count, by: chunk) {
        group.addTask { body(start..<min(start + chunk, count)) }
      }
      var worst = 0.0
      for await error in group { worst = max(worst, error) }
      return worst
    }
  }

  /// Section 3: 2^−52 relative.
  @Test func tier0Exponential() async {
    let bound = CertifiedBounds.exponential0
    let worst = await Self.forChunks(6_000_000) { range in
      let exact = Exact()
      var random = RandomSource(seed: 41, row: range.lowerBound)
      var worst = 0.0
      for i in range {
        let d = Self.exponent(i, &random, parts: 1, reach: 700)
        if d < -700 { continue }
        worst = max(worst, exact.relativeError(nc_exp0(d), 0, 0, of: d, 0))
      }
      return worst
    }
    print("tier 0 exp: largest error 2^\(log2(worst)), bound 2^\(log2(bound))")
    #expect(worst <= bound && worst >= bound * 0x1p-8)
  }

  /// Section 6: 2^−100 + |d|·2^−103 relative.
  @Test func tier2Exponential() async {
    let worst = await Self.forChunks(6_000_000) { range in
      let exact = Exact()
      var random = RandomSource(seed: 43, row: range.lowerBound)
      var worst = 0.0
      for i in range {
        let dh = Self.exponent(i, &random, parts: 1024, reach: 800)
        // Half of them with a low word, as differences of Doubles have.
        let dl = i % 2 == 0 ? 0 : dh.ulp * (random.uniform() - 0.5)
        let (e, k) = certifiedExponentialPair(dh, dl)
        let error = exact.relativeError(e.high, e.low, k, of: dh, dl)
        worst = max(worst, error / CertifiedBounds.exponential2(of: dh))
      }
      return worst
    }
    print("tier 2 exp: largest error 2^\(log2(worst)) of its bound")
    #expect(worst <= 1 && worst >= 0x1p-8)
  }

  /// Section 6a: 2^−74 relative, beside |d|·2^−103 of the difference itself.
  @Test func tier1Exponential() async {
    let worst = await Self.forChunks(6_000_000) { range in
      let exact = Exact()
      var random = RandomSource(seed: 47, row: range.lowerBound)
      var worst = 0.0
      for i in range {
        let dh = Self.exponent(i, &random, parts: 1024, reach: 1900)
        let dl = i % 2 == 0 ? 0 : dh.ulp * (random.uniform() - 0.5)
        let (e, k) = lowWordExponential(dh, dl)
        worst = max(worst, exact.relativeError(e.high, e.low, k, of: dh, dl) / CertifiedBounds.exponential1)
      }
      return worst
    }
    print(
      "tier 1 exp: largest error 2^\(log2(worst * CertifiedBounds.exponential1)), bound 2^\(log2(CertifiedBounds.exponential1))"
    )
    #expect(worst <= 1 && worst >= 0x1p-8)
  }

  private func log2(_ x: Double) -> Double { (.log2(x) * 100).rounded() / 100 }

  /// Whole rows: every tier's results against MPFR's, bit for bit, and its values within their stated relative error.
  @Test(arguments: [
    NumberFormat.f64, .f32, .f16, .bf16, .tf32, .f8e4m3fn, .f8e5m2, .f8e4m3fnuz, .f6e3m2, .f4e2m1, .e8m0,
  ])
  func rowsAgreeWithMPFR(_ format: NumberFormat) {
    var counts = Certificate()
    for operation in [
      RowOperation.softmax, .logSoftmax, .logSumExp, .sigmoid, .crossEntropy, .crossEntropyGradient,
    ] {
      let fast = Reference(operation, format: format)
      let slow = Reference(operation, format: format, usesFastTiers: false)
      var a = Truth()
      var b = Truth()
      for index in 0..<120 {
        var random = RandomSource(seed: 77, row: index)
        let length = [1, 2, 3, 7, 8, 9, 31, 32, 33, 65, 130][index % 11]
        let scale = [1, 10, 0.01, 300, 2000, 1e-9][index % 6]
        var x = (0..<length).map { _ in scale * random.normal() }
        if index % 5 == 1 { x = x.map { Double(Float($0)) } }
        if index % 7 == 2 { x[length / 2] = -.infinity }
        if index % 9 == 3 { x[0] = 4 * scale }
        let parameters = OperationParameters(
          temperature: [1, 1, 0.7, 3][index % 4], target: length - 1)
        x.withUnsafeBufferPointer {
          fast.answer($0, parameters: parameters, into: &a)
          slow.answer($0, parameters: parameters, into: &b)
        }
        counts.merge(a.certificate)
        #expect(a.certificate.total == operation.resultCount(length: length), "\(operation), row \(index)")
        for i in a.rounded.indices {
          let same = a.rounded[i] == b.rounded[i] && a.rounded[i].sign == b.rounded[i].sign
          #expect(
            same || a.rounded[i].isNaN && b.rounded[i].isNaN,
            "\(operation) \(format.name), row \(index), result \(i): \(a.rounded[i]), MPFR \(b.rounded[i])")
          guard b.high[i].isFinite, b.high[i] != 0 else { continue }
          let shift = Int(a.exponent[i]) - Int(b.exponent[i])
          let h = Double(sign: .plus, exponent: shift, significand: a.high[i])
          let l = Double(sign: .plus, exponent: shift, significand: a.low[i])
          let error = ((h - b.high[i]) + (l - b.low[i])).magnitude / b.high[i].magnitude
          #expect(
            error <= a.relativeError + b.relativeError + 0x1p-104,
            "\(operation) \(format.name), row \(index), result \(i): off by \(error)")
        }
      }
    }
    // The fast tiers must be what answers.
    #expect(counts.mpfr * 50 < counts.total, "\(counts)")
    #expect(counts.undecided == 0)
  }

  /// Where f64 turns subnormal, binade by binade: the spacing changes from the result's own to 2^−1074.
  @Test func theEdgeOfTheSubnormals() {
    let fast = Reference(.softmax, format: .f64)
    let slow = Reference(.softmax, format: .f64, usesFastTiers: false)
    var a = Truth()
    var b = Truth()
    var random = RandomSource(seed: 5, row: 0)
    var proven = 0
    for i in 0..<3000 {
      // 2^−1019 is e^−706.3, 2^−1075 is e^−745.1.
      let d = i % 2 == 0 ? -706.3 - 4 * random.uniform() : -706.3 - 40 * random.uniform()
      [0, d].withUnsafeBufferPointer {
        fast.answer($0, parameters: .init(), into: &a)
        slow.answer($0, parameters: .init(), into: &b)
      }
      #expect(a.rounded == b.rounded, "d = \(d)")
      proven += a.certificate.doubleDouble
    }
    #expect(proven > 5900)
  }

  /// Logits chosen so that results lie next to a tie of the format: the test must send them on, not guess.
  @Test func nearTiesAreSentOn() {
    let format = NumberFormat.f16
    let reference = Reference(.softmax, format: format)
    var truth = Truth()
    var sentOn = 0
    for code in stride(from: UInt64(0x1400), to: 0x3800, by: 37) {
      let tie = (format.decode(code) + format.decode(code + 1)) / 2
      // p = 1/(1 + e^−x): x = −log(1/p − 1), some ulps to either side.
      let x = -(Double.log(1 / tie - 1))
      for step in -2...2 {
        let logit = Double(bitPattern: x.bitPattern &+ UInt64(bitPattern: Int64(step)))
        [logit, 0].withUnsafeBufferPointer { reference.answer($0, parameters: .init(), into: &truth) }
        sentOn += truth.certificate.doubleDouble + truth.certificate.mpfr
        let slow = Reference(.softmax, format: format, usesFastTiers: false)
        var exact = Truth()
        [logit, 0].withUnsafeBufferPointer { slow.answer($0, parameters: .init(), into: &exact) }
        #expect(truth.rounded == exact.rounded, "tie \(tie), step \(step)")
      }
    }
    #expect(sentOn > 500)
  }
}
