import CMPFR
import NumKit
import Testing

/// What the platform's functions are measured against, itself against MPFR: relative 2^−75.
@Suite struct CertifiedFunctionTests {
  private typealias Exact = (UnsafeMutablePointer<__mpfr_struct>) -> Void

  @Test func valuesAreWithinTheirError() throws {
    let p = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 2)
    defer { p.deallocate() }
    let (exact, difference) = (p, p + 1)
    mpfr_init2(exact, 240)
    mpfr_init2(difference, 240)
    var worst: [String: Double] = [:]
    func compare(_ name: String, _ x: Double, _ value: CertifiedFunctions.Value?, _ f: Exact) throws {
      let value = try #require(value, "\(name) of \(x)")
      mpfr_set_d(exact, x, MPFR_RNDN)
      f(exact)
      mpfr_set_d(difference, value.high, MPFR_RNDN)
      mpfr_add_d(difference, difference, value.low, MPFR_RNDN)
      mpfr_mul_2si(difference, difference, value.exponent, MPFR_RNDN)
      mpfr_sub(difference, difference, exact, MPFR_RNDN)
      guard mpfr_zero_p(exact) == 0 else { return #expect(value.high == 0) }
      mpfr_div(difference, difference, exact, MPFR_RNDN)
      worst[name] = max(worst[name] ?? 0, abs(mpfr_get_d(difference, MPFR_RNDA)))
    }
    var random = RandomSource(seed: 41, row: 0)
    for i in 0..<20_000 {
      let sign = i % 2 == 0 ? 1.0 : -1
      let small = sign * (1 + random.uniform()) * Double.exp2(-60 * random.uniform())
      let wide = 2 * random.uniform() - 1
      let any = (1 + random.uniform()) * .powerOfTwo(Int(random.next() % 2040) - 1020)
      let e = i % 3 == 0 ? small : 1000 * wide
      try compare("exp", e, CertifiedFunctions.exp(e)) { mpfr_exp($0, $0, MPFR_RNDN) }
      try compare("exp2", e, CertifiedFunctions.exp2(e)) { mpfr_exp2($0, $0, MPFR_RNDN) }
      let l = i % 3 == 0 ? 1 + 0.49 * small : i % 3 == 1 ? any : 2 * random.uniform()
      try compare("log", l, CertifiedFunctions.log(l)) { mpfr_log($0, $0, MPFR_RNDN) }
      let p = i % 3 == 0 ? 0.24 * small : i % 3 == 1 ? any : 2 * random.uniform()
      try compare("log1p", p, CertifiedFunctions.log1p(p)) { mpfr_log1p($0, $0, MPFR_RNDN) }
      let t = i % 3 == 0 ? small : i % 3 == 1 ? 0.002 * wide : 60 * wide
      try compare("tanh", t, CertifiedFunctions.tanh(t)) { mpfr_tanh($0, $0, MPFR_RNDN) }
    }
    for (name, error) in worst { #expect(error < 0x1p-75 && error > 0x1p-110, "\(name): \(error)") }
    #expect(worst.count == 5)
  }

  /// What the proofs by Gappa assume of the table: 2^(j/1024) as pairs, |T − (T_h + T_l)| ≤ 1025·2^−117, |T_l| ≤ 2^−53.
  @Test func tableIsWhatTheProofsAssume() {
    let p = UnsafeMutablePointer<__mpfr_struct>.allocate(capacity: 1)
    defer { p.deallocate() }
    mpfr_init2(p, 300)
    for j in 0..<1024 {
      let (high, low) = certifiedTablePair(j)
      #expect((1..<2).contains(high) && abs(low) <= 0x1p-53)
      mpfr_set_d(p, Double(j) / 1024, MPFR_RNDN)
      mpfr_exp2(p, p, MPFR_RNDN)
      mpfr_sub_d(p, p, high, MPFR_RNDN)
      mpfr_sub_d(p, p, low, MPFR_RNDN)
      #expect(abs(mpfr_get_d(p, MPFR_RNDA)) <= 1025 * 0x1p-117)
    }
  }
}
