/// NVFP4 in two levels: `nvfp4` (torchao), `nvfp4:div` (the same, dividing), `nvfp4:ct` (compressed-tensors).
let nvfp4Family = SchemeFamily(
  file: "NVFP4",
  defaults: { [NVFP4(.torchao)] },
  variants: { [NVFP4(.torchaoDividing), NVFP4(.compressedTensors)] },
  make: { name in
    guard name.base == "nvfp4", name.granularity == nil else { return nil }
    var name = name
    let rule = name.take([
      "torchao": .torchao, "div": NVFP4.Rule.torchaoDividing, "ct": .compressedTensors,
    ])
    return name.isUsedUp ? NVFP4(rule ?? .torchao) : nil
  })

/// Blocks of 16 e2m1 elements in a row, an e4m3 scale s for each, and one f32 for the tensor.
///
/// - torchao: g = amax_t/2688 is stored (2688 = 448·6); s = e4m3(clamp(amax_b/6/g, 2^−6, 448)); elements are x
///   times the reciprocal of g·s (`:div`: x over g·s, as its later versions), values e·(g·s).
/// - compressed-tensors: G = 2688/amax_t is stored; s = e4m3(G·(amax_b/6)), 1/8 where that is 0; elements are
///   x/(s/G), values e·(s/G).
///
/// The last block of a row may be shorter. Neither NaN nor infinities count for amax: an infinity becomes the largest
/// value of its block, NaN a zero. A zero tensor has g = 1; g is at least 2^−120, so that 1/(g·s) is finite. amax_t is
/// at least 2^−126 for G, and G at most the largest f32.
struct NVFP4: BlockedScheme {
  enum Rule: Sendable, Hashable { case torchao, torchaoDividing, compressedTensors }
  let rule: Rule

  init(_ rule: Rule) { self.rule = rule }

  var name: String {
    switch rule {
    case .torchao: return "nvfp4"
    case .torchaoDividing: return "nvfp4:div"
    case .compressedTensors: return "nvfp4:ct"
    }
  }
  var granularity: Granularity { .group(16) }
  var elementBits: Int { 4 }
  var blockBytes: Int { 1 }
  var hasTensorScale: Bool { true }
  var unrounded: (any Scheme)? { ScaledCast(.e2m1, granularity) }

  func tensorScale(magnitude: Float) -> Float {
    if rule == .compressedTensors {
      return min(2688 / max(magnitude, .leastNormalMagnitude), .greatestFiniteMagnitude)
    }
    return magnitude == 0 ? 1 : max(magnitude / 2688, 0x1p-120)
  }

  private func block(_ s: Float, _ tensor: Float) -> BlockScale {
    switch rule {
    case .torchao: return BlockScale(stored: s, scale: tensor * s, divisor: 1 / (tensor * s))
    case .torchaoDividing: return BlockScale(stored: s, scale: tensor * s, divisor: tensor * s)
    case .compressedTensors: return BlockScale(stored: s, scale: s / tensor, divisor: s / tensor)
    }
  }

  func blockScale(_ range: BlockRange, tensor: Float) -> BlockScale {
    let wanted = range.magnitude / 6
    if rule == .compressedTensors {
      let s = E4M3Scale.value(E4M3Scale.code(tensor * wanted))
      return block(s == 0 ? 0.125 : s, tensor)
    }
    return block(E4M3Scale.value(E4M3Scale.code(max(wanted / tensor, 0x1p-6))), tensor)
  }

  func write(_ block: BlockScale, to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: E4M3Scale.code(block.stored), as: UInt8.self)
  }

  func read(_ bytes: UnsafeRawPointer, tensor: Float) -> BlockScale {
    block(E4M3Scale.value(bytes.load(as: UInt8.self)), tensor)
  }

  func encode(_ values: UnsafePointer<Float>, _ run: BlockRun, into codes: UnsafeMutablePointer<UInt8>) {
    if rule == .torchao {
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
