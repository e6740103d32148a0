import NumKit
import TestSupport
import Testing

/// Every special option of attention against an independent computation, in every format, by both kinds of overflow.
@Suite struct AttentionOptionTests {
  @Test(arguments: [false, true], Overflow.allCases)
  func everyResultIsThatOfAnIndependentComputation(usesFastTiers: Bool, overflow: Overflow) throws {
    let (formats, problems) = try GoldenAttentionOptions.all()
    #expect(
      problems.count > 150 && formats.count == FormatRegistry.all.count { $0.dtype.numberFormat != nil })
    var (truth, lse, total) = (Truth(), Truth(), Certificate())
    for (number, p) in problems.enumerated() {
      let tensors = try #require(AttentionInputs(q: p.q, k: p.k, v: p.v, shape: p.shape))
      for (column, format) in formats.enumerated() {
        let isDouble = format == .f64
        let reference = try AttentionReference(
          tensors, p.parameters, format: format, lseFormat: isDouble ? .f64 : .f32, overflow: overflow,
          usesFastTiers: usesFastTiers)
        for row in 0..<p.shape.heads * p.shape.queries {
          reference.answer(
            head: row / p.shape.queries, query: row % p.shape.queries, into: &truth, logSumExp: &lse)
          total.merge(truth.certificate)
          total.merge(lse.certificate)
          for c in 0..<p.shape.valueSize {
            let golden = p.outputs[row * p.shape.valueSize + c]
            let expected = golden.expected(column, overflow)
            #expect(
              areSame(truth.rounded[c], expected),
              "problem \(number) \(p.flags), \(format.name), row \(row), \(c): \(truth.rounded[c]), not \(expected)"
            )
            #expect(
              isClose(truth, golden), "problem \(number) \(p.flags), row \(row), \(c): \(truth.high[c])")
          }
          let golden = p.logSumExps[row]
          let expected = golden.expected(isDouble ? 0 : 1, overflow)
          #expect(
            areSame(lse.rounded[0], expected),
            "problem \(number) \(p.flags), row \(row): lse \(lse.rounded[0]), not \(expected)")
          #expect(isClose(lse, golden), "problem \(number) \(p.flags), row \(row): lse \(lse.high[0])")
        }
      }
    }
    #expect(total.undecided == 0)
    #expect(total.exact > 1000 && total.mpfr > 100)
    #expect(usesFastTiers ? total.doubleDouble > 1000 : total.doubleDouble == 0)
  }
}
