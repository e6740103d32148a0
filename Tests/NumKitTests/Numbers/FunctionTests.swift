import CMPFR
import NumKit
import Testing

/// The functions of `Scalar`, each with MPFR's.
enum ElementaryFunction: String, CaseIterable, Sendable {
  case exp, exp2, log, log1p, sqrt, tanh

  func value<S: Scalar>(_ x: S) -> S {
    switch self {
    case .exp: S.exp(x)
    case .exp2: S.exp2(x)
    case .log: S.log(x)
    case .log1p: S.log1p(x)
    case .sqrt: S.sqrt(x)
    case .tanh: S.tanh(x)
    }
  }

  func exact(_ y: mpfr_ptr, _ x: mpfr_srcptr, _ direction: mpfr_rnd_t) -> Int32 {
    switch self {
    case .exp: mpfr_exp(y, x, direction)
    case .exp2: mpfr_exp2(y, x, direction)
    case .log: mpfr_log(y, x, direction)
    case .log1p: mpfr_log1p(y, x, direction)
    case .sqrt: mpfr_sqrt(y, x, direction)
    case .tanh: mpfr_tanh(y, x, direction)
    }
  }
}

@Suite struct FunctionTests {
  /// Going through the platform's Double functions is right for every input of every format of at most 19 bits.
  @Test(arguments: FormatRegistry.scalars(bits: 4...19), ElementaryFunction.allCases)
  func everyValueIsRoundedCorrectly(type: any Scalar.Type, function: ElementaryFunction) {
    func check<S: Scalar>(_: S.Type) -> Double? {
      let truth = ExactRounding(S.format, overflow: S.overflow)
      return S.everyValue.first { x in
        !same(function.value(x).exact, truth.unary(x.exact) { function.exact($0, $1, $2) })
      }?.exact
    }
    #expect(check(type) == nil)
  }
}
