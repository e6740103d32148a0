import NumKitNumbers

/// A narrow cache under f16 attention: KIVI (arXiv 2402.02750), keys on a grid for each channel of 32 tokens, values for 32 numbers of a
/// token, the last 32 tokens left in f16; codes count from each group's least number.
enum CacheSchemes {
  private static func kivi(_ format: IntegerFormat) -> AttentionScheme {
    AttentionScheme(
      name: "kivi-int\(format.bitWidth)",
      summary: "k \(format.bitWidth) bits a channel, v \(format.bitWidth) bits a token, the last 32 f16",
      queries: .plain(.f16),
      keys: .cached(CacheFormat(.integer(format), .channel(32), recent: 32, countsFromLeast: true)),
      values: .cached(CacheFormat(.integer(format), .group(32), recent: 32, countsFromLeast: true)),
      probabilities: .float(.f16))
  }

  static let two = kivi(IntegerFormat(name: "uint2", bitWidth: 2, isSigned: false))
  static let four = kivi(.uint4)
}
