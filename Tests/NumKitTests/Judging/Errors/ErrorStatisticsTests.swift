import NumKit
import Testing

/// Truths for the tests: from the reference, for rows whose answers are known by hand.
private func truth(_ row: [Double], _ format: NumberFormat) -> Truth {
  var truth = Truth()
  let reference = Reference(.softmax, format: format)
  row.withUnsafeBufferPointer { reference.answer($0, parameters: .init(), into: &truth) }
  return truth
}

private func measure(
  _ computed: [Double], _ truth: Truth, _ format: NumberFormat, bounds: [Double]? = nil, row: Int = 0
) -> ErrorStatistics {
  var s = ErrorStatistics()
  computed.withUnsafeBufferPointer { y in
    if let bounds {
      bounds.withUnsafeBufferPointer {
        s.add(row: row, computed: y, truth: truth, unit: .ulp(format), bounds: $0)
      }
    } else {
      s.add(row: row, computed: y, truth: truth, unit: .ulp(format), bounds: nil)
    }
  }
  return s
}

@Suite struct ErrorStatisticsTests {
  @Test func ulpsOfAKnownRow() {
    // softmax(0, 0, 0, 0) = 1/4 exactly; the spacing of f16 there is 2^-12.
    let t = truth([0, 0, 0, 0], .f16)
    let s = measure([0.25, 0.25 + 0x1p-12, 0.25 - 0x1p-13, 0.25], t, .f16)
    #expect(s.maxUlp == 1)
    #expect(s.meanUlp == 0.375)
    #expect(s.maxAbsolute == 0x1p-12)
    #expect(s.maxRelative == 0x1p-10)
    #expect(s.witness?.index == 1)
    #expect(s.rmsUlp == (1.25 / 4).squareRoot())
  }

  @Test func specialValuesAreCountedApart() {
    let t = truth([0, 0, 0, 0], .f16)
    let s = measure([.nan, .infinity, 0, 0.25], t, .f16)
    #expect(s.nanRows == 1)
    #expect(s.overflow == 1)
    #expect(s.underflow == 1)
    #expect(s.finiteCount == 2)
    #expect(s.witness?.ulp.isNaN == true)
    #expect(s.witness?.index == 0)
  }

  @Test func aTruthOfNaNWantsNaN() {
    let t = truth([.nan, 1], .f32)
    #expect(measure([.nan, .nan], t, .f32).specialMismatches == 0)
    #expect(measure([.nan, .nan], t, .f32).nanRows == 0)
    #expect(measure([0.5, .nan], t, .f32).specialMismatches == 1)
  }

  @Test func resultsAboveTheirBoundAreSeen() {
    let t = truth([0, 0], .f32)
    let s = measure([0.5, 0.5 + 0x1p-24], t, .f32, bounds: [0x1p-25, 0x1p-25])
    #expect(s.aboveBound == 1)
    #expect(s.boundWitness?.index == 1)
  }

  @Test func tinyTruthsKeepTheirRelativeError() {
    // e^-2000 is far below Double's range: zero is the right answer in any format, and its relative error is 1.
    let t = truth([0, -2000], .f64)
    let s = measure([1, 0], t, .f64)
    #expect(s.maxRelative == 1)
    #expect(s.maxUlp < 1e-9)
    #expect(s.underflow == 0)
  }

  @Test func mergingIsTheSameInAnyOrder() {
    var random = RandomSource(seed: 3, row: 0)
    var whole = ErrorStatistics()
    var parts = [ErrorStatistics](repeating: ErrorStatistics(), count: 5)
    for row in 0..<60 {
      let x = (0..<9).map { _ in 4 * random.normal() }
      let t = truth(x, .bf16)
      let y = t.rounded.map { $0 * (1 + 0.1 * random.normal()) }
      y.withUnsafeBufferPointer {
        whole.add(row: row, computed: $0, truth: t, unit: .ulp(.bf16), bounds: nil)
        parts[row % 5].add(row: row, computed: $0, truth: t, unit: .ulp(.bf16), bounds: nil)
      }
    }
    var merged = ErrorStatistics()
    for part in parts.reversed() { merged.merge(part) }
    #expect(merged.maxUlp == whole.maxUlp)
    #expect(merged.meanUlp == whole.meanUlp)
    #expect(merged.rmsUlp == whole.rmsUlp)
    #expect(merged.quantileUlp(0.99) == whole.quantileUlp(0.99))
    #expect(merged.witness == whole.witness)
    #expect(merged.rows == 60 && merged.count == 540)
  }
}

@Suite struct DistributionStatisticsTests {
  @Test func divergenceOfAKnownPair() {
    // t = (1/2, 1/2), y = (1/4, 3/4): KL = (1/2) log 2 + (1/2) log(2/3).
    let t = truth([0, 0], .f64)
    var s = DistributionStatistics()
    [0.25, 0.75].withUnsafeBufferPointer { s.add(computed: $0, truth: t) }
    #expect((s.maxDivergence - 0.14384103622589045).magnitude < 1e-15)
    #expect(s.maxSumError == 0)
    #expect(s.topFlips == 1)
  }

  @Test func aLostProbabilityIsInfinite() {
    let t = truth([0, 0], .f64)
    var s = DistributionStatistics()
    [1.0, 0].withUnsafeBufferPointer { s.add(computed: $0, truth: t) }
    #expect(s.maxDivergence == .infinity)
  }

  @Test func theTruthItselfIsAtZero() {
    let t = truth([1, 2, 3, -4], .f64)
    var s = DistributionStatistics()
    t.rounded.withUnsafeBufferPointer { s.add(computed: $0, truth: t) }
    #expect(s.maxDivergence < 1e-30)
    #expect(s.topFlips == 0)
    #expect(s.maxSumError < 1e-15)
  }
}
