import NumKit
import Quant
import Testing

/// Rules that decide in Quant, each with the value it has and why.
@Suite struct DecisionRuleTests {
  /// The last `recent` tokens stay in f16, no more and no fewer, whatever the scheme.
  @Test(arguments: [0, 1, 2, 5, 6], ["int4@token", "f8e4m3fn"])
  func theRecentWindow(_ recent: Int, _ name: String) throws {
    let (tokens, width) = (6, 4)
    // No number is one of the schemes', each is one of f16.
    let x = (0..<tokens * width).map { 0.4 + Double($0) / 1024 }.map { NumberFormat.f16.round($0) }
    let format = try CacheFormat(name, recent: recent)
    let held = try format.decoded(x[...], tokens: tokens, width: width)
    for token in 0..<tokens {
      let own = token * width..<(token + 1) * width
      #expect((Array(held[own]) == Array(x[own])) == (token >= tokens - recent), "\(token) of \(recent)")
    }
    #expect(format.encodedCount(tokens) == tokens - min(recent, tokens))
    // 16 bits each for what stays.
    let encoded = try format.scheme.byteCount(rows: tokens - recent, columns: width) * 8
    #expect(try format.bits(tokens: tokens, width: width) == encoded + recent * width * 16)
  }

  /// An activation is massive above 100 and from 1000 times the median on, as the paper that named them has it; both must hold.
  @Test func whatIsMassive() {
    let s = ScanSettings()
    #expect(s.massiveLimit == 100 && s.massiveRatio == 1000)
    #expect(s.isMassive(100.001, median: 0.1) && !s.isMassive(100, median: 0.1))
    #expect(s.isMassive(200, median: 0.2) && !s.isMassive(199.9, median: 0.2))
    #expect(s.outlierLimit == 6)
  }

  /// Of equals the first: nothing is gained by another.
  @Test func tiesGoToTheFirst() {
    let alike: [(bits: Double, sqnr: Double, isWhole: Bool)] = [(4, 20, true), (4, 20, true), (4, 20, false)]
    #expect(SchemeStudy.paretoBest(alike) == [true, true, false])
  }
}
