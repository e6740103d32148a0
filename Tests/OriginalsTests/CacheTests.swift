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
}
