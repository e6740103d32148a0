/// A narrow cache under f16 attention: KIVI (arXiv 2402.02750), keys on a grid for each channel of 32 tokens, values for 32 numbers of a
/// token, the last 32 tokens left in f16; codes count from each group's least number, it and the scale in f16 (§3.1).
enum CacheSchemes {
  private static func kivi(_ bits: Int) -> AttentionScheme {
    AttentionScheme(
      name: "kivi-int\(bits)",
      summary: "k \(bits) bits a channel, v \(bits) bits a token, the last 32 f16",
      queries: .plain(.f16), keys: .cached("uint\(bits)@b32x1:min,f16", recent: 32),
      values: .cached("uint\(bits)@g32:min,f16", recent: 32), probabilities: .float(.f16))
  }

  static let two = kivi(2)
  static let four = kivi(4)
}
