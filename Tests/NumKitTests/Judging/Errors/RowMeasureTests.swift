import CMPFR
import CJudging
import NumKit
import RealModule
import TestSupport
import Testing

/// The vector loops of error measurement against the definitions, one result at a time.
@Suite struct RowMeasureTests {
  @Test(
    arguments: [NumberFormat.f16, .bf16, .f32, .f64, .f8e4m3fn], [1, 2, 3, 4, 7, 64, 1023, 1024, 1030, 2100])
  func statisticsAreWhatTheDefinitionsSay(format: NumberFormat, n: Int) {
    var random = RandomBits(seed: UInt64(n))
    // Rows with ordinary errors, with truths too small for Double, with one special value, with errors of many ulps.
    for kind in 0..<4 {
      let logits = (0..<n).map { _ in Double.random(in: -(kind == 1 ? 1500 : 9)..<0, using: &random) }
      var truth = Truth()
      let reference = Reference(.softmax, format: format)
      logits.withUnsafeBufferPointer { reference.answer($0, parameters: .init(), into: &truth) }
      var y = truth.rounded.map {
        Int.random(in: 0..<9, using: &random) == 0
          ? 0 : $0 + Double(Int.random(in: -2...2, using: &random)) * format.ulp(of: $0)
      }
      if kind == 2 { y[n / 2] = .infinity }
      if kind == 3 { y[n / 2] = 1e5 }
      let bounds = y.map { _ in Double.random(in: 0..<3 * format.ulp(of: 0.01), using: &random) }
      var s = ErrorStatistics()
      y.withUnsafeBufferPointer { y in
        bounds.withUnsafeBufferPointer {
          s.add(row: 0, computed: y, truth: truth, unit: .ulp(format), bounds: $0)
        }
      }
      let flat = FlatTruth(truth)
      let finite = y.indices.filter { y[$0].isFinite }
      let errors = finite.map {
        ((y[$0] - flat.value[$0]) - flat.remainder[$0]).magnitude
      }
      let ulps = zip(finite, errors).map { i, error in
        let (e, size) = (Int(truth.exponent[i]), format.ulp(of: flat.value[i]))
        if e == 0 { return error / size }
        // Where a Double holds too few bits of the exact result, all is counted in ulps first.
        func inUlps(_ x: Double, _ e: Int) -> Double {
          Double(sign: .plus, exponent: e - Int(size.exponent), significand: x)
        }
        return ((inUlps(y[i], 0) - inUlps(truth.high[i], e)) - inUlps(truth.low[i], e)).magnitude
      }
      #expect(s.finiteCount == finite.count && s.count == n && s.overflow == n - finite.count)
      #expect(close(s.maxUlp, ulps.max() ?? 0))
      #expect(close(s.meanUlp, ulps.reduce(0, +) / Double(max(ulps.count, 1))))
      #expect(close(s.rmsUlp, (ulps.map { $0 * $0 }.reduce(0, +) / Double(max(ulps.count, 1))).squareRoot()))
      #expect(s.maxAbsolute == errors.max() ?? 0)
      #expect(s.underflow == y.indices.count { y[$0] == 0 && truth.rounded[$0] != 0 })
      // Above the bound is what exceeds it by more than the truth is known to, and is not the truth rounded.
      let above = zip(finite, errors).filter {
        $1 > bounds[$0] + truth.relativeError * flat.value[$0].magnitude && y[$0] != truth.rounded[$0]
      }
      #expect(s.aboveBound == above.count)
      #expect(s.boundWitness?.index == above.first?.0)
      #expect(s.maxBoundUlp == y.indices.map { bounds[$0] / format.ulp(of: flat.value[$0]) }.max() ?? 0)
      #expect(
        s.maxRelative == zip(finite, errors).map {
          flat.value[$0] != 0 ? $1 / flat.value[$0] : y[$0] == 0 ? 1 : .infinity
        }.max() ?? 0)
      // Those that carry a share of the row.
      let mass = flat.value.reduce(0) { $0 + $1.magnitude }
      let carried = zip(finite, errors).filter { flat.value[$0.0] >= ErrorStatistics.leastShare * mass }
      #expect(s.maxShare == carried.map { $1 / flat.value[$0] }.max() ?? 0)
      if kind != 2 {
        #expect(s.witness?.index == ulps.max().flatMap { ulps.firstIndex(of: $0) }.map { finite[$0] })
      }
    }
  }

  /// What is measured is the same to the bit whatever the width of a processor's vectors.
  @Test(arguments: [1, 3, 4, 8, 13, 500, 1024], [false, true]) func widthsAgree(_ n: Int, _ isSteps: Bool) {
    var random = RandomBits(seed: UInt64(n))
    func numbers(_ range: ClosedRange<Double>) -> [Double] {
      (0..<n).map { _ in Double.random(in: range, using: &random) }
    }
    let exact = numbers(1e-4...1)
    let (low, bounds) = (exact.map { $0 * 0x1p-60 }, numbers(0...1e-6))
    let rounded = exact.map { Double(Float($0)) }
    let y = zip(rounded, numbers(-1e-6...1e-6)).map { Double(Float($0 * (1 + $1))) }
    let unit = nc_unit(step: isSteps ? 1e-7 : 0, fraction_bits: 23, min_exponent: -126)
    var (ulps, others) = (y, y)
    let a = nc_measure_row(y, rounded, exact, low, nil, bounds, 1e-15, n, unit, &ulps)
    let b = nc_measure_row_narrow(y, rounded, exact, low, nil, bounds, 1e-15, n, unit, &others)
    #expect(a.regular == 1 && b.regular == 1 && ulps == others)
    #expect(a.underflow == b.underflow && a.above == b.above && a.ulp == b.ulp && a.bound_ulp == b.bound_ulp)
    #expect(a.absolute == b.absolute && a.relative == b.relative && a.scale == b.scale)
    for (p, q) in [(a.sum.part, b.sum.part), (a.squares.part, b.squares.part)] {
      #expect(p.0 == q.0 && p.1 == q.1 && p.2 == q.2)
    }
  }

  /// Errors from 2^−30 to 2^30 ulps: their sum in Double would depend on the order.
  @Test func sumsDoNotDependOnTheOrder() {
    var random = RandomBits(seed: 11)
    let logits = (0..<1000).map { _ in Double.random(in: -5..<0, using: &random) }
    var truth = Truth()
    logits.withUnsafeBufferPointer {
      Reference(.softmax, format: .f32).answer($0, parameters: .init(), into: &truth)
    }
    var backwards = Truth()
    Array(logits.reversed()).withUnsafeBufferPointer {
      Reference(.softmax, format: .f32).answer($0, parameters: .init(), into: &backwards)
    }
    for limit in [12.0, 30] {
      let y = truth.rounded.map {
        $0 + Double.exp2(Double.random(in: -30..<limit, using: &random)) * NumberFormat.f32.ulp(of: $0)
      }
      var a = ErrorStatistics()
      var b = ErrorStatistics()
      y.withUnsafeBufferPointer { a.add(row: 0, computed: $0, truth: truth, unit: .ulp(.f32), bounds: nil) }
      Array(y.reversed()).withUnsafeBufferPointer {
        b.add(row: 0, computed: $0, truth: backwards, unit: .ulp(.f32), bounds: nil)
      }
      #expect(a.meanUlp == b.meanUlp && a.rmsUlp == b.rmsUlp)
    }
  }

  private func close(_ a: Double, _ b: Double) -> Bool {
    (a - b).magnitude <= 1e-12 * b.magnitude || a.isNaN && b.isNaN
  }

  @Test func expMinusOneIsBoundedFromAbove() {
    var random = RandomBits(seed: 2)
    var x = (0..<200_000).map { _ in Double.exp2(Double.random(in: -60..<9.4, using: &random)) }
    // Beside the reduction's breakpoints.
    for k in 1..<1000 {
      let edge = (Double(k) - 0.5) * 0.6931471805599453
      x += [edge - 1e-13, edge, edge + 1e-13]
    }
    x += [0, .leastNonzeroMagnitude, 1e-300, 0x1p-52, 700, 0.34657359027997264]
    var y = x
    nc_expm1_above(&y, y.count)
    let exact = UnsafeMutablePointer<mpfr_t>.allocate(capacity: 1)
    mpfr_init2(exact, 100)
    defer {
      mpfr_clear(exact)
      exact.deallocate()
    }
    var worst = 0.0
    for i in x.indices where x[i] <= 700 {
      mpfr_set_d(exact, x[i], MPFR_RNDN)
      mpfr_expm1(exact, exact, MPFR_RNDN)
      #expect(mpfr_cmp_d(exact, y[i]) <= 0)
      mpfr_d_sub(exact, y[i], exact, MPFR_RNDN)
      mpfr_div_d(exact, exact, y[i], MPFR_RNDN)
      if x[i] > 1e-290 { worst = max(worst, mpfr_get_d(exact, MPFR_RNDN)) }
    }
    #expect(worst < 0x1p-46)
    var special = [Double.infinity, 701, .nan]
    nc_expm1_above(&special, 3)
    #expect(special[0] == .infinity && special[1] == .infinity && special[2].isNaN)
  }
}
