import Quant
import Testing

@Suite("Caches as paper and release have them") struct CacheTests {
  /// What of so many tokens KIVI's release leaves in f16: T mod 128 keys, the last 128 values.
  @Test func theReleaseLeavesWhatItsCodeLeaves() throws {
    let scheme = try #require(AttentionSchemes.named("kivi-int2:release"))
    func left(_ coding: AttentionScheme.Coding, _ tokens: Int) throws -> Int {
      guard case .cached(let name, let recent, let step) = coding else { return -1 }
      var format = try CacheFormat(name, recent: recent)
      format.step = step
      return tokens - format.encodedCount(tokens)
    }
    for tokens in [1, 31, 127, 128, 129, 200, 256, 300, 1000] {
      #expect(try left(scheme.keys, tokens) == tokens % 128)
      #expect(try left(scheme.values, tokens) == min(tokens, 128))
    }
    let paper = try #require(AttentionSchemes.named("kivi-int2"))
    #expect(try left(paper.keys, 100) == 36 && left(paper.values, 100) == 32)
    #expect(!AttentionSchemes.all.contains { $0.name.hasSuffix(":release") })
  }

  /// SageAttention's codes: tokens whose place within eight is the same share a scale with those of their warp, ties go away from zero.
  @Test func threadsShareScalesAsTheKernelsHaveIt() throws {
    let (tokens, width) = (72, 4)
    var x: [Double] = []
    for t in 0..<tokens {
      let size = Double(t * 7 % 23 + 1)
      for c in 0..<width { x.append(size * (Double(c) / 8 + 0.25)) }
    }
    func coded(_ warp: Int, _ run: Int) throws -> EncodedOperand {
      try EncodedOperand(x, heads: 1, tokens: tokens, width: width, .threaded(warp: warp, run: run))
    }
    for (warp, run) in [(32, 1), (64, 2), (16, 1), (128, 2)] {
      let plain = try coded(warp, run)
      for t in 0..<tokens {
        var largest: Float = 0
        for other in 0..<tokens where other / warp == t / warp {
          if other % 8 / run != t % 8 / run { continue }
          for c in 0..<width { largest = max(largest, Float(x[other * width + c])) }
        }
        let expected: Float = largest / 127 + 0.0000001
        #expect(plain.tokenScales[t] == expected, "\(warp) \(run) \(t)")
      }
      let scales = (tokens + warp - 1) / warp * 8 / run
      let most: Double = 8 + Double(32 * scales) / Double(x.count)
      #expect(plain.bits <= most)
    }
    // Halves of token 1's scale, which its largest number keeps.
    let scale = Double(try coded(32, 1).tokenScales[1])
    x[width] = scale * 0.5
    x[width + 1] = scale * -0.5
    x[width + 2] = scale * 2.5
    let codes = try coded(32, 1).codes
    #expect(codes[width] == 1 && codes[width + 1] == -1 && codes[width + 2] == 3)
  }

  @Test func releasesOfAttentionAreAskedForByName() throws {
    let flash = try #require(AttentionSchemes.named("fa3-fp8:release"))
    #expect(!flash.rotates && flash.probabilityScale == 256)
    let sage = try #require(AttentionSchemes.named("sage:release"))
    #expect(sage.keys == .threaded(warp: 64, run: 2) && sage.accumulator == .f32)
    #expect(AttentionSchemes.named("sage2-int8:release")?.queries == .threaded(warp: 16, run: 1))
  }
}
