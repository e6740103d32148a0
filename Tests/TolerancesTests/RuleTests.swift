import NumKit
import Testing

@testable import Tolerances

/// Rules of public test suites, as they are written there.
@Suite struct RuleTests {
  @Test func rulesAreParsed() throws {
    #expect(try ToleranceRule(parsing: "atol=1e-2,rtol=0.5").limit(.f32) == .close(atol: 0.01, rtol: 0.5))
    #expect(try ToleranceRule(parsing: "rtol=1e-3").limit(.f32) == .close(atol: 0, rtol: 0.001))
    #expect(try ToleranceRule(parsing: "ulp=16").limit(.bf16) == .ulp(16))
    #expect(try ToleranceRule(parsing: "torch").limit(.bf16) == .close(atol: 1e-5, rtol: 1.6e-2))
    #expect(try ToleranceRule(parsing: "torch").limit(.f64) == .close(atol: 1e-7, rtol: 1e-7))
    for rubbish in [
      "", "tourch", "atol=", "atol=-1", "atol=nan", "atol=1,atol=2", "ulp=1,atol=1", "=1", "atol=inf",
    ] {
      #expect(throws: UnknownRule.self, "\(rubbish)") { try ToleranceRule(parsing: rubbish) }
    }
  }

  /// What one result off by `error` from an expected `r` in f32 comes to, in a study and among what right kernels deserve.
  private func excess(_ r: Double, _ error: Double, _ limit: ToleranceRule.Limit) -> (Double, isRefused: Bool)
  {
    var truth = Truth()
    // The log-sum-exp of one number is that number.
    [r].withUnsafeBufferPointer {
      Reference(.logSumExp, format: .f64).answer($0, parameters: .init(), into: &truth)
    }
    var judgement = Judgement([limit], .f64)
    judgement.add(
      row: 0, [r + error],
      RowTruth(truth: truth, exact: [r], rounded: [r], bounds: [.nan], plain: [r]))
    judgement.finish()
    var tolerance = KernelTolerance([limit])
    [r + error].withUnsafeBufferPointer {
      tolerance.add($0, [r], [r], bounds: nil, random: nil, .f64)
    }
    return (judgement.verdicts[0].excess, tolerance.refused[0] == 1)
  }

  /// 10 ε of a result above 1e-5, 10 ε itself at 1e-5 and below; what is off by less than ε passes anywhere.
  @Test func benchdnnHasTwoLimits() throws {
    let e = 0x1p-23
    let limit = try ToleranceRule(parsing: "benchdnn").limit(.f32)
    // (expected, error, accepted)
    let cases: [(Double, Double, Bool)] = [
      // Relative where the expected is above 1e-5, though an absolute 10 ε would be more.
      (0.5, 4.9 * e, true), (0.5, 5.1 * e, false), (-0.5, 4.9 * e, true), (-0.5, 5.1 * e, false),
      (1.1e-5, 1.1 * e, false), (1e-5.nextUp, 9.9 * e, false),
      // Absolute where it is not.
      (1e-5, 9.9 * e, true), (1e-5, 10.1 * e, false), (0, 9.9 * e, true), (-1e-6, 10.1 * e, false),
      // Below ε, where a relative 10 ε is far less.
      (1.1e-5, 0.99 * e, true), (0.01, 0.99 * e, true), (0.01, 1.01 * e, false),
    ]
    for (r, error, isAccepted) in cases {
      let found = excess(r, error, limit)
      #expect((found.0 <= 1) == isAccepted && found.isRefused != isAccepted, "\(r) \(error): \(found)")
    }
    // Strictly below.
    #expect(excess(0.0625, e, limit).0 > 1)
  }

  /// Log-softmax may be five times as far off; formats shorter than f32 have nothing but ε.
  @Test func benchdnnDependsOnOperationAndFormat() throws {
    let rule = try ToleranceRule(parsing: "benchdnn")
    let e = 0x1p-23
    #expect(rule.limit(.f32) == .relative(above: 1e-5, rtol: 10 * e, atol: e))
    #expect(rule.limit(.f64) == .relative(above: 1e-5, rtol: 10 * 0x1p-52, atol: e))
    for format in [NumberFormat.f16, .bf16] {
      #expect(rule.limit(format) == .relative(above: 1e-5, rtol: 0, atol: e))
      #expect(rule.of(.logSoftmax).limit(format) == rule.limit(format))
    }
    #expect(rule.of(.logSoftmax).limit(.f32) == .relative(above: 1e-5, rtol: 50 * e, atol: e))
    #expect(rule.of(.softmax).limit(.f32) == rule.limit(.f32))
    #expect(rule.of(.logSoftmax).of(.logSoftmax).name == "benchdnn")
  }
}
