/// NVFP4 as it is shipped. `nvfp4` is what torchao 0.17 and 0.18 write (`nvfp4:torchao-0.18`); `nvfp4:div` torchao 0.12 to 0.16
/// (`nvfp4:torchao-0.16`), `nvfp4:ct` compressed-tensors, `nvfp4:modelopt` NVIDIA's Model Optimizer, `nvfp4:single` torchao without a
/// scale for the tensor.
let nvfp4Family = SchemeFamily(
  file: "NVFP4",
  defaults: { [NVFP4(.torchao)] },
  variants: {
    [NVFP4.Rule.torchaoDividing, .compressedTensors, .modelopt, .single].map { NVFP4($0) }
  },
  make: { name in
    guard name.base == "nvfp4", name.granularity == nil else { return nil }
    var name = name
    let rule = name.take([
      "torchao": NVFP4.Rule.torchao, "torchao-0.17": .torchao, "torchao-0.18": .torchao,
      "div": .torchaoDividing, "torchao-0.12": .torchaoDividing, "torchao-0.16": .torchaoDividing,
      "ct": .compressedTensors, "modelopt": .modelopt, "single": .single,
    ])
    return name.isUsedUp ? NVFP4(rule ?? .torchao) : nil
  })

/// Blocks of 16 e2m1 elements in a row, an e4m3 scale s for each, and one f32 for the tensor.
///
/// - torchao: g = amax_t/2688 is stored (2688 = 448·6); s = e4m3(clamp(amax_b/6/g, 2^−6, 448)); elements are x·((1/g)/s), values
///   e·(g·s). `:div`: elements are x/(g·s). `:single`: without g.
/// - compressed-tensors: G = (1/amax_t)·2688 is stored, 1 where that is no number; s = e4m3(G·(amax_b/6)), 1/8 where that is 0;
///   elements are x/(s/G), values e·(s/G).
/// - modelopt: g as torchao's; s = e4m3(clamp(amax_b/(6·g), 2^−9, 448)), 1 of a block of zeros; elements are x/(s·g).
///
/// The last block of a row may be shorter. Neither NaN nor infinities count for amax (the libraries' own scales become NaN or
/// infinite): an infinity becomes the largest value of its block, NaN a zero. A zero tensor has g = 1. amax_t is at least
/// 2^−126 for G.
struct NVFP4: BlockedScheme {
  enum Rule: String, Sendable, Hashable {
    case torchao
    case torchaoDividing = "div"
    case compressedTensors = "ct"
    case modelopt, single
  }
  let rule: Rule

  init(_ rule: Rule) { self.rule = rule }

  var name: String { rule == .torchao ? "nvfp4" : "nvfp4:\(rule.rawValue)" }
  var granularity: Granularity { .group(16) }
  var elementBits: Int { 4 }
  var blockBytes: Int { 1 }
  var hasTensorScale: Bool { rule != .single }
  var unrounded: (any Scheme)? { ScaledCast(.e2m1, granularity) }

  func tensorScale(magnitude: Float) -> Float {
    switch rule {
    case .single: return 1
    case .compressedTensors:
      let scale = 1 / max(magnitude, .leastNormalMagnitude) * 2688
      return scale.isFinite ? scale : 1
    case .torchao, .modelopt: return magnitude == 0 ? 1 : max(magnitude / 2688, .leastNonzeroMagnitude)
    // 1/(g·s) stays finite.
    case .torchaoDividing: return magnitude == 0 ? 1 : max(magnitude / 2688, 0x1p-120)
    }
  }

  private func block(_ s: Float, _ tensor: Float) -> BlockScale {
    switch rule {
    case .torchao: return BlockScale(stored: s, scale: tensor * s, divisor: 1 / tensor / s)
    case .torchaoDividing, .modelopt: return BlockScale(stored: s, scale: tensor * s, divisor: tensor * s)
    case .compressedTensors: return BlockScale(stored: s, scale: s / tensor, divisor: s / tensor)
    case .single: return BlockScale(stored: s, scale: s, divisor: 1 / s)
    }
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let wanted: Float
    switch rule {
    case .compressedTensors:
      let s = E4M3Scale.value(E4M3Scale.code(tensor * (range.magnitude / 6)))
      return block(s == 0 ? 0.125 : s, tensor)
    case .modelopt:
      let scale = range.magnitude / (6 * tensor)
      wanted = scale == 0 ? 1 : max(scale, 0x1p-9)
    case .torchao, .torchaoDividing: wanted = max(range.magnitude / 6 / tensor, 0x1p-6)
    case .single: wanted = max(range.magnitude / 6, 0x1p-6)
    }
    return block(E4M3Scale.value(E4M3Scale.code(wanted)), tensor)
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: E4M3Scale.code(block.stored), as: UInt8.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    block(E4M3Scale.value(bytes.load(as: UInt8.self)), tensor)
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .torchao || rule == .single {
      SmallFloat.e2m1.multiply(values, run, into: codes)
    } else {
      SmallFloat.e2m1.divide(values, run, into: codes)
    }
  }

  func decode(_ codes: UnsafePointer<UInt8>, _ run: BlockRun, into values: UnsafeMutablePointer<Float>) {
    SmallFloat.e2m1.scale(codes, run, into: values)
  }

  func limits(_ block: BlockScale) -> (lowest: Float, highest: Float) {
    (-6 * block.scale, 6 * block.scale)
  }
}
