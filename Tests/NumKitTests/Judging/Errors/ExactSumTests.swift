import NumKit
import Testing

@Suite struct ExactSumTests {
  @Test func cancellationIsExact() {
    var sum = ExactSum()
    for x in [1e308, 1, -1e308, 0x1p-1074, 1e-300, -1e-300] { sum.add(x) }
    #expect(sum.value == 1)
    sum.add(-1)
    #expect(sum.value == 0x1p-1074)
  }

  @Test func largestNumbersDoNotOverflowOnTheWay() {
    var sum = ExactSum()
    for _ in 0..<1000 { sum.add(.greatestFiniteMagnitude) }
    for _ in 0..<999 { sum.add(-.greatestFiniteMagnitude) }
    #expect(sum.value == .greatestFiniteMagnitude)
  }

  @Test func negativeSumsAreNumbers() {
    var sum = ExactSum()
    for x in [-3, 1, 0.25] { sum.add(x) }
    #expect(sum.value == -1.75)
    sum.add(-0x1p-1074)
    sum.add(1.75)
    #expect(sum.value == -0x1p-1074)
    sum.add(-.greatestFiniteMagnitude)
    #expect(sum.value == -.greatestFiniteMagnitude)
  }

  @Test func orderAndSplitDoNotMatter() {
    var random = RandomSource(seed: 7, row: 0)
    let numbers = (0..<5000).map { _ in
      random.normal() * Double(sign: .plus, exponent: Int(random.next() % 600) - 300, significand: 1)
    }
    var forwards = ExactSum()
    numbers.forEach { forwards.add($0) }
    var backwards = ExactSum()
    numbers.reversed().forEach { backwards.add($0) }
    var parts = [ExactSum](repeating: ExactSum(), count: 7)
    for (i, x) in numbers.enumerated() { parts[i % 7].add(x) }
    var merged = ExactSum()
    parts.reversed().forEach { merged.merge($0) }
    #expect(forwards.value == backwards.value)
    #expect(forwards.value == merged.value)
  }

  @Test func negativeSumsAreTheOppositeOfPositiveOnes() {
    for list in [[1.0], [0.1, 3e-9], [1e308, 1e308], [0x1p-1074, 1e300], [1e16, -1, 2.5]] {
      var (plus, minus) = (ExactSum(), ExactSum())
      for x in list {
        plus.add(x)
        minus.add(-x)
      }
      #expect(minus.value == -plus.value, "\(list)")
    }
  }

  @Test func nonFiniteTermsShow() {
    var sum = ExactSum()
    sum.add(.infinity)
    sum.add(1)
    #expect(sum.value == .infinity)
    sum.add(-.infinity)
    #expect(sum.value.isNaN)
  }
}

@Suite struct HistogramTests {
  @Test func quantilesAreWithinABucket() {
    var histogram = Histogram()
    for i in 1...1000 { histogram.add(Double(i)) }
    for q in [0.01, 0.5, 0.9, 0.99, 1] {
      let exact = q * 1000
      let found = histogram.quantile(q)
      #expect(found >= exact && found <= exact * 1.008 + 1e-12, "q \(q): \(found)")
    }
  }

  @Test func zerosAndGiantsCount() {
    var histogram = Histogram()
    for _ in 0..<99 { histogram.add(0) }
    histogram.add(1e300)
    #expect(histogram.quantile(0.99) == 0)
    #expect(histogram.quantile(1) >= 0x1p40)
    #expect(Histogram().quantile(0.5) == 0)
  }
}
