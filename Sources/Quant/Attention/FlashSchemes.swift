/// fp8 attention: FlashAttention-3 (arXiv 2407.08608, §3.3) and the plain way it is held against.
enum FlashSchemes {
  private static func e4m3(_ sharing: Granularity) -> AttentionScheme.Coding {
    .scaled(.float(.f8e4m3fn), sharing)
  }

  static let blockScales = AttentionScheme(
    name: "fa3-fp8", summary: "e4m3, a scale for 128 tokens, q and k rotated, 256 P in e4m3",
    queries: e4m3(.block(128, .max)), keys: e4m3(.block(128, .max)), values: e4m3(.block(128, .max)),
    rotates: true,
    probabilities: .float(.f8e4m3fn), probabilityScale: 256, tile: 128)

  /// As FlashAttention-3's code has it: descales for each batch and head of keys, which the caller makes, and no rotation.
  static let released = AttentionScheme(
    name: "fa3-fp8:release",
    summary: "the same as its code has it: a scale a tensor, not rotated, 256 P in e4m3",
    queries: e4m3(.block(.max, .max)), keys: e4m3(.block(.max, .max)), values: e4m3(.block(.max, .max)),
    probabilities: .float(.f8e4m3fn), probabilityScale: 256, tile: 128)

  static let tensorScales = AttentionScheme(
    name: "fp8-tensor", summary: "e4m3, a scale a tensor, P in e4m3 as it is",
    queries: e4m3(.tensor), keys: e4m3(.tensor), values: e4m3(.tensor), probabilities: .float(.f8e4m3fn),
    tile: 128)
}
