import NumKit
import Testing

import Quant

/// Which schemes are worth their bits, and which one to take: each rule on its own.
@Suite struct SchemeStudyTests {
  private struct Rows: BandSource {
    let rows: Int
    let columns: Int
    let values: [Float]

    func read(_ range: Range<Int>, into buffer: UnsafeMutableBufferPointer<Float>) {
      for i in 0..<range.count * columns { buffer[i] = values[range.lowerBound * columns + i] }
    }
  }

  private func study(_ values: [Float], columns: Int, _ names: [String]) throws -> SchemeStudy {
    try SchemeStudy(
      Rows(rows: values.count / columns, columns: columns, values: values),
      schemes: names.map { try SchemeRegistry.scheme(named: $0) })
  }

  @Test func theParetoSetIsOfThoseThatLoseNothing() {
    let prices: [(bits: Double, sqnr: Double, isWhole: Bool)] = [
      (4, 20, true),  // as few bits, nothing better
      (4, 19, true),  // beaten by the first
      (5, 20, true),  // as good with more bits
      (5, 25, true), (3, 40, false),  // lost a number: it neither shines nor casts a shadow
      (3, 10, true), (3, 10, true),  // alike: neither beats the other
      (8, .infinity, true), (9, .infinity, true),
    ]
    #expect(SchemeStudy.paretoBest(prices) == [true, false, false, true, false, true, true, true, false])
    #expect(SchemeStudy.paretoBest([]) == [])
    #expect(SchemeStudy.paretoBest([(4, .nan, true)]) == [true])
  }

  @Test func entriesStandByTheirBits() throws {
    let values = (0..<256).map { Float($0 % 17) - 8 }
    let s = try study(values, columns: 64, ["q8_0", "f16", "q4_0", "mxfp4", "q4_k", "int8@tensor"])
    #expect(s.entries.map(\.bitsPerWeight) == s.entries.map(\.bitsPerWeight).sorted())
    // q4_k needs rows of 256.
    #expect(s.skipped.map(\.name) == ["q4_k"] && s.skipped[0].reason.contains("256"))
    #expect(s.entries.map(\.name).sorted() == ["f16", "int8@tensor", "mxfp4", "q4_0", "q8_0"])
    // f16 is exact here: of an infinite SQNR nothing is above.
    let f16 = try #require(s.entries.first { $0.name == "f16" })
    #expect(f16.statistics.sqnr == .infinity && f16.isParetoBest)
    let best = SchemeStudy.paretoBest(s.entries.map { ($0.bitsPerWeight, $0.statistics.sqnr, true) })
    #expect(s.entries.map(\.isParetoBest) == best)
    for e in s.entries { #expect(e.floor != nil, "\(e.name)") }
    #expect(try study(values, columns: 16, ["q4_k"]).entries.isEmpty)
  }

  @Test func recommendationsKeepTheirLimits() throws {
    let values = (0..<512).map { Float(($0 * 7919) % 1009) / 100 - 5 }
    let s = try study(values, columns: 256, ["q8_0", "q4_0", "q4_1", "q5_0", "mxfp4", "f16"])
    func name(_ maxBits: Double?, _ minSqnr: Double? = nil) -> String? {
      s.recommended(SchemeLimits(maxBits: maxBits, minSqnr: minSqnr))?.name
    }
    func sqnr(_ name: String) -> Double { s.entries.first { $0.name == name }?.statistics.sqnr ?? .nan }
    // Within a budget the best, whatever bits are left over.
    let within = s.entries.filter { $0.bitsPerWeight <= 5 }.max { $0.statistics.sqnr < $1.statistics.sqnr }
    #expect(name(5) == within?.name && name(4.25) == "mxfp4" && name(4.2) == nil && name(16) == "f16")
    // To reach a quality the smallest that does, the limit itself included.
    #expect(name(nil, sqnr("q5_0")) == s.entries.first { $0.statistics.sqnr >= sqnr("q5_0") }?.name)
    #expect(name(nil, 1e9) == nil && name(8, sqnr("f16")) == nil)
    // One number beyond f16, and f16 is no longer to be taken.
    var large = values
    large[100] = 1e6
    let lossy = try study(large, columns: 256, ["f16", "q8_0"])
    #expect(lossy.entries.first { $0.name == "f16" }?.isParetoBest == false)
    #expect(lossy.recommended(SchemeLimits(maxBits: 16))?.name == "q8_0")
  }

  /// An exact match is one: rounded sums do not say 1 - 1.1e-16.
  @Test func anExactMatchHasACosineOfOne() {
    for n in 1...64 {
      let x = (0..<n).map { Float($0) * 0.37 + 0.1 }
      var s = ErrorSums()
      x.withUnsafeBufferPointer { s.add($0, $0) }
      #expect(s.cosine == 1)
    }
  }
}
