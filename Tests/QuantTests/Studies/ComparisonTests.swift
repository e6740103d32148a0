import Quant
import Testing

/// Which of two schemes is preferred, where their boundaries lie, and what is largest.
@Suite struct ComparisonTests {
  private func compare(_ a: String, _ b: String, _ values: [Float]) throws -> DialectComparison {
    try values.withUnsafeBufferPointer {
      try DialectComparison(
        SchemeRegistry.scheme(named: a), SchemeRegistry.scheme(named: b), $0, rows: 1, columns: values.count)
    }
  }

  @Test func preferences() throws {
    let values = (0..<64).map { Float($0 % 11) * 0.37 - 2 }
    #expect(try compare("q8_0", "q8_0", values).preference == .same)
    guard case .better(let isFirst, let decibels) = try compare("q8_0", "q4_0", values).preference else {
      Issue.record("neither is better")
      return
    }
    #expect(isFirst && decibels > 10)
    #expect(try compare("q4_0", "q8_0", values).preference == .better(first: false, decibels: decibels))
    // A zero's sign costs nothing.
    var zeros = [Float](repeating: 1, count: 32)
    zeros[3] = -1e-9
    #expect(try compare("mxfp4:ggml", "mxfp4", zeros).preference == .even)
    // One that keeps more numbers is preferred, whatever the dB of what is left.
    var large = values
    large[9] = 1e6
    #expect(try compare("f16", "int4@tensor", large).preference == .keepsMore(first: false))
    #expect(try compare("int4@tensor", "f16", large).preference == .keepsMore(first: true))
  }

  @Test func boundariesOfTiesMove() throws {
    let b = try BoundaryComparison(
      SchemeRegistry.scheme(named: "mxfp4:floor"), SchemeRegistry.scheme(named: "mxfp4:ggml"), anchor: 4)
    // 0.75, 1.75 and 3.5, of both signs: a float apart; nearest to zero first, of each pair the negative one.
    #expect(b.moved.count == 6 && b.moved.allSatisfy { $0.ulps == 1 })
    #expect(b.movedFromZero.map { ($0.below + $0.above) / 2 } == [0.75, -0.75, 1.75, -1.75, 3.5, -3.5])
    // ggml has no -0, so one boundary less; all of its others the two share.
    #expect(b.first.all.count == 13 && b.second.all.count == 12 && b.shared == 12)
  }

  @Test func theLargestComeFirstAndOfEqualsTheFirst() throws {
    // Channels: 3, 9, 9, 1; tokens: 9, 3.
    let values: [Float] = [1, -9, 9, 0, 3, 2, 1, 1]
    let p = try values.withUnsafeBufferPointer {
      try TensorProfile(MemorySource($0, rows: 2, columns: 4))
    }
    #expect(p.largestChannels(3) == [1, 2, 0] && p.largestChannels(9) == [1, 2, 0, 3])
    #expect(p.largestTokenGroups(1) == [0] && p.largestChannels(0) == [])
    // |a| >= 6 in both channels 1 and 2, in half of the tokens.
    #expect(p.outlierChannelCount == 2)
  }
}
