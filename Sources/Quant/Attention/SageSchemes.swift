/// Integer scores: SageAttention (arXiv 2410.02367) and SageAttention2 (arXiv 2411.10958), blocks of 128 queries and 64 keys.
enum SageSchemes {
  private typealias Coding = AttentionScheme.Coding
  private static let block: (Coding, Coding) = (
    .scaled(.integer(.int8), .block(128, .max)), .scaled(.integer(.int8), .block(64, .max))
  )

  static let first = AttentionScheme(
    name: "sage", summary: "int8 q and k less its mean, a scale a block; P and v f16, summed in f16",
    queries: block.0, keys: block.1, values: .plain(.f16), smoothsKeys: true, probabilities: .float(.f16),
    accumulator: .f16)

  static let wide = AttentionScheme(
    name: "sage-f32", summary: "the same, P v summed in f32",
    queries: block.0, keys: block.1, values: .plain(.f16), smoothsKeys: true, probabilities: .float(.f16))

  static let token = AttentionScheme(
    name: "sage-token", summary: "sage-f32 with a scale a token",
    queries: .scaled(.integer(.int8), .token), keys: .scaled(.integer(.int8), .token), values: .plain(.f16),
    smoothsKeys: true, probabilities: .float(.f16))

  static let rough = AttentionScheme(
    name: "sage-rough", summary: "sage-f32 with the mean left in k",
    queries: block.0, keys: block.1, values: .plain(.f16), probabilities: .float(.f16))

  static let integer = AttentionScheme(
    name: "sage-int8", summary: "sage with 127 P in int8, v int8 with a scale a channel, summed in int32",
    queries: block.0, keys: block.1, values: .scaled(.integer(.int8), .channel), smoothsKeys: true,
    probabilities: .integer(.int8), probabilityScale: 127)

  static let second8 = AttentionScheme(
    name: "sage2-int8", summary: "int8 q and k less its mean; 448 P and v (a scale a channel) in e4m3",
    queries: block.0, keys: block.1, values: .scaled(.float(.f8e4m3fn), .channel), smoothsKeys: true,
    probabilities: .float(.f8e4m3fn), probabilityScale: 448)

  static let second4 = AttentionScheme(
    name: "sage2-int4", summary: "sage2-int8 with int4 q and k, a scale a token, q not smoothed",
    queries: .scaled(.integer(.int4), .token), keys: .scaled(.integer(.int4), .token),
    values: .scaled(.float(.f8e4m3fn), .channel), smoothsKeys: true, probabilities: .float(.f8e4m3fn),
    probabilityScale: 448)

  /// SageAttention 2.2's `sageattn_qk_int8_pv_fp16_cuda` by its defaults.
  static let firstReleased = AttentionScheme(
    name: "sage:release", summary: "sage-f32 as its code has it by default: int8 scales a thread, ties away",
    queries: .threaded(warp: 32, run: 1), keys: .threaded(warp: 64, run: 2), values: .plain(.f16),
    smoothsKeys: true, probabilities: .float(.f16))

  /// SageAttention 2.2's `sageattn_qk_int8_pv_fp8_cuda_sm90` by its defaults.
  static let secondReleased = AttentionScheme(
    name: "sage2-int8:release",
    summary: "sage2-int8 as its code has it on Hopper: int8 scales a thread, ties away",
    queries: .threaded(warp: 16, run: 1), keys: .threaded(warp: 128, run: 2),
    values: .scaled(.float(.f8e4m3fn), .channel), smoothsKeys: true, probabilities: .float(.f8e4m3fn),
    probabilityScale: 448, tile: 128)
}
