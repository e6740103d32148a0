/// A narrow cache under f16 attention: KIVI (arXiv 2402.02750), keys on a grid for each channel of 32 tokens, values for 32 numbers of a
/// token; codes count from each group's least number, it and the scale in f16 (§3.1).
enum CacheSchemes {
  /// As the paper's text has it: the last 32 tokens are left in f16.
  private static func kivi(_ bits: Int) -> AttentionScheme {
    AttentionScheme(
      name: "kivi-int\(bits)",
      summary: "k \(bits) bits a channel, v \(bits) bits a token, the last 32 f16",
      queries: .plain(.f16), keys: .cached("uint\(bits)@b32x1:min,f16", recent: 32),
      values: .cached("uint\(bits)@g32:min,f16", recent: 32), probabilities: .float(.f16))
  }

  /// As its code does, with the R = 128 of its published results: keys are encoded 128 at a time, so that T mod 128 are left in f16, and
  /// the last 128 values.
  private static func release(_ bits: Int) -> AttentionScheme {
    AttentionScheme(
      name: "kivi-int\(bits):release",
      summary: "the same as its code has it: T mod 128 keys and the last 128 values f16",
      queries: .plain(.f16), keys: .cached("uint\(bits)@b32x1:min,f16", recent: 0, step: 128),
      values: .cached("uint\(bits)@g32:min,f16", recent: 128), probabilities: .float(.f16))
  }

  static let two = kivi(2)
  static let four = kivi(4)
  static let twoReleased = release(2)
  static let fourReleased = release(4)
}
