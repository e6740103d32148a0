import NumKit
import Testing

/// NaN, infinities and zeros of every type that can be computed in.
@Suite struct SpecialNumberTests {
  static let types = FormatRegistry.scalars

  @Test(arguments: types)
  func nanIsPassedOnOrIsMinusZero(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      let one = S.one
      for source in [Double.nan, -.nan, .signalingNaN, Double(bitPattern: .max)] {
        let nan = S(rounding: source)
        #expect(nan.isNaN == S.format.hasNaN)
        guard S.format.hasNaN else {
          #expect(same(nan.exact, -0.0))
          continue
        }
        #expect(
          (nan + one).isNaN && (one - nan).isNaN && (nan * one).isNaN && (one / nan).isNaN && (-nan).isNaN)
        #expect(S.fusedMultiplyAdd(one, one, nan).isNaN && S.exp(nan).isNaN && S.tanh(nan).isNaN)
        #expect(!(nan == nan) && nan != nan && !(nan < one) && !(nan > one) && !(nan <= nan) && !(nan >= nan))
        #expect(S.larger(nan, one).isNaN && S.larger(one, nan).isNaN && S.larger(nan, nan).isNaN)
      }
      // 0/0 has no sign that one could rely on: where there is no NaN it is −0 on every processor.
      let indeterminate = S.zero / S.zero
      #expect(S.format.hasNaN ? indeterminate.isNaN : same(indeterminate.exact, -0.0))
      let root = S.sqrt(-one)
      #expect(S.format.hasNaN ? root.isNaN : same(root.exact, -0.0))
    }
    check(type)
  }

  @Test(arguments: types)
  func infinityIsWhatOverflowSays(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      let largest = S.format.largestFinite
      let saturates = S.overflow == .saturate
      let expected = saturates ? largest : S.format.hasInfinity ? .infinity : S.format.hasNaN ? .nan : largest
      for sign in [1.0, -1] {
        let infinity = S(rounding: sign * .infinity)
        #expect(same(infinity.exact, sign * expected))
        #expect(same((S(rounding: sign) / S.zero).exact, sign * expected))
        #expect(same((S(rounding: largest) * S(rounding: sign * 2)).exact, sign * expected))
      }
      #expect(same(S.log(S.zero).exact, -expected))
      #expect(S.lowest.exact == (S.format.hasInfinity && !saturates ? -.infinity : -largest))
      #expect(S.lowest <= S(rounding: -largest) && S.lowest < S.zero)
      #expect(same((-S.lowest).exact, -S.lowest.exact))
    }
    check(type)
  }

  @Test(arguments: types)
  func zeroKeepsItsSignWhereThereAreTwo(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      let minus = S.format.nanEncoding == .negativeZero ? 0.0 : -0.0
      let tiny = S(rounding: -S.format.smallestPositive)
      #expect(same(S.zero.exact, 0) && same((-S.zero).exact, minus) && same(S(rounding: -0.0).exact, minus))
      #expect(same((tiny * S(rounding: 0.25)).exact, minus))
      #expect(same((S.zero * -S.one).exact, minus))
      #expect(same((S.one - S.one).exact, 0) && same((tiny - tiny).exact, 0))
      #expect(same(S.tanh(-S.zero).exact, minus) && same(S.log1p(-S.zero).exact, minus))
      #expect(-S.zero == S.zero)
    }
    check(type)
  }

  @Test(arguments: types)
  func largerPassesNaNOn(type: any Scalar.Type) {
    func check<S: Scalar>(_: S.Type) {
      #expect(S.larger(S.one, S.zero) == S.one && S.larger(S.zero, S.one) == S.one)
      #expect(S.larger(S.lowest, -S.one) == -S.one)
      #expect(same(S.larger(S.zero, -S.zero).exact, 0))
      #expect(same(S.larger(-S.zero, S.zero).exact, (-S.zero).exact))
    }
    check(type)
  }

  /// Compiles only while `Scalar` leaves the names that the standard library gives its own types alone.
  @Test func importersKeepTheirOwnNames() {
    #expect(Double.zero + Double.maximum(.nan, 1) == 1)
    #expect(Float.zero + Float.maximum(1, .nan) == 1)
    #expect(Float16.zero + Float16.maximum(2, 1) == 2 && !Float16.zero.isNaN)
  }

  /// The policy of a record that no dtype has: unsigned, with a zero (as the scales of NVFP4 would be).
  @Test func unsignedFormatsHaveNoNegativeNumbers() {
    let format = NumberFormat(
      name: "ue4m3", exponentBits: 4, significandBits: 3, hasInfinity: false, nanEncoding: .allOnes,
      hasSign: false)
    #expect(format.bitWidth == 7 && format.largestFinite == 448)
    for x in [-1e-300, -1, -448, -Double.infinity] {
      #expect(format.round(x).isNaN && format.round(x, overflow: .saturate).isNaN && format.encode(x) == 0x7f)
    }
    #expect(same(format.round(-0.0), 0) && format.encode(-0.0) == 0 && format.encode(1.0625) == 0x38)
    for code in format.codes where code != 0x7f { #expect(format.encode(format.decode(code)) == code) }
  }
}
