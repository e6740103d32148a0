import NumKit
import Testing

/// The rounded answers to one row.
func answers(
  _ operation: RowOperation, _ row: [Double], _ format: NumberFormat = .f64,
  _ parameters: OperationParameters = OperationParameters()
) -> [Double] {
  var truth = Truth()
  row.withUnsafeBufferPointer {
    Reference(operation, format: format).answer($0, parameters: parameters, into: &truth)
  }
  #expect(truth.certificate.undecided == 0)
  return truth.rounded
}

func same(_ a: [Double], _ b: [Double]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { (a, b) in a == b || (a.isNaN && b.isNaN) }
}

private let inf = Double.infinity
private let nan = Double.nan

@Suite struct SpecialRowTests {
  private func policy(
    _ s: SpecialValues, _ temperature: Double = 1, target: Int = 0, _ v: [Double] = []
  ) -> OperationParameters {
    OperationParameters(temperature: temperature, target: target, cotangent: v, specialValues: s)
  }

  @Test func maskedRows() {
    let row = [-inf, -inf]
    for s in SpecialValues.allCases { #expect(same(answers(.logSumExp, row, .f64, policy(s)), [-inf])) }
    let table: [(SpecialValues, [RowOperation: [Double]])] = [
      (
        .ieee,
        [
          .softmax: [nan, nan], .logSoftmax: [nan, nan], .crossEntropy: [nan],
          .crossEntropyGradient: [nan, nan],
          .softmaxJacobian: [nan, nan, nan, nan], .softmaxVJP: [nan, nan], .sigmoid: [0, 0],
        ]
      ),
      (
        .safe,
        [
          .softmax: [0, 0], .logSoftmax: [-inf, -inf], .crossEntropy: [inf], .crossEntropyGradient: [-1, 0],
          .softmaxJacobian: [0, 0, 0, 0], .softmaxVJP: [0, 0], .sigmoid: [0, 0],
        ]
      ),
      (
        .uniform,
        [
          .softmax: [0.5, 0.5], .logSoftmax: [-0.6931471805599453, -0.6931471805599453],
          .crossEntropy: [0.6931471805599453], .crossEntropyGradient: [-0.5, 0.5],
          .softmaxJacobian: [0.25, -0.25, -0.25, 0.25], .softmaxVJP: [-1, 1], .sigmoid: [0, 0],
        ]
      ),
    ]
    for (s, expected) in table {
      for (operation, values) in expected {
        let found = answers(operation, row, .f64, policy(s, 1, target: 0, [1, 5]))
        #expect(same(found, values), "\(s) \(operation): \(found)")
      }
    }
  }

  @Test func infinitePresent() {
    let row = [inf, 3, inf, -inf]
    for s in SpecialValues.allCases { #expect(same(answers(.logSumExp, row, .f64, policy(s)), [inf])) }
    #expect(same(answers(.softmax, row), [nan, nan, nan, nan]))
    for s in [SpecialValues.safe, .uniform] {
      #expect(same(answers(.softmax, row, .f64, policy(s)), [0.5, 0, 0.5, 0]))
      #expect(same(answers(.crossEntropy, row, .f64, policy(s, 1, target: 1)), [inf]))
    }
  }

  @Test func notANumber() {
    for s in SpecialValues.allCases {
      for operation in RowOperation.allCases where operation != .sigmoid {
        let found = answers(operation, [1, nan], .f64, policy(s, 1, target: 0, [1, 2]))
        #expect(found.allSatisfy { $0.isNaN }, "\(operation)")
      }
    }
    #expect(same(answers(.sigmoid, [0, nan, inf, -inf]), [0.5, nan, 1, 0]))
    #expect(
      answers(.softmaxVJP, [1, 2], .f64, policy(.ieee, 1, target: 0, [1, inf])).allSatisfy { $0.isNaN })
  }

  @Test func limitsOfTemperature() {
    let row = [2, 5, 5, -inf]
    #expect(same(answers(.softmax, row, .f64, policy(.ieee, 0)), [0, 0.5, 0.5, 0]))
    #expect(same(answers(.softmax, row, .f64, policy(.ieee, inf)), [1.0 / 3, 1.0 / 3, 1.0 / 3, 0]))
    #expect(same(answers(.logSumExp, row, .f64, policy(.ieee, 0)), [inf]))
    #expect(same(answers(.logSumExp, [-2, -5], .f64, policy(.ieee, 0)), [-inf]))
    #expect(same(answers(.logSumExp, [0, 0, -5], .f64, policy(.ieee, 0)), [0.6931471805599453]))
    #expect(same(answers(.logSumExp, row, .f64, policy(.ieee, inf)), [1.0986122886681098]))
    #expect(same(answers(.logSoftmax, [2, 5], .f64, policy(.ieee, 0)), [-inf, 0]))
    #expect(same(answers(.crossEntropy, [2, 5], .f64, policy(.ieee, 0, target: 0)), [inf]))
    #expect(same(answers(.sigmoid, [2, 0, -3, -inf], .f64, policy(.ieee, 0)), [1, 0.5, 0, 0]))
    #expect(same(answers(.sigmoid, [2, 0, -3, -inf], .f64, policy(.ieee, inf)), [0.5, 0.5, 0.5, 0]))
  }

  @Test func emptyAndSingle() {
    #expect(answers(.softmax, []).isEmpty)
    #expect(same(answers(.logSumExp, []), [-inf]))
    #expect(same(answers(.softmax, [-1e300]), [1]))
    #expect(same(answers(.logSoftmax, [7]), [0]))
    #expect(same(answers(.logSumExp, [0.1], .f16), [0.0999755859375]))
    #expect(same(answers(.logSumExp, [1e300], .f16), [inf]))
    #expect(same(answers(.logSumExp, [1e300], .f4e2m1), [6]))
    #expect(answers(.logSumExp, [1e300], .f8e4m3fn)[0].isNaN)
  }

  /// The truth is a hair beside a tie of the format, and which side decides the rounding.
  @Test func besideTies() {
    #expect(same(answers(.softmax, [0, 0, 0, 0, -1e300], .f4e2m1), [0, 0, 0, 0, 0]))
    #expect(same(answers(.softmax, [0, 0, 0, 0], .f4e2m1), [0, 0, 0, 0]))
    #expect(same(answers(.logSumExp, [5, -1e300], .f4e2m1), [6]))
    #expect(same(answers(.logSumExp, [5], .f4e2m1), [4]))
    #expect(same(answers(.logSumExp, [1 + 0x1p-11, -1e300], .f16), [1 + 0x1p-10]))
    #expect(same(answers(.logSumExp, [1 + 0x1p-11], .f16), [1]))
    // Above the largest finite number + half an ulp, by less than any Double.
    #expect(same(answers(.logSumExp, [65519.99999, -1e300], .f16), [65504]))
    #expect(same(answers(.logSumExp, [65520, -1e300], .f16), [inf]))
    // A quotient of Doubles is a tie only where Double is subnormal.
    let half = OperationParameters(temperature: 2)
    #expect(same(answers(.logSumExp, [0x1p-1074, -1e300], .f64, half), [0x1p-1074]))
    #expect(same(answers(.logSumExp, [0x1p-1074], .f64, half), [0]))
    #expect(same(answers(.logSumExp, [-0x1p-1074, -1e300], .f64, half), [0]))
    #expect(same(answers(.logSumExp, [-3 * 0x1p-1074, -1e300], .f64, half), [-0x1p-1074]))
    // A difference of two may be one anywhere: −2^53 − 1, and a hair below.
    #expect(same(answers(.logSoftmax, [1, -9007199254740992]), [0, -9007199254740994]))
  }

  /// A weight below MPFR's range moves a result off the tie that it is without it.
  @Test func logitsBeyondEveryExponentMoveTies() {
    let level = [0.0, 0, 0, 0]
    for far in [-1e9, -3e38] {
      let row = level + [far]
      // 3/16, and a hair below.
      #expect(answers(.softmaxJacobian, level, .f6e2m3)[0] == 0.25)
      #expect(answers(.softmaxJacobian, row, .f6e2m3)[0] == 0.125)
      #expect(answers(.softmaxJacobian, row, .e8m0)[0] == 0x1p-3)
      // −1/16 is a tie of f6e2m3 as well, −3/4 one of f4e2m1.
      #expect(answers(.softmaxJacobian, row, .f6e2m3)[1] == 0)
      #expect(answers(.crossEntropyGradient, row, .f4e2m1)[0] == -1)
      #expect(answers(.softmax, row, .f4e2m1)[0] == 0)
    }
    // One above all others: p(1 − p) is no less for it.
    #expect(answers(.softmaxJacobian, [0, -1e9], .f32)[0] == 0)
    #expect(answers(.softmaxJacobian, [0, -1e9], .e8m0)[0] == 0x1p-127)
  }

  /// Spreads beyond what exp can reach, in both directions.
  @Test func hugeSpreads() {
    let big = Double.greatestFiniteMagnitude
    #expect(same(answers(.softmax, [big, -big]), [1, 0]))
    #expect(same(answers(.logSoftmax, [big, -big]), [0, -inf]))
    #expect(same(answers(.logSoftmax, [big / 2, -big / 4]), [0, -0.75 * big]))
    #expect(same(answers(.logSumExp, [big, big]), [big]))
    #expect(same(answers(.crossEntropy, [big, -big], .f64, policy(.ieee, 1, target: 1)), [inf]))
    #expect(same(answers(.sigmoid, [big, -big]), [1, 0]))
    #expect(same(answers(.logSumExp, [0x1p-1074, 0], .f64, policy(.ieee, 0x1p-1074)), [1.3132616875182228]))
  }

  /// A small result keeps all digits by its exponent.
  @Test func tinyResultsHaveAnExponent() {
    var truth = Truth()
    let row = [0, -2000, -1e300]
    row.withUnsafeBufferPointer {
      Reference(.softmax, format: .f64).answer($0, parameters: OperationParameters(), into: &truth)
    }
    #expect(truth.rounded == [1, 0, 0])
    // From mpmath.
    #expect(relativeDistance(truth, 1, "2.57653587296114965219015049950735291272213057e-869") < 1e-30)
    #expect(truth.high[2] == 1 && truth.exponent[2] == -(1 << 29))
  }
}
